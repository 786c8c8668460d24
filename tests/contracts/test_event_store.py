"""What every event store promises, whatever it keeps its events in."""

import asyncio
from contextlib import suppress
from datetime import UTC
from uuid import uuid4

import pytest

from application import ports
from application.ports import (
    Append,
    AppendConflict,
    BoundaryQuery,
    EventStore,
    KeyedResult,
    KeyRepeated,
    NewEvent,
    QueryItem,
    StoredEvent,
)
from domain.ids import TenantId
from tests.contracts.events import BOLT, NUT, SHELF, all_of, event, key, positions

MANY = 200


async def append(
    store: EventStore, tenant: TenantId, *events: NewEvent, keys: tuple[KeyedResult, ...] = ()
) -> int:
    return await store.append(tenant, Append(events=events, keys=keys))


@pytest.fixture
async def shelf(store: EventStore, tenant: TenantId) -> EventStore:
    """Hold 1: Counted bolt, 2: Moved bolt shelf, 3: Counted nut, 4: Moved nut shelf, 5: Swept."""
    await append(store, tenant, event("Counted", BOLT), event("Moved", BOLT, SHELF))
    await append(store, tenant, event("Counted", NUT), event("Moved", NUT, SHELF))
    await append(store, tenant, event("Swept"))
    return store


async def test_a_log_is_empty_at_first(store: EventStore, tenant: TenantId) -> None:
    assert await store.head(tenant) == 0
    assert await all_of(store, tenant) == []
    look = await store.look(tenant, [BoundaryQuery(tag=BOLT, types=("Counted",))], ["k"])
    assert (look.head, look.events, look.results) == (0, (), ())


async def test_positions_count_from_one_for_each_tenant(
    store: EventStore, tenant: TenantId
) -> None:
    other = TenantId(str(uuid4()))
    assert await append(store, tenant, event(), event()) == 0
    assert await append(store, other, event()) == 0
    assert await append(store, tenant, event()) == 2
    assert await positions(store, tenant) == [1, 2, 3]
    assert await positions(store, other) == [1]


async def test_an_event_comes_back_as_it_went_in(store: EventStore, tenant: TenantId) -> None:
    text = '{"name":"Añejo \\"x\\" \\\\ 日本","n":1.50}'
    await append(store, tenant, event("Counted", SHELF, BOLT, data=text))
    (stored,) = await all_of(store, tenant)
    assert stored.recorded_at.utcoffset() == UTC.utcoffset(None)
    assert stored == StoredEvent(
        position=1,
        type="Counted",
        tags=(BOLT, SHELF),
        data=text,
        recorded_at=stored.recorded_at,
        actor="user:ana",
        correlation_id="request-1",
        causation_id="command-1",
    )


async def test_an_append_without_events_writes_none(store: EventStore, tenant: TenantId) -> None:
    await append(store, tenant, event())
    assert await append(store, tenant, keys=(key("k"),)) == 1
    assert await store.head(tenant) == 1
    assert (await store.look(tenant, (), ["k"])).results[0].base == 1


@pytest.mark.parametrize(
    ("item", "conflicts"),
    [
        (QueryItem(types=("Moved",), tags=(BOLT,)), True),
        (QueryItem(types=("Counted", "Moved"), tags=(BOLT,)), True),
        (QueryItem(types=("Counted",), tags=(BOLT,)), False),
        (QueryItem(types=("Moved",), tags=(NUT,)), False),
        (QueryItem(types=("Moved",), tags=(BOLT, SHELF)), True),
        (QueryItem(types=("Moved",), tags=(NUT, SHELF)), False),
        (QueryItem(types=("Moved",)), True),
        (QueryItem(types=("Counted",)), False),
        (QueryItem(tags=(SHELF,)), True),
        (QueryItem(tags=(NUT,)), False),
        (QueryItem(tags=(BOLT, SHELF)), True),
        (QueryItem(), True),
    ],
)
async def test_only_an_event_inside_the_boundary_voids_an_append(
    store: EventStore, tenant: TenantId, item: QueryItem, *, conflicts: bool
) -> None:
    after = await append(store, tenant, event("Counted", NUT)) + 1
    await append(store, tenant, event("Moved", BOLT, SHELF))
    attempt = Append(events=(event("Added"),), boundary=(item,), after=after)
    if conflicts:
        with pytest.raises(AppendConflict):
            await store.append(tenant, attempt)
    else:
        assert await store.append(tenant, attempt) == 2
    assert await store.head(tenant) == (2 if conflicts else 3)


