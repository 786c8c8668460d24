"""Operators as the world may call them: what they may, and what a company is told of their acts.

An operator's context is of no company. What it does to one goes into the log of the instance, and
from there, as soon as its books take it, into the company's own.
"""

from collections.abc import Mapping
from typing import Final, TypeAlias

import structlog
from msgspec.structs import replace

from application import codec
from application.access import OF_OPERATORS
from application.bus import Bus
from application.errors import ApplicationError
from application.kernel import Context, Exposed, Looking, SystemClock
from application.ports import EventStore, QueryItem, StoredEvent
from domain.access import Account
from domain.ids import SYSTEM_TENANT
from domain.kernel import Event, Refused
from domain.operators import (
    Act,
    AppointOperator,
    DismissOperator,
    Done,
    GrantSupport,
    NoteOperatorActs,
)
from domain.tenants import (
    RenameTenant,
    ResumeTenant,
    SuspendTenant,
    TenantClosed,
    TenantRenamed,
    TenantReopened,
    TenantResumed,
    TenantSuspended,
)

OPERATOR: Final = "operator:"
"""How the actor begins that is a person who answers for the instance."""

MAY: Final = OF_OPERATORS | {"tenants.tenant.read"}
"""What operators may. None of it opens the books of a company."""

APPOINT: Final = "operators.operator.appoint"
NOTE: Final = "operators.act.note"
SUPPORT: Final = "access.support.grant"
TOLD: Final[Mapping[type[Event], Act]] = {
    TenantRenamed: "renamed",
    TenantSuspended: "suspended",
    TenantResumed: "resumed",
    TenantClosed: "closed",
    TenantReopened: "reopened",
}
log = structlog.get_logger()
OnTenant: TypeAlias = RenameTenant | SuspendTenant | ResumeTenant


async def tell(bus: Bus, store: EventStore, command: OnTenant, caller: Context) -> None:
    """Write into the log of a company what was done to it, and was not written there before.

    What can't be written now is with the next act. So are closing and reopening: the log of a
    company comes back from its archive as it was, to the last event.
    """
    tenant = command.tenant
    try:
        query = QueryItem(types=codec.stored_names(tuple(TOLD)), tags=(f"tenant:{tenant}",))
        acts = [_done(each) async for each in store.read(SYSTEM_TENANT, [query])]
        if acts:
            context = Context(
                tenant=tenant,
                actor=caller.actor,
                permissions=frozenset({NOTE}),
                correlation_id=caller.correlation_id,
            )
            await bus.execute(NoteOperatorActs(acts=tuple(acts)), context)
    except (ApplicationError, Refused) as error:
        log.info("operators.company_not_told", tenant=tenant, code=error.code)


def _done(stored: StoredEvent) -> Done:
    event = codec.decode(stored)
    detail = event.reason if isinstance(event, TenantSuspended) else None
    return Done(
        act=TOLD[type(event)],
        by=stored.actor,
        position=stored.position,
        at=stored.recorded_at,
        detail=event.name if isinstance(event, TenantRenamed) else detail,
    )


async def _find_person(looking: Looking, command: AppointOperator) -> AppointOperator:
    """See that there is such a person. Who is forgotten later knows no password any more."""
    account = await looking.fold(SYSTEM_TENANT, Account.at(user=command.operator))
    return replace(command, enrolled=account.is_open)


async def _find_time(_looking: Looking, command: GrantSupport) -> GrantSupport:
    return replace(command, now=SystemClock().now())


COMMANDS = (
    Exposed(command=AppointOperator, permission=APPOINT, system=True, find=_find_person),
    Exposed(command=DismissOperator, permission=APPOINT, system=True),
    Exposed(command=NoteOperatorActs, permission=NOTE, always=True),
    Exposed(command=GrantSupport, permission=SUPPORT, route="POST /support", find=_find_time),
)
