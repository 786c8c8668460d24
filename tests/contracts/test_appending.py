"""What every event store promises of appends that come together, and of those that go wrong."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from adapters import memory
from adapters.postgres.store import queue
from application.errors import Unavailable
from application.ports import (
    Append,
    AppendConflict,
    EventStore,
    KeyedResult,
    KeyRepeated,
    NewEvent,
    QueryItem,
)
from domain.ids import TenantId
from tests.contracts.events import BOLT, NUT, SHELF, all_of, event, key, positions

Opened = Callable[[], AbstractAsyncContextManager[EventStore]]


def attempt(
    new: NewEvent, *boundary: QueryItem, after: int = 0, keys: tuple[KeyedResult, ...] = ()
) -> Append:
    return Append(events=(new,), boundary=boundary, after=after, keys=keys)


async def together(
    store: EventStore, tenant: TenantId, *appends: Append
) -> list[int | BaseException]:
    return await asyncio.gather(
        *(store.append(tenant, each) for each in appends), return_exceptions=True
    )


async def test_each_of_those_that_come_together_has_its_own_answer(
    store: EventStore, tenant: TenantId
) -> None:
    await store.append(tenant, attempt(event("Moved", BOLT), keys=(key("k"),)))
    answers = await together(
        store,
        tenant,
        attempt(event("Counted", NUT)),
        attempt(event(), QueryItem(types=("Moved",), tags=(BOLT,))),
        attempt(event(), keys=(key("k"),)),
        attempt(event("Counted", SHELF), QueryItem(types=("Moved",), tags=(NUT,))),
        attempt(event("Swept"), QueryItem(types=("Moved",), tags=(BOLT,)), after=1),
    )
    kinds = [type(answer) for answer in answers]
    assert kinds == [int, AppendConflict, KeyRepeated, int, int]
    assert {answers[0], answers[3], answers[4]} == {1, 2, 3}
    assert await store.head(tenant) == 4


@pytest.mark.parametrize(
    ("item", "conflicts"),
    [
        (QueryItem(types=("Moved",), tags=(SHELF,)), True),
        (QueryItem(types=("Moved",), tags=(BOLT, SHELF)), True),
        (QueryItem(tags=(BOLT,)), True),
        (QueryItem(types=("Moved",)), True),
        (QueryItem(), True),
        (QueryItem(types=("Counted",), tags=(SHELF,)), False),
        (QueryItem(types=("Moved",), tags=(NUT, SHELF)), False),
        (QueryItem(types=("Moved",), tags=(NUT,)), False),
        (QueryItem(types=("Counted",)), False),
    ],
)
async def test_an_append_is_void_by_what_comes_together_with_it_and_before_it(
    store: EventStore, tenant: TenantId, item: QueryItem, *, conflicts: bool
) -> None:
    first, second = await together(
        store, tenant, attempt(event("Moved", BOLT, SHELF)), attempt(event("Added"), item)
    )
    assert first == 0
    assert isinstance(second, AppendConflict) if conflicts else second == 1


async def test_one_key_in_two_that_come_together_is_taken_once(
    store: EventStore, tenant: TenantId
) -> None:
    first, second, third = await together(
        store,
        tenant,
        attempt(event(), keys=(key("k"),)),
        attempt(event(), keys=(key("other"), key("k", "second"))),
        attempt(event(), keys=(key("other"),)),
    )
    assert first == 0
    assert isinstance(second, KeyRepeated)
    assert third == 1


@pytest.mark.parametrize(
    "odd",
    [
        event(data='"\x00"'),
        event(data='"\ud800"'),
        event("Cou\x00nted"),
        event("Counted", "item:\x00"),
        event("Counted", "item:\udfff"),
    ],
    ids=["data-nul", "data-surrogate", "type-nul", "tag-nul", "tag-surrogate"],
)
async def test_what_cannot_be_stored_fails_alone(
    store: EventStore, tenant: TenantId, odd: NewEvent
) -> None:
    appends = [attempt(event(data=f"{n}")) for n in range(5)]
    answers = await together(store, tenant, *appends[:3], attempt(odd), *appends[3:])
    assert [type(answer) for answer in answers[:3] + answers[4:]] == [int] * 5
    assert isinstance(answers[3], Exception)
    assert [each.data for each in await all_of(store, tenant)] == ["0", "1", "2", "3", "4"]


async def test_a_full_queue_is_told_and_writes_nothing(
    store: EventStore, tenant: TenantId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "QUEUE_MAX", 5)
    monkeypatch.setattr(memory, "QUEUE_MAX", 5)
    answers = await together(store, tenant, *(attempt(event(data=f"{n}")) for n in range(40)))
    refused = [answer for answer in answers if isinstance(answer, Unavailable)]
    taken = [answer for answer in answers if isinstance(answer, int)]
    assert {answer.code for answer in refused} == {"store.busy"}
    assert len(taken) >= 5
    assert len(taken) + len(refused) == 40
    assert await positions(store, tenant) == list(range(1, len(taken) + 1))
    assert await store.append(tenant, attempt(event())) == len(taken)


async def test_what_was_taken_is_appended_before_the_end(opened: Opened, tenant: TenantId) -> None:
    async with opened() as ending:
        tasks = [
            asyncio.create_task(ending.append(tenant, attempt(event(data=f"{n}"))))
            for n in range(100)
        ]
        await asyncio.sleep(0)
    assert sorted([await task for task in tasks]) == list(range(100))
    with pytest.raises(Unavailable):
        await ending.append(tenant, attempt(event()))
    assert await positions(ending, tenant) == list(range(1, 101))


async def test_a_caller_that_leaves_while_the_store_ends_loses_nothing(
    opened: Opened, tenant: TenantId
) -> None:
    async with opened() as ending:
        tasks = [
            asyncio.create_task(ending.append(tenant, attempt(event(data=f"{n}"))))
            for n in range(20)
        ]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert [each.data for each in await all_of(ending, tenant)] == [f"{n}" for n in range(20)]


async def test_many_events_of_one_append_stay_together(store: EventStore, tenant: TenantId) -> None:
    many = tuple(event("Counted", f"item:{n}", data=f"{n}") for n in range(3_000))
    bases = await asyncio.gather(
        store.append(tenant, Append(events=many)),
        *(store.append(tenant, attempt(event(data="alone"))) for _ in range(10)),
    )
    data = [each.data for each in await all_of(store, tenant)]
    assert data[bases[0] : bases[0] + 3_000] == [str(n) for n in range(3_000)]
    assert len(data) == 3_010
