"""Group commit: whatever waits is appended in one call and one fsync, each on its own terms."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, LiteralString, Self

import structlog
from msgspec import Struct
from psycopg import Error, OperationalError

from adapters.postgres.connections import Connection, connect, unavailable
from application.errors import ApplicationError, Unavailable
from application.ports import Append, AppendConflict, KeyRepeated
from domain.ids import TenantId

BATCH_ITEMS_MAX: Final = 256
BATCH_EVENTS_MAX: Final = 5_000
QUEUE_MAX: Final = 10_000
SEPARATOR: Final = "\x1f"
FIRST_RETRY_SECONDS: Final = 0.05

# Binary (%b): as text, psycopg would escape each quote of each event in Python.
APPEND: LiteralString = """
SELECT item, status, base FROM append_events_v1(
    %b::text[]::uuid[], %b::bigint[],
    %b::int[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[],
    %b::int[], %b::text[], %b::text[],
    %b::int[], %b::text[], %b::text[], %b::text[])
"""
Announce = Callable[[dict[TenantId, int]], Awaitable[None]]
log = structlog.get_logger()


class _Item(Struct, eq=False, kw_only=True):
    tenant: TenantId
    append: Append
    future: "asyncio.Future[int]"

    def __post_init__(self) -> None:
        self.future.add_done_callback(_consume)


class GroupCommitWriter:
    """The one writer of a process: a queue, a task, a connection of its own."""

    def __init__(self, url: str, announce: Announce) -> None:
        self._url = url
        self._announce = announce
        self._queue: deque[_Item] = deque()
        self._wake = asyncio.Event()
        self._closing = False
        self._connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Append what was taken, then stop."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task
        if self._connection is not None:
            await self._connection.close()

    async def append(self, tenant: TenantId, append: Append) -> int:
        """Queue an append and wait for its base.

        Raises:
            AppendConflict: The boundary is not what it was.
            KeyRepeated: A key is known.
            Unavailable: Too many wait, or PostgreSQL is away.

        """
        if self._closing or len(self._queue) >= QUEUE_MAX:
            raise Unavailable(
                "store.busy",
                f"{len(self._queue)} appends wait already.",
                hint="Nothing was written. Ask again in a moment.",
            )
        item = _Item(
            tenant=tenant, append=append, future=asyncio.get_running_loop().create_future()
        )
        self._queue.append(item)
        self._wake.set()
        # A caller that stops waiting does not stop the append.
        return await asyncio.shield(item.future)

    async def _run(self) -> None:
        while True:
            if not self._queue:
                if self._closing:
                    return
                self._wake.clear()
                await self._wake.wait()
                continue
            batch = self._take()
            try:
                await self._commit(batch)
            except Exception as error:
                log.exception("store.append_failed", items=len(batch))
                _fail(batch, error)

    def _take(self) -> list[_Item]:
        """Take what can go together; an item that meets an earlier one waits for the next."""
        batch: list[_Item] = []
        waiting: deque[_Item] = deque()
        tags: set[tuple[TenantId, str]] = set()
        keys: set[tuple[TenantId, str]] = set()
        events = 0
        while self._queue and len(batch) < BATCH_ITEMS_MAX and events < BATCH_EVENTS_MAX:
            item = self._queue.popleft()
            if _meets(item, tags, keys):
                waiting.append(item)
            else:
                batch.append(item)
                events += len(item.append.events)
            tags.update((item.tenant, tag) for e in item.append.events for tag in (*e.tags, ""))
            keys.update((item.tenant, key.key) for key in item.append.keys)
        self._queue.extendleft(reversed(waiting))
        return batch

    async def _commit(self, batch: list[_Item]) -> None:
        try:
            rows = await self._call(batch)
        except (OperationalError, Unavailable) as error:
            await self._lost()
            _fail(batch, error if isinstance(error, ApplicationError) else unavailable(error))
            return
        except Error:
            if len(batch) == 1:
                raise
            for item in batch:
                await self._commit_alone(item)
            return
        heads: dict[TenantId, int] = {}
        for (_, status, base), item in zip(rows, batch, strict=True):
            if status == "appended":
                heads[item.tenant] = base + len(item.append.events)
                _resolve(item, base)
            else:
                _fail([item], AppendConflict() if status == "conflict" else KeyRepeated())
        if heads:
            await self._announce(heads)

    async def _commit_alone(self, item: _Item) -> None:
        try:
            await self._commit([item])
        except Error as error:
            log.exception("store.append_failed", items=1)
            _fail([item], error)

    async def _call(self, batch: list[_Item]) -> Sequence[tuple[Any, ...]]:  # Any: a row.
        if self._connection is None or self._connection.closed:
            self._connection = await connect(self._url)
        cursor = await self._connection.execute(APPEND, _parameters(batch), prepare=True)
        return await cursor.fetchall()

    async def _lost(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None
        await asyncio.sleep(FIRST_RETRY_SECONDS)


def _meets(item: _Item, tags: set[tuple[TenantId, str]], keys: set[tuple[TenantId, str]]) -> bool:
    """Tell whether an earlier item of the batch may void this one. The tag "" is any event."""
    tenant = item.tenant
    return any(
        (tenant, query.tags[0] if query.tags else "") in tags for query in item.append.boundary
    ) or any((tenant, key.key) in keys for key in item.append.keys)


def _parameters(batch: list[_Item]) -> tuple[list[Any], ...]:  # Any: columns of several types.
    events = [(n, e) for n, item in enumerate(batch, 1) for e in item.append.events]
    conditions = [(n, q) for n, item in enumerate(batch, 1) for q in item.append.boundary]
    keys = [(n, k) for n, item in enumerate(batch, 1) for k in item.append.keys]
    return (
        [item.tenant for item in batch],
        [item.append.after for item in batch],
        [n for n, _ in events],
        [e.type for _, e in events],
        [SEPARATOR.join(e.tags) for _, e in events],
        [e.data for _, e in events],
        [e.actor for _, e in events],
        [e.correlation_id for _, e in events],
        [e.causation_id for _, e in events],
        [n for n, _ in conditions],
        [SEPARATOR.join(q.types) for _, q in conditions],
        [SEPARATOR.join(q.tags) for _, q in conditions],
        [n for n, _ in keys],
        [k.key for _, k in keys],
        [k.fingerprint for _, k in keys],
        [k.result for _, k in keys],
    )


def _resolve(item: _Item, base: int) -> None:
    if not item.future.done():
        item.future.set_result(base)


def _fail(items: list[_Item], error: Exception) -> None:
    for item in items:
        if not item.future.done():
            item.future.set_exception(error)


def _consume(future: "asyncio.Future[int]") -> None:
    """Take note of an error that nobody waits for any more."""
    if not future.cancelled():
        future.exception()
