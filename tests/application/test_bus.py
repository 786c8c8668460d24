"""Commands become events once, in order, and only where they may."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st
from msgspec.structs import replace

from application.bus import Bus
from application.errors import Conflict, Forbidden, Malformed
from application.kernel import Outcome
from domain.ids import SYSTEM_TENANT, BatchId, JobId
from domain.imports import IngestRows, OpenImportBatch
from domain.invoicing import Customer, CustomerCode, Invoice, InvoiceIssued, Series
from domain.jobs import CancelJob
from domain.kernel import Command, Refused
from domain.tenants import CreateTenant, Slug
from tests.application.desk import TENANT, Store, context, draft, issue
from tests.invoicing.examples import MAY_1, TWO, A, drafted, issued
from tests.kernel import history_of

HOT = 32


async def test_a_command_answers_with_what_happened(bus: Bus, store: Store) -> None:
    await store.happened(issued(TWO, 1))
    await bus.execute(draft(), context())
    assert await bus.execute(issue(), context()) == Outcome(
        position=3, events=(("InvoiceIssued", 3),), ids={}
    )


async def test_a_command_answers_with_the_ids_it_made(bus: Bus) -> None:
    outcome = await bus.execute(draft("new"), context())
    assert (outcome.position, outcome.ids) == (1, {"invoice": "new"})


async def test_an_event_says_who_did_it_and_why(bus: Bus, store: Store) -> None:
    await bus.execute(draft(), context())
    (stored,) = [each async for each in store.read(TENANT)]
    assert (stored.actor, stored.correlation_id, stored.causation_id) == (
        "user:ana",
        "request-1",
        "command-7",
    )


async def test_what_changes_nothing_appends_nothing(bus: Bus, store: Store) -> None:
    await bus.execute(draft(), context())
    again = await bus.execute(draft(), context())
    assert again == Outcome(position=1, events=(), ids={})
    assert store.appends == 1


async def test_a_refusal_reaches_the_caller_and_appends_nothing(bus: Bus, store: Store) -> None:
    with pytest.raises(Refused) as refusal:
        await bus.execute(issue(), context())
    assert refusal.value.code == "invoicing.not_a_draft"
    assert store.appends == 0


async def test_who_lacks_the_permission_appends_nothing(bus: Bus, store: Store) -> None:
    with pytest.raises(Forbidden):
        await bus.execute(draft(), context("invoicing.invoice.issue"))
    with pytest.raises(Forbidden):
        await bus.execute_many([draft()], context("invoicing.invoice.issue"))
    assert store.appends == 0


async def test_what_belongs_to_no_tenant_is_in_the_log_of_the_system(
    bus: Bus, store: Store
) -> None:
    create = CreateTenant(tenant=TENANT, slug=Slug("acme"), name="Acme", country="ES")
    await bus.execute(create, context())
    assert await store.head(SYSTEM_TENANT) == 1
    assert await store.head(TENANT) == 0


async def test_an_event_that_wants_a_job_comes_with_it(bus: Bus, store: Store) -> None:
    await bus.execute(OpenImportBatch(batch=BatchId("b1")), context())
    ingest = IngestRows(
        batch=BatchId("b1"), job=JobId("j1"), sha256="ab" * 32, name="a.csv", size_bytes=1
    )
    outcome = await bus.execute(ingest, context())
    assert outcome.events == (("FileReceived", 2), ("JobQueued", 3))
    assert store.appends == 2


async def test_a_hot_series_takes_few_appends_and_has_no_gap(bus: Bus, store: Store) -> None:
    invoices = [f"i{n}" for n in range(HOT)]
    await asyncio.gather(*(bus.execute(draft(each), context()) for each in invoices))
    store.appends = 0
    outcomes = await asyncio.gather(*(bus.execute(issue(each), context()) for each in invoices))
    sequences = [e.sequence for e in await store.history() if isinstance(e, InvoiceIssued)]
    assert sequences == list(range(1, HOT + 1))
    assert len({outcome.position for outcome in outcomes}) == HOT
    assert store.appends <= 3


async def test_two_processes_share_a_hot_series_without_a_gap(store: Store) -> None:
    buses = [Bus(store, vault=store.vault), Bus(store, vault=store.vault)]
    invoices = [f"i{n}" for n in range(HOT)]
    await buses[0].execute_many([draft(each) for each in invoices], context())
    await asyncio.gather(
        *(buses[n % 2].execute(issue(each), context()) for n, each in enumerate(invoices))
    )
    sequences = [e.sequence for e in await store.history() if isinstance(e, InvoiceIssued)]
    assert sequences == list(range(1, HOT + 1))


async def test_one_refused_command_among_many_does_not_harm_the_others(bus: Bus) -> None:
    await bus.execute_many([draft("a"), draft("b")], context())
    answers = await asyncio.gather(
        *(bus.execute(issue(each), context()) for each in ("a", "absent", "b", "a")),
        return_exceptions=True,
    )
    kinds = [type(answer) for answer in answers]
    assert kinds == [Outcome, Refused, Outcome, Refused]


async def test_a_caller_that_stops_waiting_harms_nobody(bus: Bus, store: Store) -> None:
    tasks = [asyncio.create_task(bus.execute(draft(f"i{n}"), context())) for n in range(6)]
    await asyncio.sleep(0)
    tasks[2].cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks)
    await bus.drain()
    assert await store.head(TENANT) == 6


async def test_after_a_conflict_the_command_is_decided_again(bus: Bus, store: Store) -> None:
    await store.happened(drafted(), drafted(TWO))

    async def rival() -> None:
        await store.happened(issued(TWO, 1, MAY_1))

    store.rival = rival
    await bus.execute(issue(), context())
    history = await store.history()
    assert [e.sequence for e in history if isinstance(e, InvoiceIssued)] == [1, 2]
    assert store.appends == 2


async def test_a_conflict_may_turn_into_a_refusal(bus: Bus, store: Store) -> None:
    await store.happened(drafted())

    async def rival() -> None:
        await store.happened(issued())

    store.rival = rival
    with pytest.raises(Refused) as refusal:
        await bus.execute(issue(), context())
    assert refusal.value.code == "invoicing.not_a_draft"


async def test_who_never_gets_a_turn_is_told_after_some_time(store: Store) -> None:
    bus = Bus(store, vault=store.vault, seconds_max=0.05)

    async def rival() -> None:
        await store.happened(drafted())

    store.rival, store.rival_comes_again = rival, True
    with pytest.raises(Conflict) as conflict:
        await bus.execute(draft(returned=True), context())
    assert conflict.value.code == "command.conflict"
    assert store.appends > 1


async def test_events_outside_the_boundary_are_no_conflict(bus: Bus, store: Store) -> None:
    async def rival() -> None:
        await store.happened(drafted(TWO))

    store.rival = rival
    await bus.execute(draft(), context())
    assert store.appends == 1


async def test_many_commands_are_one_append_and_see_each_other(bus: Bus, store: Store) -> None:
    answers = await bus.execute_many([draft(), issue(), draft(TWO), issue(TWO)], context())
    assert [a.position for a in answers if isinstance(a, Outcome)] == [1, 2, 3, 4]
    assert [e.sequence for e in await store.history() if isinstance(e, InvoiceIssued)] == [1, 2]
    assert store.appends == 1


async def test_a_refused_one_of_many_does_not_stop_the_others(bus: Bus, store: Store) -> None:
    answers = await bus.execute_many([draft(), issue(TWO), issue()], context())
    assert [type(answer) for answer in answers] == [Outcome, Refused, Outcome]
    assert await store.head(TENANT) == 2


async def test_all_or_nothing_stops_at_the_first_refusal(bus: Bus, store: Store) -> None:
    with pytest.raises(Refused):
        await bus.execute_many([draft(), issue(TWO)], context(), all_or_nothing=True)
    assert store.appends == 0


async def test_who_gets_an_error_for_many_commands_knows_that_nothing_happened(
    bus: Bus, store: Store
) -> None:
    odd = replace(draft(TWO), customer=Customer(code=CustomerCode("a\x07b")))
    with pytest.raises(Malformed) as malformed:
        await bus.execute_many([draft(), odd], context())
    assert malformed.value.code == "event.bad_key"
    assert store.appends == 0


async def test_an_odd_id_harms_nobody_who_waits_at_the_same_time(bus: Bus, store: Store) -> None:
    answers = await asyncio.gather(
        bus.execute(draft(), context()),
        bus.execute(CancelJob(job=JobId("a\x07b")), context()),
        bus.execute(replace(draft(), customer=Customer(code=CustomerCode("a\x07"))), context()),
        bus.execute(issue(), context()),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers] == [Outcome, Malformed, Malformed, Outcome]
    assert await store.head(TENANT) == 2


async def test_no_commands_are_no_append(bus: Bus, store: Store) -> None:
    assert await bus.execute_many([], context()) == []
    assert store.appends == 0


async def test_a_closing_command_is_appended_with_what_it_tells_of(bus: Bus, store: Store) -> None:
    seen: list[Sequence[Outcome | Refused]] = []

    async def close(answers: Sequence[Outcome | Refused]) -> Command:
        seen.append(answers)
        return draft("closing")

    answers = await bus.execute_many([draft(), issue(TWO)], context(), closing=close)
    assert [type(answer) for answer in answers] == [Outcome, Refused, Outcome]
    assert [[type(answer) for answer in each] for each in seen] == [[Outcome, Refused]]
    assert store.appends == 1
    assert await store.head(TENANT) == 2


async def test_a_closing_command_that_is_refused_voids_the_append(bus: Bus, store: Store) -> None:
    async def close(_: Sequence[Outcome | Refused]) -> Command:
        return issue("absent")

    with pytest.raises(Refused):
        await bus.execute_many([draft()], context(), closing=close)
    assert store.appends == 0


async def test_a_closing_command_stands_alone_where_nothing_else_is_asked(
    bus: Bus, store: Store
) -> None:
    async def close(_: Sequence[Outcome | Refused]) -> Command:
        return draft()

    assert len(await bus.execute_many([], context(), closing=close)) == 1
    assert await store.head(TENANT) == 1


async def test_after_a_conflict_the_closing_command_is_made_again(bus: Bus, store: Store) -> None:
    made: list[int] = []

    async def close(answers: Sequence[Outcome | Refused]) -> Command:
        made.append(sum(isinstance(answer, Refused) for answer in answers))
        return draft("closing")

    async def rival() -> None:
        await store.happened(issued())

    await store.happened(drafted())
    store.rival = rival
    await bus.execute_many([issue()], context(), closing=close)
    assert made == [0, 1]


ids = st.sampled_from(["a", "b", "c"])
commands: st.SearchStrategy[Command] = st.one_of(
    st.builds(draft, ids, returned=st.booleans()), st.builds(issue, ids)
)


@settings(max_examples=40, deadline=None)
@for_all(st.lists(commands, max_size=12), st.integers(1, 4))
async def test_the_bus_decides_as_the_rules_alone_do(sequence: list[Command], at_once: int) -> None:
    """Whether one by one or many at once, with states kept or read anew."""
    store = Store()
    bus = Bus(store, vault=store.vault)
    for start in range(0, len(sequence), at_once):
        await bus.execute_many(sequence[start : start + at_once], context(actor="system"))
    history = await store.history()
    assert history == history_of(sequence)
    for each in ("a", "b", "c"):
        boundary = Invoice.at(invoice=each)
        assert await bus.fold(TENANT, boundary) == boundary.fold(history)
    assert await Bus(store, vault=store.vault).fold(TENANT, Series.at(series=A)) == Series.at(
        series=A
    ).fold(history)
