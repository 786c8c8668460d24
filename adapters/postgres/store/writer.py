"""Group commit: whatever waits is appended in one call and one fsync, each on its own terms."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Self

from adapters.postgres.store.lane import Lane
from adapters.postgres.store.queue import AppendQueue
from application.ports import Append
from domain.ids import TenantId

LANES: Final = 2
"""One prepares a batch or waits for the disk while the other's is appended."""

Announce = Callable[[dict[TenantId, int]], Awaitable[None]]


class GroupCommitWriter:
    """The writer of a process: callers wait here, and lanes append."""

    def __init__(self, url: str, announce: Announce) -> None:
        self._url = url
        self._announce = announce
        self._queue = AppendQueue(LANES)
        self._moved: dict[TenantId, int] = {}
        self._news = asyncio.Event()
        self._lanes: list[asyncio.Task[None]] = []
        self._announcing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        for n in range(LANES):
            lane = Lane(self._url, partial(self._queue.take, n), self._heads_moved)
            self._lanes.append(asyncio.create_task(lane.run()))
        self._announcing = asyncio.create_task(self._announce_heads())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Append what was taken, then stop."""
        self._queue.close()
        await asyncio.gather(*self._lanes)
        self._news.set()
        if self._announcing is not None:
            await self._announcing

    async def append(self, tenant: TenantId, append: Append) -> int:
        """Queue an append and wait for its base. Who stops waiting does not stop the append.

        Raises:
            AppendConflict: The boundary is not what it was.
            KeyRepeated: A key is known.
            Refused: The log is closed.
            Unavailable: Too many wait, or PostgreSQL is away; the code
                ``store.outcome_unknown`` says that it can't be known what happened.

        """
        return await self._queue.put(tenant, append)

    def _heads_moved(self, heads: dict[TenantId, int]) -> None:
        self._moved |= heads
        self._news.set()

    async def _announce_heads(self) -> None:
        """Tell others where logs ended, beside the appends and never in their way."""
        while self._moved or not all(lane.done() for lane in self._lanes):
            await self._news.wait()
            self._news.clear()
            moved, self._moved = self._moved, {}
            if moved:
                await self._announce(moved)
