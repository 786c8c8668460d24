"""What every event store promises of its streams, page by page."""

import asyncio
import random
import tracemalloc

import pytest

from adapters.postgres.store import reading
from application.ports import Append, BoundaryQuery, EventStore, NewEvent, QueryItem
from domain.ids import TenantId
from tests.contracts.events import BOLT, all_of, event, key, positions

TYPES = ("Counted", "Moved", "Swept", "Added")
TAGS = tuple(f"tag:{n}" for n in range(6))
EVENTS = 80
QUERIES = 100
HEAVY = 500_000


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a page end every few events, so that streams have many."""
    monkeypatch.setattr(reading, "PAGE_EVENTS_FIRST", 2)
    monkeypatch.setattr(reading, "PAGE_EVENTS_MAX", 7)
    monkeypatch.setattr(reading, "PAGE_BYTES", 100)


def matches(new: NewEvent, query: list[QueryItem]) -> bool:
    return not query or any(
        (not item.types or new.type in item.types) and set(item.tags) <= set(new.tags)
        for item in query
    )


def some(chance: random.Random, of: tuple[str, ...], most: int) -> tuple[str, ...]:
    return tuple(sorted(chance.sample(of, chance.randint(0, most))))


async def filled(store: EventStore, tenant: TenantId, chance: random.Random) -> list[NewEvent]:
    events = [
        event(chance.choice(TYPES), *some(chance, TAGS, 4), data=f'"{"x" * chance.randint(0, 50)}"')
        for _ in range(EVENTS)
    ]
    await store.append(tenant, Append(events=tuple(events)))
    return events


async def test_a_stream_is_what_a_look_through_the_whole_log_finds(
    store: EventStore, tenant: TenantId
) -> None:
    chance = random.Random(3)  # noqa: S311 - a test that repeats itself.
    events = await filled(store, tenant, chance)
    for _ in range(QUERIES):
        query = [
            QueryItem(types=some(chance, TYPES, 3), tags=some(chance, TAGS, 3))
            for _ in range(chance.randint(0, 3))
        ]
        after = chance.choice([0, 0, chance.randint(0, EVENTS)])
        until = chance.choice([None, None, chance.randint(0, EVENTS + 5)])
        limit = chance.choice([None, None, chance.randint(0, EVENTS)])
        backwards = chance.choice([False, True])
        span = range(after + 1, min(until or EVENTS, EVENTS) + 1 if until != 0 else 1)
        expected = [at for at in span if matches(events[at - 1], query)]
        expected = (expected[::-1] if backwards else expected)[:limit]
        found = await positions(
            store, tenant, *query, after=after, until=until, limit=limit, backwards=backwards
        )
        assert found == expected, (query, after, until, limit, backwards)


@pytest.mark.parametrize(
    "query",
    [
        [],
        [QueryItem(tags=(BOLT,))],
        [QueryItem(types=("Counted",), tags=(BOLT,))],
        [QueryItem(types=("Counted",))],
        [QueryItem(tags=(BOLT, "item:nut"))],
    ],
    ids=["all", "tag", "tag-and-type", "type", "tags"],
)
async def test_a_stream_misses_nothing_while_others_append(
    store: EventStore, tenant: TenantId, query: list[QueryItem]
) -> None:
    async def others() -> None:
        for _ in range(30):
            await store.append(tenant, Append(events=(event("Counted", BOLT, "item:nut"),) * 5))

    appending = asyncio.create_task(others())
    last = 0
    while not appending.done() or last < 150:
        new = [each.position async for each in store.read(tenant, query, after=last)]
        assert new == list(range(last + 1, last + 1 + len(new)))
        last += len(new)
        await asyncio.sleep(0)
    await appending
    assert last == 150


async def test_a_type_that_a_tag_never_had_is_found_at_once(
    store: EventStore, tenant: TenantId
) -> None:
    """The types of a tag are looked up for each page, not once."""
    await store.append(tenant, Append(events=tuple(event("Counted", BOLT) for _ in range(5))))
    stream = store.read(tenant, [QueryItem(tags=(BOLT,))])
    seen = [(await anext(stream)).position]
    await store.append(tenant, Append(events=(event("Added", BOLT), event("Counted", BOLT))))
    seen += [each.position async for each in stream]
    assert seen[:5] == [1, 2, 3, 4, 5]
    assert seen[5:] in ([], [6, 7])


async def test_a_stream_may_be_left_before_its_end(store: EventStore, tenant: TenantId) -> None:
    await filled(store, tenant, random.Random(5))  # noqa: S311 - as above.
    for _ in range(30):  # More than a pool has connections.
        stream = store.read(tenant)
        assert (await anext(stream)).position == 1
    assert len(await all_of(store, tenant)) == EVENTS


async def test_heavy_events_come_one_after_another(
    store: EventStore, tenant: TenantId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PAGE_EVENTS_FIRST", 500)
    monkeypatch.setattr(reading, "PAGE_BYTES", 100_000)
    heavy = [event(data=f'"{n}{"ñ" * 30_000}"') for n in range(9)]
    await store.append(tenant, Append(events=tuple(heavy)))
    stored = await all_of(store, tenant)
    assert [each.data for each in stored] == [each.data for each in heavy]


@pytest.mark.parametrize(
    "query",
    [
        [],
        [QueryItem(tags=(BOLT,))],
        [QueryItem(types=("Counted",))],
        [QueryItem(types=("Counted",)), QueryItem(tags=(BOLT,))],
    ],
    ids=["all", "tag", "type", "type-or-tag"],
)
@pytest.mark.parametrize("backwards", [False, True])
async def test_no_more_is_held_than_a_page_weighs_and_its_last_event(
    store: EventStore,
    tenant: TenantId,
    query: list[QueryItem],
    monkeypatch: pytest.MonkeyPatch,
    *,
    backwards: bool,
) -> None:
    """Light ones come first, so that the next page is taken for light as well."""
    monkeypatch.setattr(reading, "PAGE_EVENTS_FIRST", 500)
    monkeypatch.setattr(reading, "PAGE_EVENTS_MAX", 5_000)
    monkeypatch.setattr(reading, "PAGE_BYTES", 2 * HEAVY)
    light, heavy = event("Counted", BOLT), event("Counted", BOLT, data=f'"{"x" * HEAVY}"')
    for _ in range(2):
        await store.append(tenant, Append(events=(light,) * 600))
        await store.append(tenant, Append(events=(heavy,) * 30))
        await store.append(tenant, Append(events=(light,) * 600))
    tracemalloc.start()
    try:
        count = 0
        async for _ in store.read(tenant, query, backwards=backwards):
            count += 1
        _, held_bytes_max = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 2_460
    assert held_bytes_max < 12 * HEAVY


async def test_a_look_at_thousands_of_boundaries_is_one(
    store: EventStore, tenant: TenantId
) -> None:
    many = tuple(event("Counted", f"item:{n}", data=f"{n}") for n in range(1_000))
    await store.append(tenant, Append(events=many, keys=(key("k"),)))
    asked = [
        BoundaryQuery(tag=f"item:{n}", types=("Counted", "Moved"), state="s", version="v")
        for n in range(500, 2_000)
    ]
    look = await store.look(tenant, asked, ["k"])
    assert [each.data for each in look.events] == [str(n) for n in range(500, 1_000)]
    assert (look.head, look.erased, len(look.results)) == (1_000, 0, 1)
