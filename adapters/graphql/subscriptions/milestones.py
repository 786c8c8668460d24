"""Milestones: the log of a tenant is read once for all jobs of it that are followed.

A follower is woken when its own job has come to one, and not by every event of the tenant.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Final

from adapters.following import MILESTONES, follow_log
from adapters.redis.hub import HeadMoved, News
from adapters.runtime import Runtime
from application.errors import Unavailable
from application.ports import StoredEvent
from domain.ids import JobId, TenantId

RETRY_SECONDS: Final = 0.5
TAG: Final = "job:"


class Milestones:
    """What wakes the followers of jobs, in a process."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._watches: dict[TenantId, _Watch] = {}

    @asynccontextmanager
    async def listen(self, tenant: TenantId, job: JobId) -> AsyncIterator["asyncio.Queue[News]"]:
        """Hear the ticks of a job, and that its log has grown when the job has a milestone more.

        Raises:
            Unavailable: PostgreSQL is away.

        """
        async with self._runtime.hub.listen(job) as queue:
            if tenant not in self._watches:
                head = await self._runtime.store.head(tenant)
                if tenant not in self._watches:  # Another one may have come meanwhile.
                    self._watches[tenant] = _Watch(self._runtime, tenant, head)
            watch = self._watches[tenant]
            watch.queues.setdefault(job, set()).add(queue)
            try:
                yield queue
            finally:
                watch.queues[job].discard(queue)
                if not watch.queues[job]:
                    del watch.queues[job]
                if not watch.queues and self._watches.get(tenant) is watch:
                    del self._watches[tenant]
                    watch.reading.cancel()


class _Watch:
    """Reads the milestones of a tenant from a position on."""

    def __init__(self, runtime: Runtime, tenant: TenantId, position: int) -> None:
        self.queues: dict[JobId, set[asyncio.Queue[News]]] = {}
        self._runtime = runtime
        self._tenant = tenant
        self._position = position
        self.reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while True:
            coming = follow_log(self._runtime, self._tenant, MILESTONES, self._position)
            try:
                async with aclosing(coming):
                    async for page, position in coming:
                        for stored in page:
                            self._wake(stored)
                        self._position = position
            except Unavailable:
                await asyncio.sleep(RETRY_SECONDS)

    def _wake(self, stored: StoredEvent) -> None:
        for tag in stored.tags:
            for queue in self.queues.get(JobId(tag.removeprefix(TAG)), ()):
                if queue.full():
                    queue.get_nowait()
                queue.put_nowait(HeadMoved(self._tenant, stored.position))
