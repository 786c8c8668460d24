"""A desk to send commands from: a store that counts, and a bus on it."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from adapters.memory import FixedClock, MemoryEventStore, MemorySubjectKeys
from application import codec
from application.kernel import EVERYTHING, Context
from application.ports import Append
from application.vault import Vault
from domain.ids import TenantId
from domain.invoicing import DraftInvoice, InvoiceId, IssueInvoice
from domain.kernel import Event
from tests.invoicing.examples import LINES, MAY_2, ONE, RETURNED, A

TENANT = TenantId("t1")


def context(*permissions: str, actor: str = "user:ana") -> Context:
    return Context(
        tenant=TENANT,
        actor=actor,
        permissions=frozenset(permissions or {EVERYTHING}),
        correlation_id="request-1",
        causation_id="command-7",
    )


class Store(MemoryEventStore):
    """Counts appends, and lets a rival be first where the test wants it."""

    def __init__(self) -> None:
        super().__init__(FixedClock(datetime(2026, 5, 2, tzinfo=UTC)))
        self.appends = 0
        self.vault = Vault(MemorySubjectKeys(self))
        self.rival: Callable[[], Awaitable[object]] | None = None
        self.rival_comes_again = False

    async def append(self, tenant: TenantId, append: Append) -> int:
        self.appends += 1
        if self.rival is not None:
            await self.rival()
            self.rival = self.rival if self.rival_comes_again else None
        return await super().append(tenant, append)

    async def happened(self, *events: Event) -> None:
        """Let somebody else append, past the bus."""
        new = (codec.encode(e, actor="x", correlation_id="", causation_id="") for e in events)
        await super().append(TENANT, Append(events=tuple(new)))

    async def history(self, tenant: TenantId = TENANT) -> list[Event]:
        return await self.vault.read(tenant, [stored async for stored in self.read(tenant)])


def draft(invoice: str = ONE, *, returned: bool = False) -> DraftInvoice:
    return DraftInvoice(invoice=InvoiceId(invoice), lines=RETURNED if returned else LINES)


def issue(invoice: str = ONE) -> IssueInvoice:
    return IssueInvoice(invoice=InvoiceId(invoice), series=A, issued_on=MAY_2)