async def test_one_item_of_many_voids_an_append(store: EventStore, tenant: TenantId) -> None:
    await append(store, tenant, event("Moved", BOLT))
    boundary = tuple(QueryItem(types=("Moved",), tags=(tag,)) for tag in (NUT, SHELF, BOLT))
    with pytest.raises(AppendConflict):
        await store.append(tenant, Append(events=(event(),), boundary=boundary))
    assert await store.head(tenant) == 1


async def test_what_was_read_voids_nothing(store: EventStore, tenant: TenantId) -> None:
    await append(store, tenant, event("Moved", BOLT))
    whole_log = Append(events=(event(),), boundary=(QueryItem(),), after=1)
    assert await store.append(tenant, whole_log) == 1


async def test_what_happens_to_another_tenant_voids_nothing(
    store: EventStore, tenant: TenantId
) -> None:
    await append(store, TenantId(str(uuid4())), event("Moved", BOLT))
    assert await store.append(tenant, Append(events=(event(),), boundary=(QueryItem(),))) == 0


async def test_a_repeated_key_writes_nothing(store: EventStore, tenant: TenantId) -> None:
    await append(store, tenant, event())
    await append(store, tenant, event(), keys=(key("k"),))
    with pytest.raises(KeyRepeated):
        await append(store, tenant, event(), keys=(key("new"), key("k", "second")))
    assert await store.head(tenant) == 2
    (result,) = (await store.look(tenant, (), ["k", "new"])).results
    assert (result.key, result.fingerprint, result.result, result.base) == ("k", "f", "first", 1)


async def test_a_repeated_key_is_told_before_a_conflict(
    store: EventStore, tenant: TenantId
) -> None:
    """The repeat of a request is inside the boundary of its own first time."""
    first = Append(events=(event("Moved", BOLT),), boundary=(QueryItem(),), keys=(key("k"),))
    await store.append(tenant, first)
    with pytest.raises(KeyRepeated):
        await store.append(tenant, first)


async def test_a_key_belongs_to_its_tenant(store: EventStore, tenant: TenantId) -> None:
    await append(store, tenant, event(), keys=(key("k"),))
    assert await append(store, TenantId(str(uuid4())), event(), keys=(key("k"),)) == 0


async def test_concurrent_appends_leave_no_gap(store: EventStore, tenant: TenantId) -> None:
    bases = await asyncio.gather(
        *(append(store, tenant, event(data=f"{n}"), event(data=f"{n}")) for n in range(MANY))
    )
    assert sorted(bases) == list(range(0, 2 * MANY, 2))
    stored = await all_of(store, tenant)
    assert [each.position for each in stored] == list(range(1, 2 * MANY + 1))
    assert [each.data for each in stored[::2]] == [each.data for each in stored[1::2]]
    assert {each.data for each in stored} == {f"{n}" for n in range(MANY)}


async def test_of_concurrent_appends_in_one_boundary_one_wins(
    store: EventStore, tenant: TenantId
) -> None:
    attempt = Append(
        events=(event("Moved", BOLT),), boundary=(QueryItem(types=("Moved",), tags=(BOLT,)),)
    )
    answers = await asyncio.gather(
        *(store.append(tenant, attempt) for _ in range(20)), return_exceptions=True
    )
    assert [answer for answer in answers if not isinstance(answer, AppendConflict)] == [0]
    assert await store.head(tenant) == 1


async def test_of_concurrent_appends_with_one_key_one_wins(
    store: EventStore, tenant: TenantId
) -> None:
    answers = await asyncio.gather(
        *(append(store, tenant, event(), keys=(key("k"),)) for _ in range(20)),
        return_exceptions=True,
    )
    assert [answer for answer in answers if not isinstance(answer, KeyRepeated)] == [0]
    assert await store.head(tenant) == 1


