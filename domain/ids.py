"""The ids by which modules know each other, and nothing else of each other."""

from typing import NewType

TenantId = NewType("TenantId", str)
BatchId = NewType("BatchId", str)
JobId = NewType("JobId", str)

SYSTEM_TENANT = TenantId("00000000-0000-0000-0000-000000000000")
"""The reserved tenant whose log holds what belongs to no tenant."""
