"""Roles as the world may call them: those that every tenant has, and what a caller may give."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final, TypeVar

from msgspec.structs import replace

from application.access import READ_LOG, READ_SECURITY, owner_permissions
from application.kernel import EVERYTHING, Exposed, Fold, Looking
from domain.access import (
    OWNER,
    AdmitMember,
    ChangeMemberRoles,
    ChangeRole,
    DefineRole,
    Giver,
    RemoveMember,
    RetireRole,
    Role,
    RoleId,
    Standard,
)
from domain.ids import TenantId

BOOKKEEPER: Final = RoleId("bookkeeper")
AUDITOR: Final = RoleId("auditor")
OF_THE_OFFICE: Final = frozenset(
    {"access", "credentials", "graphql", "modules", "privacy", "tenants", "webhooks"}
)
"""Modules by which a tenant is run, and not its books."""

G = TypeVar(
    "G", bound=DefineRole | ChangeRole | RetireRole | AdmitMember | ChangeMemberRoles | RemoveMember
)


@cache
def standard_roles(readable: frozenset[str]) -> Standard:
    """Name the roles that every tenant has, of all commands there are, and what is *readable*."""
    reading = {*readable, READ_LOG, READ_SECURITY}
    owner = owner_permissions(reading)
    books = (each for each in owner if each.partition(".")[0] not in OF_THE_OFFICE)
    return {OWNER: owner, BOOKKEEPER: tuple(books), AUDITOR: tuple(sorted(reading))}


def permissions_of(
    names: Iterable[RoleId], roles: Mapping[RoleId, Role], standard: Standard
) -> frozenset[str]:
    """Tell what somebody may who has the roles of these names."""
    found: set[str] = set()
    for name in names:
        found |= {*(standard[name] if name in standard else roles[name].permissions)}
    return frozenset(found)


async def held_by(
    fold: Fold, tenant: TenantId, names: Iterable[RoleId], standard: Standard
) -> frozenset[str]:
    """Read off the log what somebody may at the moment who has the roles of these names."""
    names = tuple(names)
    own = [each for each in names if each not in standard]
    roles = {each: await fold(tenant, Role.at(role=each)) for each in own}
    return permissions_of(names, roles, standard)


def giver_of(looking: Looking) -> Giver:
    """Say what the caller may give, and what the roles of every tenant hold."""
    may = looking.caller.permissions
    held = None if EVERYTHING in may else may
    return Giver(held=held, standard=standard_roles(looking.readable))


async def _with_its_giver(looking: Looking, command: G) -> G:
    """Tell the rule who gives."""
    return replace(command, giver=giver_of(looking))


DEFINE: Final = "access.role.define"
ASSIGN: Final = "access.member.assign"

COMMANDS = (
    Exposed(command=DefineRole, permission=DEFINE, route="POST /roles", find=_with_its_giver),
    Exposed(
        command=ChangeRole,
        permission=DEFINE,
        route="POST /roles/{role}/change",
        find=_with_its_giver,
    ),
    Exposed(
        command=RetireRole,
        permission=DEFINE,
        route="POST /roles/{role}/retire",
        find=_with_its_giver,
    ),
    Exposed(command=AdmitMember, permission="access.member.admit", find=_with_its_giver),
    Exposed(
        command=ChangeMemberRoles,
        permission=ASSIGN,
        route="POST /members/{user}/roles",
        find=_with_its_giver,
    ),
    Exposed(
        command=RemoveMember,
        permission=ASSIGN,
        route="POST /members/{user}/remove",
        find=_with_its_giver,
    ),
)
