"""`asiento member invite` and what becomes of invitations."""

from typing import Annotated, TypeAlias

from cyclopts import Parameter

from adapters.cli.derived import run_for
from adapters.cli.members import RolesOption
from adapters.cli.options import TenantOption
from adapters.cli.output import Result, Table, moment
from adapters.cli.session import find_tenant, with_runtime
from adapters.postgres.models.moments import open_log, read_events
from adapters.runtime import Runtime
from domain.access import InviteMember, ResendInvitation, WithdrawInvitation
from projections.invitations import InvitationRow, Invitations
from projections.kernel import project

DaysOption: TypeAlias = Annotated[int, Parameter(help="How many days the letter is good for.")]
InvitationArgument: TypeAlias = Annotated[
    str, Parameter(help="Its id, as `asiento member invitations` shows it.")
]


def invite(
    email: str, /, *, role: RolesOption, tenant: TenantOption, days: DaysOption = 7
) -> Result:
    """Ask somebody by letter to act for the company. Who is new here chooses a password."""
    return run_for(tenant, InviteMember, email=email, roles=role, days=days)


def resend(
    invitation: InvitationArgument, /, *, tenant: TenantOption, days: DaysOption = 7
) -> Result:
    """Send the letter of an invitation once more."""
    return run_for(tenant, ResendInvitation, invitation=invitation, days=days)


def withdraw(invitation: InvitationArgument, /, *, tenant: TenantOption) -> Result:
    """Let nobody in by an invitation."""
    return run_for(tenant, WithdrawInvitation, invitation=invitation)


def list_all(*, tenant: TenantOption) -> Result:
    """List who was invited, and what became of it."""

    async def work(runtime: Runtime) -> list[InvitationRow]:
        log = await open_log(runtime, Invitations, await find_tenant(runtime, tenant))
        events = [event async for _, event in read_events(log, Invitations, ())]
        return list(project(Invitations, events).values())

    found = with_runtime(work)
    rows = [
        (each.invitation, each.email, ", ".join(each.roles), each.status, moment(each.expires_at))
        for each in found
    ]
    columns = ("INVITATION", "EMAIL", "ROLES", "STATUS", "UNTIL")
    return Result(document=found, people=(Table(columns, rows),))
