"""`asiento service-account`: members of a company that are programs."""

from typing import Annotated, TypeAlias

from cyclopts import Parameter

from adapters.cli.derived import run_for
from adapters.cli.members import RolesOption
from adapters.cli.options import TenantOption
from adapters.cli.output import Result, Table
from adapters.cli.session import find_tenant, with_runtime
from adapters.postgres.models.moments import open_log, read_events
from adapters.runtime import Runtime
from domain.access import (
    AddServiceAccount,
    ChangeServiceAccount,
    ResumeServiceAccount,
    SuspendServiceAccount,
)
from projections.access import ServiceAccountRow, ServiceAccounts
from projections.kernel import project

AccountArgument: TypeAlias = Annotated[
    str, Parameter(help="Its id, as `asiento service-account list` shows it.")
]


def add(name: str, /, *, role: RolesOption, tenant: TenantOption) -> Result:
    """Let a program act for the company with these roles, by keys that are made for it."""
    return run_for(tenant, AddServiceAccount, name=name, roles=role)


def list_all(*, tenant: TenantOption) -> Result:
    """List the programs that act for the company by roles."""

    async def work(runtime: Runtime) -> list[ServiceAccountRow]:
        log = await open_log(runtime, ServiceAccounts, await find_tenant(runtime, tenant))
        events = [event async for _, event in read_events(log, ServiceAccounts, ())]
        return list(project(ServiceAccounts, events).values())

    found = with_runtime(work)
    rows = [
        (e.service_account, e.name, ", ".join(e.roles), "yes" if e.suspended else "") for e in found
    ]
    columns = ("SERVICE ACCOUNT", "NAME", "ROLES", "SUSPENDED")
    return Result(document=found, people=(Table(columns, rows),))


def change(
    account: AccountArgument, /, *, name: str, role: RolesOption, tenant: TenantOption
) -> Result:
    """Give a program this name and these roles, and no others."""
    return run_for(tenant, ChangeServiceAccount, service_account=account, name=name, roles=role)


def suspend(account: AccountArgument, /, *, tenant: TenantOption) -> Result:
    """Let the keys of a program open nothing for now."""
    return run_for(tenant, SuspendServiceAccount, service_account=account)


def resume(account: AccountArgument, /, *, tenant: TenantOption) -> Result:
    """Let the keys of a program open what its roles hold."""
    return run_for(tenant, ResumeServiceAccount, service_account=account)
