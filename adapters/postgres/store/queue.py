"""Appends on their way in: bounded, in order, and handed out as batches that can go together.

A tenant always waits in the same lane, so that two lanes never wait for each other's heads.
Where few wait, one lane takes them all, since one large batch costs less than two small ones.
"""

import asyncio
from collections import deque
from typing import Final
from zlib import crc32

from adapters.postgres.store.call import Item
from application.errors import Unavailable
from application.ports import Append
from domain.ids import TenantId

QUEUE_MAX: Final = 10_000
QUEUE_BYTES_MAX: Final = 256 * 1024 * 1024
BATCH_ITEMS_MAX: Final = 256
BATCH_EVENTS_MAX: Final = 5_000
BATCH_BYTES_MAX: Final = 16 * 1024 * 1024
FEW: Final = 64
"""Up to so many go in one batch, whatever lane they wait in."""

PATIENCE_SECONDS: Final = 0.1
"""A lane that is under way for longer may have lost its connection; then the other serves."""


class Waiting(Item, eq=False, frozen=True):
    """An item and who waits for its base."""

    future: "asyncio.Future[int]"
    size_bytes: int


class AppendQueue:
    """Where callers leave their appends, and lanes fetch them."""

    def __init__(self, lanes: int) -> None:
        self._queues: list[deque[Waiting]] = [deque() for _ in range(lanes)]
        self._wakes = [asyncio.Event() for _ in range(lanes)]
        self._busy_since: list[float | None] = [None] * lanes
        self._waiting = 0
        self._waiting_bytes = 0
        self._closing = False

    def put(self, tenant: TenantId, append: Append) -> "asyncio.Future[int]":
        """Leave an append, and wait for its base at the future.

        Raises:
            Unavailable: Too many wait already.

        """
        size = sum([len(event.data) for event in append.events])
        full = self._waiting >= QUEUE_MAX or self._waiting_bytes + size > QUEUE_BYTES_MAX
        if self._closing or (self._waiting and full):
            raise Unavailable(
                "store.busy",
                f"{self._waiting} appends wait already.",
                hint="Nothing was written. Ask again in a moment.",
            )
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        lane = crc32(tenant.encode()) % len(self._queues)
        self._queues[lane].append(Waiting(tenant, append, future, size))
        self._waiting += 1
        self._waiting_bytes += size
        if self._waiting <= FEW:
            self._wake()
        else:
            self._wakes[lane].set()
        return future

    def close(self) -> None:
        """Take no more; what waits is still handed out."""
        self._closing = True
        self._wake()

    async def take(self, lane: int) -> list[Waiting]:
        """Wait for the next batch of *lane*, whose last one is over. None left: empty."""
        loop, wake = asyncio.get_running_loop(), self._wakes[lane]
        self._busy_since[lane] = None
        self._wake()
        while True:
            batch = self._batch(lane, loop.time())
            if batch:
                self._busy_since[lane] = loop.time()
            if batch or (self._closing and not self._waiting):
                return batch
            wake.clear()
            again = loop.call_later(PATIENCE_SECONDS, wake.set) if self._waiting else None
            await wake.wait()
            if again is not None:
                again.cancel()

    def _wake(self) -> None:
        for wake in self._wakes:
            wake.set()

    def _batch(self, lane: int, now: float) -> list[Waiting]:
        if self._waiting > FEW:
            batch = _fetch(self._queues[lane])
        elif any(since and now - since < PATIENCE_SECONDS for since in self._busy_since):
            return []  # Whoever is under way takes them next, all together.
        else:
            together = deque(item for queue in self._queues for item in queue)
            for queue in self._queues:
                queue.clear()
            batch = _fetch(together)
            self._queues[lane].extend(together)
        self._waiting -= len(batch)
        self._waiting_bytes -= sum([item.size_bytes for item in batch])
        return batch


def _fetch(queue: deque[Waiting]) -> list[Waiting]:
    """Take what can go together; an item that meets an earlier one waits for the next batch."""
    batch: list[Waiting] = []
    kept: deque[Waiting] = deque()
    earlier: dict[TenantId, _Seen] = {}
    events = size = 0
    while queue and len(batch) < BATCH_ITEMS_MAX:
        item = queue[0]
        events += len(item.append.events)
        size += item.size_bytes
        if batch and (events > BATCH_EVENTS_MAX or size > BATCH_BYTES_MAX):
            break
        queue.popleft()
        seen = earlier.setdefault(item.tenant, _Seen())
        (kept if seen.meets(item) else batch).append(item)
        seen.add(item)
    queue.extendleft(reversed(kept))
    return batch


class _Seen:
    """What the earlier items of a tenant bring: they may void a later one."""

    def __init__(self) -> None:
        self.tags: set[str] = set()
        self.keys: set[str] = set()
        self.events = False

    def meets(self, item: Waiting) -> bool:
        for query in item.append.boundary:
            if query.tags[0] in self.tags if query.tags else self.events:
                return True
        return any(key.key in self.keys for key in item.append.keys)

    def add(self, item: Waiting) -> None:
        for event in item.append.events:
            self.tags.update(event.tags)
            self.events = True
        for key in item.append.keys:
            self.keys.add(key.key)
