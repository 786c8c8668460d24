"""One Redis reader a process, fanned out to everyone in it who listens.

What travels here may be lost: hints that a log has grown, and ticks of jobs between the
milestones in the log. Whoever listens also looks at the log itself from time to time.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final, TypeAlias

import msgspec
import structlog
from msgspec import Struct
from redis.asyncio import Redis
from redis.exceptions import RedisError

from domain.ids import JobId, TenantId

HEADS: Final = "asiento:heads"
TICKS: Final = "asiento:ticks"
TICK_KEPT_SECONDS: Final = 3600
QUEUE_MAX: Final = 1_000
RETRY_SECONDS: Final = 0.5
log = structlog.get_logger()


class Tick(Struct, frozen=True):
    """How far a job is, between two milestones."""

    tenant: TenantId
    job: JobId
    done: int
    total: int | None
    message: str


class HeadMoved(Struct, frozen=True):
    """A log has grown to this position."""

    tenant: TenantId
    position: int


News = Tick | HeadMoved
Topic: TypeAlias = TenantId | JobId
"""What news are about: a log that grew, or a job that goes on."""

ALL: Final = JobId("")
_heads = msgspec.json.Decoder(dict[str, int])
_ticks = msgspec.json.Decoder(Tick)


class Hub:
    """Publishes to and listens on Redis for all of a process."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._listeners: dict[Topic, set[asyncio.Queue[News]]] = {}

    async def announce(self, heads: dict[TenantId, int]) -> None:
        """Hint that logs have grown. A Redis that is away costs the hint and nothing else."""
        with suppress(RedisError, OSError):
            await self._redis.publish(HEADS, msgspec.json.encode(heads))

    async def tick(
        self, tenant: TenantId, job: JobId, *, done: int, total: int | None, message: str
    ) -> None:
        """Tell watchers how far a job is."""
        tick = msgspec.json.encode(Tick(tenant, job, done, total, message))
        with suppress(RedisError, OSError):
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.publish(TICKS, tick)
                pipe.set(f"asiento:tick:{tenant}:{job}", tick, ex=TICK_KEPT_SECONDS)
                await pipe.execute()

    async def last_tick(self, tenant: TenantId, job: JobId) -> Tick | None:
        """Return the last tick of a job, for those who come late."""
        with suppress(RedisError, OSError):
            kept = await self._redis.get(f"asiento:tick:{tenant}:{job}")
            return _ticks.decode(kept) if kept else None
        return None

    @asynccontextmanager
    async def listen(self, *topics: Topic) -> AsyncIterator["asyncio.Queue[News]"]:
        """Hear news from now on: of these logs and jobs, or all there are.

        A listener that falls behind loses the oldest.
        """
        queue: asyncio.Queue[News] = asyncio.Queue(QUEUE_MAX)
        for topic in topics or (ALL,):
            self._listeners.setdefault(topic, set()).add(queue)
        try:
            yield queue
        finally:
            for topic in topics or (ALL,):
                self._listeners[topic].discard(queue)
                if not self._listeners[topic]:
                    del self._listeners[topic]

    @property
    def listeners(self) -> int:
        """Count those who listen now."""
        return len({id(queue) for queues in self._listeners.values() for queue in queues})

    async def run(self) -> None:
        """Read until cancelled; Redis may go away and come back."""
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as pubsub:
                    await pubsub.subscribe(HEADS, TICKS)
                    async for message in pubsub.listen():
                        self._deliver(message["channel"], message["data"])
            except (RedisError, OSError) as error:
                log.warning("hub.waiting", reason=type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)

    def _deliver(self, channel: bytes, data: bytes) -> None:
        news: list[News]
        if channel == HEADS.encode():
            news = [HeadMoved(TenantId(t), p) for t, p in _heads.decode(data).items()]
        else:
            news = [_ticks.decode(data)]
        for one in news:
            about = one.job if isinstance(one, Tick) else one.tenant
            for topic in (ALL, about):
                for queue in self._listeners.get(topic, ()):
                    if queue.full():
                        queue.get_nowait()
                    queue.put_nowait(one)
