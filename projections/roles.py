"""Roles and members of a tenant, as lists show them."""

from msgspec.structs import replace

from domain.access import (
    MemberAdmitted,
    MemberEvent,
    MemberRemoved,
    MemberRolesChanged,
    RoleChanged,
    RoleDefined,
    RoleEvent,
    RoleId,
    RoleRetired,
    UserId,
)
from domain.access.branches import BranchesAssigned
from domain.ids import BranchId
from projections.kernel import ReadModel, Row


class RoleRow(Row):
    """A role that the tenant defined."""

    role: RoleId
    name: str
    permissions: tuple[str, ...]


class Roles(ReadModel[RoleRow]):
    name = "roles"
    row = RoleRow
    key = "role"
    permission = "access.role.read"

    @staticmethod
    def apply(_row: RoleRow | None, event: RoleEvent) -> RoleRow | None:
        match event:
            case RoleDefined() | RoleChanged():
                return RoleRow(role=event.role, name=event.name, permissions=event.permissions)
            case RoleRetired():
                return None


class MemberRow(Row):
    """Somebody who may act for the tenant, by which roles, and in which branches."""

    user: UserId
    email: str
    roles: tuple[RoleId, ...]
    branches: tuple[BranchId, ...] = ()


class Members(ReadModel[MemberRow]):
    name = "members"
    row = MemberRow
    key = "user"
    version = 2
    permission = "access.member.read"

    @staticmethod
    def apply(row: MemberRow | None, event: MemberEvent | BranchesAssigned) -> MemberRow | None:
        match event:
            case MemberAdmitted():
                return MemberRow(user=event.user, email=event.email, roles=event.roles)
            case MemberRolesChanged():
                assert row is not None, "A member is admitted before its roles change."
                return replace(row, roles=event.roles)
            case BranchesAssigned():
                assert row is not None, "A member is admitted before it is placed."
                return replace(row, branches=event.branches)
            case MemberRemoved():
                return None
