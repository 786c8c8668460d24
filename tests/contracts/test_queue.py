"""What goes together in a batch, and what waits for the next."""

import asyncio
from uuid import uuid4

import pytest

from adapters.postgres.store import queue as limits
from adapters.postgres.store.queue import AppendQueue, Waiting
from application.errors import Unavailable
from application.ports import Append, KeyedResult, NewEvent, QueryItem
from domain.ids import TenantId

TENANT = TenantId(str(uuid4()))


def an_event(tag: str, data: str = "{}") -> NewEvent:
    return NewEvent(
        type="Happened",
        tags=(tag,),
        data=data,
        actor="system",
        correlation_id="",
        causation_id="",
    )


def about(tag: str, *, key: str = "", data: str = "{}") -> Append:
    """Append an event about *tag*, unless there is one already."""
    return Append(
        events=(an_event(tag, data),),
        boundary=(QueryItem(types=("Happened",), tags=(tag,)),),
        keys=(KeyedResult(key=key, fingerprint="f", result="r"),) if key else (),
    )


def tags_of(batch: list[Waiting]) -> list[str]:
    return [event.tags[0] for item in batch for event in item.append.events]


async def test_an_item_that_meets_an_earlier_one_waits_for_the_next_batch() -> None:
    queue = AppendQueue(1)
    for tag in ("a:1", "a:2", "a:1", "a:3"):
        queue.put(TENANT, about(tag))
    assert tags_of(await queue.take(0)) == ["a:1", "a:2", "a:3"]
    assert tags_of(await queue.take(0)) == ["a:1"]


async def test_an_item_after_one_that_waits_does_not_overtake_it() -> None:
    queue = AppendQueue(1)
    queue.put(TENANT, about("a:1"))
    both = Append(
        events=(an_event("a:1"), an_event("a:2")),
        boundary=(QueryItem(types=("Happened",), tags=("a:1",)),),
    )
    queue.put(TENANT, both)
    queue.put(TENANT, about("a:2"))
    assert tags_of(await queue.take(0)) == ["a:1"]
    assert tags_of(await queue.take(0)) == ["a:1", "a:2"]
    assert tags_of(await queue.take(0)) == ["a:2"]


async def test_a_key_stands_in_a_batch_once() -> None:
    queue = AppendQueue(1)
    queue.put(TENANT, about("a:1", key="k"))
    queue.put(TENANT, about("a:2", key="k"))
    assert tags_of(await queue.take(0)) == ["a:1"]


async def test_the_same_tag_of_another_tenant_is_no_reason_to_wait() -> None:
    queue = AppendQueue(1)
    queue.put(TENANT, about("a:1"))
    queue.put(TenantId(str(uuid4())), about("a:1"))
    assert len(await queue.take(0)) == 2


async def test_where_few_wait_one_lane_takes_them_all_and_the_other_none() -> None:
    queue = AppendQueue(2)
    tenants = [TenantId(str(uuid4())) for _ in range(20)]
    for tenant in tenants:
        queue.put(tenant, about("a:1"))
    assert len(await queue.take(1)) == len(tenants)
    queue.put(TENANT, about("a:2"))
    other = asyncio.create_task(queue.take(0))
    await asyncio.sleep(0.01)
    assert not other.done()
    assert tags_of(await queue.take(1)) == ["a:2"]
    other.cancel()


async def test_a_lane_that_does_not_come_back_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "PATIENCE_SECONDS", 0.01)
    queue = AppendQueue(2)
    queue.put(TENANT, about("a:1"))
    assert len(await queue.take(1)) == 1
    queue.put(TENANT, about("a:2"))
    assert tags_of(await asyncio.wait_for(queue.take(0), 5)) == ["a:2"]


async def test_where_many_wait_each_lane_takes_its_own_tenants() -> None:
    queue = AppendQueue(2)
    tenants = [TenantId(str(uuid4())) for _ in range(limits.FEW * 4)]
    for tenant in tenants:
        queue.put(tenant, about("a:1"))
    first, second = await queue.take(0), await queue.take(1)
    assert first
    assert second
    assert {item.tenant for item in first}.isdisjoint({item.tenant for item in second})
    assert len(first) + len(second) == len(tenants)


async def test_a_batch_holds_only_so_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BATCH_BYTES_MAX", 250)
    queue = AppendQueue(1)
    for n in range(3):
        queue.put(TENANT, about(f"a:{n}", data="x" * 100))
    assert len(await queue.take(0)) == 2
    assert len(await queue.take(0)) == 1


async def test_what_is_too_large_for_the_queue_is_refused_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "QUEUE_BYTES_MAX", 250)
    queue = AppendQueue(1)
    queue.put(TENANT, about("a:1", data="x" * 200))
    with pytest.raises(Unavailable) as busy:
        queue.put(TENANT, about("a:2", data="x" * 100))
    assert busy.value.code == "store.busy"
    assert len(await queue.take(0)) == 1
    queue.put(TENANT, about("a:2", data="x" * 300))
    assert len(await queue.take(0)) == 1


async def test_a_closed_queue_hands_out_what_waits_and_takes_no_more() -> None:
    queue = AppendQueue(2)
    queue.put(TENANT, about("a:1"))
    queue.close()
    with pytest.raises(Unavailable):
        queue.put(TENANT, about("a:2"))
    assert len(await queue.take(0)) == 1
    assert await queue.take(0) == []
    assert await queue.take(1) == []
