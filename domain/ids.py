"""What modules know of each other, and nothing else: ids, and the countries there are."""

from typing import Literal, NewType, TypeAlias

TenantId = NewType("TenantId", str)
BatchId = NewType("BatchId", str)
JobId = NewType("JobId", str)
BranchId = NewType("BranchId", str)
Actor = NewType("Actor", str)

SYSTEM_TENANT = TenantId("00000000-0000-0000-0000-000000000000")
"""The reserved tenant whose log holds what belongs to no tenant."""

Country: TypeAlias = Literal["ES", "EC"]