async def test_a_caller_that_stops_waiting_neither_loses_nor_doubles(
    store: EventStore, tenant: TenantId
) -> None:
    tasks = [asyncio.create_task(append(store, tenant, event(data=f"{n}"))) for n in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task
    await append(store, tenant, event(data="last"))
    data = [each.data for each in await all_of(store, tenant)]
    assert data == [*(f"{n}" for n in range(20)), "last"]


async def test_reading_goes_forwards_and_backwards(shelf: EventStore, tenant: TenantId) -> None:
    assert await positions(shelf, tenant) == [1, 2, 3, 4, 5]
    assert await positions(shelf, tenant, backwards=True) == [5, 4, 3, 2, 1]


async def test_reading_keeps_its_limits(shelf: EventStore, tenant: TenantId) -> None:
    assert await positions(shelf, tenant, after=2) == [3, 4, 5]
    assert await positions(shelf, tenant, until=3) == [1, 2, 3]
    assert await positions(shelf, tenant, after=1, until=4, limit=2) == [2, 3]
    assert await positions(shelf, tenant, after=1, until=4, limit=2, backwards=True) == [4, 3]
    assert await positions(shelf, tenant, limit=0) == []
    assert await positions(shelf, tenant, after=5) == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ([QueryItem()], [1, 2, 3, 4, 5]),
        ([QueryItem(types=("Counted",))], [1, 3]),
        ([QueryItem(types=("Counted", "Swept"))], [1, 3, 5]),
        ([QueryItem(tags=(SHELF,))], [2, 4]),
        ([QueryItem(tags=(BOLT, SHELF))], [2]),
        ([QueryItem(types=("Counted",), tags=(SHELF,))], []),
        ([QueryItem(tags=(BOLT,)), QueryItem(types=("Swept",))], [1, 2, 5]),
        ([QueryItem(tags=(BOLT,)), QueryItem(tags=(BOLT, SHELF))], [1, 2]),
    ],
)
async def test_reading_finds_what_matches_any_item(
    shelf: EventStore, tenant: TenantId, query: list[QueryItem], found: list[int]
) -> None:
    assert await positions(shelf, tenant, *query) == found
    assert await positions(shelf, tenant, *query, backwards=True) == found[::-1]


async def test_a_look_finds_each_boundary_from_where_it_was_read(
    shelf: EventStore, tenant: TenantId
) -> None:
    look = await shelf.look(
        tenant,
        [
            BoundaryQuery(tag=BOLT, types=("Counted", "Moved"), after=1),
            BoundaryQuery(tag=SHELF, types=("Moved",)),
            BoundaryQuery(tag=NUT, types=("Swept",)),
        ],
    )
    assert look.head == 5
    assert [each.position for each in look.events] == [2, 4]


async def test_a_look_names_the_boundary_that_holds_too_much(
    shelf: EventStore, tenant: TenantId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "LOOK_EVENTS_MAX", 1)
    look = await shelf.look(
        tenant,
        [
            BoundaryQuery(tag=NUT, types=("Counted",)),
            BoundaryQuery(tag=SHELF, types=("Moved",)),
            BoundaryQuery(tag=BOLT, types=("Counted", "Moved")),
            BoundaryQuery(tag=BOLT, types=("Counted", "Moved"), after=1),
        ],
    )
    assert [each.position for each in look.events] == [2, 3]
    assert sorted(look.long) == [1, 2]


async def test_a_look_finds_the_results_of_known_keys(store: EventStore, tenant: TenantId) -> None:
    await append(store, tenant, event(), keys=(key("a", "one"), key("b", "two")))
    look = await store.look(tenant, (), ["b", "a", "c"])
    assert {result.key: result.result for result in look.results} == {"a": "one", "b": "two"}


async def test_another_tenant_sees_nothing(shelf: EventStore, tenant: TenantId) -> None:
    await append(shelf, tenant, event(), keys=(key("k"),))
    other = TenantId(str(uuid4()))
    look = await shelf.look(other, [BoundaryQuery(tag=BOLT, types=("Counted",))], ["k"])
    assert (look.head, look.events, look.results) == (0, (), ())
    assert await all_of(shelf, other) == []
    assert await shelf.head(other) == 0
