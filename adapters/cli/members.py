"""`asiento member` and `asiento role`: who may do what for a company."""

import secrets
from collections.abc import Mapping
from typing import Annotated, Final, TypeAlias, TypeVar

from cyclopts import Parameter
from msgspec import Struct

from adapters.accounts.accounts import account_of
from adapters.accounts.passwords import hash_password
from adapters.cli.derived import run_for
from adapters.cli.options import TenantOption
from adapters.cli.output import Result, Table
from adapters.cli.session import find_tenant, operator, with_runtime
from adapters.postgres.models.moments import open_log, read_events
from adapters.runtime import Runtime
from application.access import email_fields
from application.errors import Malformed
from application.kernel import Outcome, build
from application.roles import standard_roles
from domain.access import (
    AdmitMember,
    ChangeMemberRoles,
    DefineRole,
    RegisterUser,
    RemoveMember,
    RetireRole,
    UserId,
)
from domain.ids import SYSTEM_TENANT, TenantId
from domain.kernel import Command, Refused
from projections.kernel import ReadModel, Row, project, readable
from projections.roles import MemberRow, Members, RoleRow, Roles

PASSWORD_BYTES: Final = 18
RolesOption: TypeAlias = Annotated[
    list[str], Parameter(name="--role", help="A role, by its id; several are given one by one.")
]

PermissionsOption: TypeAlias = Annotated[
    list[str],
    Parameter(name="--permission", help="Such as invoicing.invoice.read; several one by one."),
]
TAKEN: Final = "access.email_taken"
R = TypeVar("R", bound=Row)


class Added(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody who may act for a company now; a password, where the person is new here."""

    user: str
    email: str
    roles: tuple[str, ...]
    position: int
    password: str | None = None


def add(email: str, /, *, role: RolesOption, tenant: TenantOption) -> Result:
    """Let a person act for the company. Who is new here gets a password, shown once."""

    async def work(runtime: Runtime) -> Added:
        owner = await find_tenant(runtime, tenant)
        await _check_roles(runtime, owner, role)
        user, password = await enrolled(runtime, owner, email)
        admitted = {"user": user, "email": email, "roles": role}
        done = await _execute(runtime, owner, AdmitMember, admitted)
        return Added(
            user=user, email=email, roles=tuple(role), position=done.position, password=password
        )

    found = with_runtime(work)
    said = [f"{found.email} is a member now: {', '.join(found.roles)}."]
    if found.password:
        said.append(f"Password: {found.password}\nIt is not shown again.")
    return Result(document=found, people=tuple(said))


def list_all(*, tenant: TenantOption) -> Result:
    """List who may act for the company, and by which roles."""

    async def work(runtime: Runtime) -> list[MemberRow]:
        return list((await _rows(runtime, await find_tenant(runtime, tenant), Members)).values())

    found = with_runtime(work)
    rows = [(each.user, each.email, ", ".join(each.roles)) for each in found]
    return Result(document=found, people=(Table(("USER", "EMAIL", "ROLES"), rows),))


def change(user: str, /, *, role: RolesOption, tenant: TenantOption) -> Result:
    """Give a member these roles, and no others."""
    return run_for(tenant, ChangeMemberRoles, user=user, roles=role)


def remove(user: str, /, *, tenant: TenantOption) -> Result:
    """Let a person act for the company no longer."""
    return run_for(tenant, RemoveMember, user=user)


def roles(*, tenant: TenantOption) -> Result:
    """List the roles that every company has, and those that this one defined."""

    async def work(runtime: Runtime) -> list[RoleRow]:
        own = await _rows(runtime, await find_tenant(runtime, tenant), Roles)
        return [*_standard(), *own.values()]

    found = with_runtime(work)
    rows = [(each.role, each.name, len(each.permissions)) for each in found]
    return Result(document=found, people=(Table(("ROLE", "NAME", "PERMISSIONS"), rows),))


def define(name: str, /, *, permission: PermissionsOption, tenant: TenantOption) -> Result:
    """Name a set of permissions that members can be given."""
    return run_for(tenant, DefineRole, name=name, permissions=permission)


def retire(role: str, /, *, tenant: TenantOption) -> Result:
    """Take a role from all who have it, for ever."""
    return run_for(tenant, RetireRole, role=role)


def _standard() -> list[RoleRow]:
    return [
        RoleRow(role=role, name=role.capitalize(), permissions=permissions)
        for role, permissions in standard_roles(readable()).items()
    ]


async def _check_roles(runtime: Runtime, owner: TenantId, names: list[str]) -> None:
    """Look before somebody is made who could not be admitted."""
    known = {*standard_roles(readable()), *await _rows(runtime, owner, Roles)}
    if unknown := sorted({*names} - known):
        raise Malformed(
            "access.role_absent",
            f"There is no role {unknown[0]}.",
            hint=f"Name one of {', '.join(sorted(known))}.",
        )


async def enrolled(runtime: Runtime, owner: TenantId, email: str) -> tuple[UserId, str | None]:
    """Find the person by its address, or register one with a password of its own."""
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    given = {
        **await email_fields(runtime.vault, email),
        "password_hash": hash_password(password, runtime.settings),
        "tenant": owner,
        "permissions": (),
    }
    try:
        made = await _execute(runtime, SYSTEM_TENANT, RegisterUser, given)
    except Refused as refusal:
        known = await account_of(runtime, email)
        if refusal.code != TAKEN or known is None:
            raise
        return known[0], None
    return UserId(made.ids["user"]), password


async def _rows(runtime: Runtime, owner: TenantId, model: type[ReadModel[R]]) -> Mapping[str, R]:
    """Read rows off the log itself, which needs no projector."""
    log = await open_log(runtime, model, owner)
    return project(model, [event async for _, event in read_events(log, model, ())])


async def _execute(
    runtime: Runtime, owner: TenantId, command: type[Command], given: Mapping[str, object]
) -> Outcome:
    return await runtime.bus.execute(build(command, given, runtime.clock), operator(owner))
