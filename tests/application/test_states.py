"""States are kept with the position they hold for, and only what is new is read."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from adapters.memory import FixedClock, MemoryEventStore
from application import codec, states
from application.bus import Bus
from application.kernel import EVERYTHING, Context
from application.ports import Append, BoundaryQuery, Look
from domain.ids import TenantId
from domain.invoicing import DraftInvoice, Invoice, InvoiceDrafted, InvoiceId, IssueInvoice, Series
from tests.invoicing.examples import LINES, MAY_2, ONE, A

TENANT = TenantId("t1")
CONTEXT = Context(
    tenant=TENANT, actor="system", permissions=frozenset({EVERYTHING}), correlation_id="c"
)


class WatchedStore(MemoryEventStore):
    """Remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__(FixedClock(datetime(2026, 5, 2, tzinfo=UTC)))
        self.asked: list[dict[str, int]] = []
        self.sent: list[int] = []

    async def look(
        self, tenant: TenantId, boundaries: Sequence[BoundaryQuery], keys: Sequence[str] = ()
    ) -> Look:
        look = await super().look(tenant, boundaries, keys)
        self.asked.append({boundary.tag: boundary.after for boundary in boundaries})
        self.sent.append(len(look.events))
        return look


@pytest.fixture
def store() -> WatchedStore:
    return WatchedStore()


def draft(invoice: str = ONE) -> DraftInvoice:
    return DraftInvoice(invoice=InvoiceId(invoice), lines=LINES)


async def test_what_was_decided_here_is_not_read_again(store: WatchedStore) -> None:
    bus = Bus(store)
    await bus.execute(draft(), CONTEXT)
    await bus.execute(IssueInvoice(invoice=ONE, series=A, issued_on=MAY_2), CONTEXT)
    assert store.asked == [
        {"suspended:tenants": 0},
        {"invoice:one": 0, "modules:own": 0, "fields:own": 0},
        {"invoice:one": 1, "series:A": 0},
    ]
    assert store.sent == [0, 0, 0]


async def test_what_others_did_since_is_read(store: WatchedStore) -> None:
    bus = Bus(store)
    boundary = Invoice.at(invoice=ONE)
    assert (await bus.fold(TENANT, boundary)).status == "absent"
    await Bus(store).execute(draft(), CONTEXT)
    assert (await bus.fold(TENANT, boundary)).status == "draft"
    assert (await bus.fold(TENANT, boundary)).status == "draft"
    assert store.sent[-2:] == [1, 0]


async def test_an_event_is_folded_into_a_state_once(store: WatchedStore) -> None:
    """One look brings events for two states, of which one has seen them."""
    bus, boundary = Bus(store), Series.at(series=A)
    await bus.execute(draft(), CONTEXT)
    await Bus(store).execute(IssueInvoice(invoice=ONE, series=A, issued_on=MAY_2), CONTEXT)
    assert (await bus.fold(TENANT, boundary)).last_sequence == 1
    await bus.execute(draft(InvoiceId("two")), CONTEXT)
    await bus.execute(IssueInvoice(invoice=InvoiceId("two"), series=A, issued_on=MAY_2), CONTEXT)
    assert (await bus.fold(TENANT, boundary)).last_sequence == 2


async def test_a_bulk_leaves_only_what_it_touched_often(store: WatchedStore) -> None:
    bus = Bus(store)
    await bus.execute_many([draft(f"i{n}") for n in range(5)], CONTEXT)
    await bus.execute(draft("i7"), CONTEXT)
    assert store.asked[-1] == {"invoice:i7": 0}


async def test_what_is_not_there_takes_no_place(
    store: WatchedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or whoever asks for anything at random would have all the rest read again."""
    monkeypatch.setattr(states, "KEPT_MAX", 1)
    bus = Bus(store)
    await bus.execute(draft(), CONTEXT)
    boundaries = [Invoice.at(invoice=f"i{number}") for number in range(5)]
    assert await bus.fold_all(TENANT, boundaries) == [Invoice()] * 5
    assert (await bus.fold(TENANT, Invoice.at(invoice=ONE))).status == "draft"
    assert store.asked[-1] == {"invoice:one": 1}


async def test_what_is_kept_is_bounded(
    store: WatchedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states, "KEPT_MAX", 3)
    bus = Bus(store)
    for number in range(5):
        await bus.execute(draft(f"i{number}"), CONTEXT)
    await bus.execute_many([draft("i0"), draft("i4")], CONTEXT)
    assert store.asked[-1] == {"invoice:i0": 0, "invoice:i4": 5}


async def test_types_that_a_state_does_not_know_are_not_read(store: WatchedStore) -> None:
    new = codec.encode(
        InvoiceDrafted(invoice=ONE, currency="EUR", lines=LINES),
        actor="x",
        correlation_id="",
        causation_id="",
    )
    await store.append(TENANT, Append(events=(new,)))
    assert states.type_names(Series) == ("InvoiceIssued", "InvoiceRecorded")
    assert await Bus(store).fold(TENANT, Series.at(series=A)) == Series()
