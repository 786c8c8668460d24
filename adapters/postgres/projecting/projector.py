"""The projector: every reader of every log, driven on, exactly once each.

What is new in a log is read once, and folded into all its read models in one transaction, in
which their cursors move. Processes share the work by locking cursors; hints say where there is
news, and a look at all heads finds what they lost. One that fails stops alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from time import perf_counter
from typing import Final

import psycopg
import structlog

from adapters.metrics.figures import note_batch, note_fold, note_write
from adapters.postgres.connections import (
    Connection,
    Pool,
    tenant_transaction,
    transaction_pipeline,
)
from adapters.postgres.models.rows import Table, table_of
from adapters.postgres.models.versions import consumer_of
from adapters.postgres.projecting.consumers import Consumer
from adapters.postgres.projecting.cursors import (
    Cursor,
    Move,
    ask_for_cursors,
    claim,
    claimed_of,
    move,
    stopped_at,
)
from adapters.postgres.projecting.folding import (
    Begun,
    Folded,
    begin_to_fold,
    fold_begun,
    stored_names,
)
from adapters.postgres.projecting.lookout import Lookout
from adapters.postgres.projecting.news import BATCH_EVENTS, News, concerns, news_of, read_news
from adapters.postgres.subject_keys import DestroyKeys
from application import codec
from application.errors import Unavailable
from application.vault import Vault
from domain.ids import SYSTEM_TENANT, TenantId
from projections.kernel import read_models

POLL_SECONDS: Final = 1.0
RETRY_SECONDS: Final = 0.5
CONCURRENT_MAX: Final = 4
TURN_BATCHES: Final = 30
"""After so many, a log that is far behind lets others come first."""

KEYS: Final = "privacy."
log = structlog.get_logger()


class _Crew:
    """Who reads a log: the read models, and the other consumers, by the names of their cursors."""

    def __init__(self, *, system: bool, consumers: Sequence[Consumer]) -> None:
        models = [model for model in read_models().values() if model.system == system]
        self.tables: dict[str, Table] = {consumer_of(m): table_of(m) for m in models}
        self.others: dict[str, Consumer] = {each.name: each for each in consumers}
        self.names = (*self.tables, *self.others)
        self._types: dict[tuple[str, ...], frozenset[str]] = {}

    def types(self, names: Iterable[str]) -> frozenset[str]:
        """Name the events, as they are stored, that any of these reads."""
        asked = tuple(names)
        if asked not in self._types:
            self._types[asked] = frozenset().union(*map(self._read_by, asked))
        return self._types[asked]

    def _read_by(self, name: str) -> Iterable[str]:
        if name in self.tables:
            return stored_names(self.tables[name].model)
        return self.others[name].types or codec.event_types()


class Projector:
    """Drives all that reads the logs until it is stopped."""

    def __init__(
        self,
        pool: Pool,
        vault: Vault,
        consumers: Sequence[Consumer] = (),
        system_consumers: Sequence[Consumer] = (),
    ) -> None:
        self._pool = pool
        self._vault = vault
        self._tenants = _Crew(system=False, consumers=[DestroyKeys(), *consumers])
        self._system = _Crew(system=True, consumers=[DestroyKeys(), *system_consumers])
        self._lookout = Lookout(pool, self._tenants.names, self._system.names)
        self._hinted: set[TenantId] = set()
        self._wake = asyncio.Event()

    def hint(self, tenant: TenantId) -> None:
        """Say that the log of *tenant* has grown."""
        self._hinted.add(tenant)
        self._wake.set()

    async def run(self) -> None:
        """Go on until cancelled; PostgreSQL may go away and come back."""
        async with asyncio.TaskGroup() as group:
            group.create_task(_forever(self._follow_hints))
            group.create_task(_forever(self._look))

    async def catch_up(self) -> None:
        """Drive on whatever is behind, until nothing is."""
        await self._try_again()
        while behind := await self._lookout.lagging():
            moved = await self._advance_all(behind)
            # Where something always happens, this loop has no end.
            await self._lookout.note_built(POLL_SECONDS)
            if not moved:
                break  # Others hold the rest.
        await self._lookout.looked()
        await self._lookout.note_built()

    async def _follow_hints(self) -> None:
        """Drive on the logs that are said to have grown, whatever else is behind."""
        await self._wake.wait()
        self._wake.clear()
        hinted, self._hinted = self._hinted, set()
        try:
            await self._advance_all(sorted(hinted))
        except BaseException:
            self._hinted |= hinted
            self._wake.set()
            raise

    async def _look(self) -> None:
        if await self._lookout.has_news():
            await self.catch_up()
        elif self._lookout.some_stopped:
            await self._try_again()
        await asyncio.sleep(POLL_SECONDS)

    async def _try_again(self) -> None:
        while (stopped := await self._lookout.stopped()) and await self._advance_all(stopped):
            pass  # What stopped some has gone, so it may have gone for others.

    async def _advance_all(self, tenants: Sequence[TenantId]) -> bool:
        """Drive the logs of these on, some at a time; tell whether any of them moved."""
        room = asyncio.Semaphore(CONCURRENT_MAX)

        async def one(tenant: TenantId) -> bool:
            async with room:
                return await self.advance(tenant)

        return any(await asyncio.gather(*map(one, tenants)))

    async def advance(self, tenant: TenantId) -> bool:
        """Drive all that reads the log of *tenant* on, to its head or for a turn.

        Returns whether anything moved.
        """
        crew = self._crew(tenant)
        waiting: list[tuple[Sequence[str], int]] = [(crew.names, BATCH_EVENTS)]
        moved = False
        for _ in range(TURN_BATCHES):
            if not waiting:
                return moved
            names, most = waiting.pop(0)
            try:
                went, apart = await self._advance(tenant, names, most)
            except (psycopg.Error, Unavailable) as error:
                if isinstance(error, Unavailable) and not error.code.startswith(KEYS):
                    raise
                if len(names) > 1:
                    waiting += [((name,), BATCH_EVENTS) for name in names]
                elif most > 1 and names[0] in crew.tables and isinstance(error, psycopg.Error):
                    waiting.append((names, most // 2))  # Until it is known at which event.
                else:
                    # What can't be written stops this consumer of this log, and no other.
                    await self._stop(tenant, names[0], error)
                continue
            moved = moved or went
            waiting += [(each, BATCH_EVENTS) for each in apart]
            waiting += [(names, most)] if went else []
        self.hint(tenant)  # Others come first; then it goes on.
        return moved

    def _crew(self, tenant: TenantId) -> _Crew:
        return self._system if tenant == SYSTEM_TENANT else self._tenants

    async def _advance(
        self, tenant: TenantId, names: Sequence[str], most: int
    ) -> tuple[bool, list[Sequence[str]]]:
        """Take one batch; tell whether a cursor moved, and who has to go on apart."""
        crew = self._crew(tenant)
        if len(names) == 1 and names[0] in crew.others:
            return await self._consume(tenant, crew.others[names[0]]), []
        guess = self._lookout.head_of(tenant)  # Most often what is behind it is news.
        async with transaction_pipeline(self._pool) as connection:
            asked = await ask_for_cursors(
                connection, tenant, names, seen=guess, types=crew.types(names)
            )
            claimed = await claimed_of(connection, tenant, names, asked)
            cursors, head = claimed.cursors, claimed.head
            self._lookout.saw(tenant, head, max((c.position for c in cursors), default=head))
            behind = [cursor for cursor in cursors if cursor.position < head]
            if not behind:
                return False, []
            together, apart = _grouped(behind)
            after = min(cursor.position for cursor in together)
            until = head if most == BATCH_EVENTS else min(head, after + most)
            if after == guess and claimed.records is not None:
                news = await news_of(claimed.records, tenant, until=until, vault=self._vault)
            else:
                news = await read_news(
                    connection,
                    tenant,
                    after=after,
                    until=until,
                    names=crew.types(cursor.name for cursor in together),
                    vault=self._vault,
                )
            note_batch(len(news.items))
            moves, called = await self._take(connection, crew, together, news)
            began = perf_counter()
            moved = await move(connection, tenant, moves)
        note_write(perf_counter() - began)
        for each in moves:
            each.tell(tenant)
        return moved, [*apart, *called]

    async def _take(
        self, connection: Connection, crew: _Crew, cursors: Sequence[Cursor], news: News
    ) -> tuple[list[Move], list[Sequence[str]]]:
        """Fold *news* into the models; name the other consumers for whom there is something."""
        moves: list[Move] = []
        called: list[Sequence[str]] = []
        begun: list[tuple[Cursor, Begun]] = []
        for cursor in cursors:
            if cursor.position >= news.reached:
                continue
            table = crew.tables.get(cursor.name)
            if table is not None:
                each = await begin_to_fold(
                    connection,
                    table,
                    cursor.tenant,
                    news,
                    after=cursor.position,
                    vault=self._vault,
                    skipped=cursor.skipped,
                )
                begun.append((cursor, each))
            elif _is_for(crew.others[cursor.name], cursor, news):
                called.append((cursor.name,))
            else:
                moves.append(Move.of(cursor, Folded(position=news.reached, events=0)))
        for cursor, each in begun:
            folded = await fold_begun(connection, each)
            moves.append(Move.of(cursor, folded))
            note_fold(each.table.model.name, folded.fold_seconds)
        return moves, called

    async def _consume(self, tenant: TenantId, consumer: Consumer) -> bool:
        async with tenant_transaction(self._pool, tenant, derived=True) as connection:
            cursors, head = await claim(connection, tenant, [consumer.name])
            if not cursors or cursors[0].position >= head:
                return False
            (cursor,) = cursors
            folded = await consumer(connection, tenant, cursor.position, head)
            each = Move.of(cursor, folded)
            moved = await move(connection, tenant, [each])
        each.tell(tenant)
        return moved

    async def _stop(self, tenant: TenantId, name: str, error: psycopg.Error | Unavailable) -> None:
        async with tenant_transaction(self._pool, tenant) as connection:
            cursors, _ = await claim(connection, tenant, [name])
            moves = [stopped_at(cursor, error) for cursor in cursors]
            await move(connection, tenant, moves)
        for each in moves:
            each.tell(tenant)


async def _forever(work: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await work()
        except Unavailable as error:
            log.warning("projector.waiting", reason=error.message)
            await asyncio.sleep(RETRY_SECONDS)


def _grouped(cursors: Sequence[Cursor]) -> tuple[list[Cursor], list[Sequence[str]]]:
    """Part those that can read the same news from those that are far behind the others."""
    first = max(cursor.position for cursor in cursors)
    together = [cursor for cursor in cursors if first - cursor.position <= BATCH_EVENTS]
    apart = [(cursor.name,) for cursor in cursors if first - cursor.position > BATCH_EVENTS]
    return together, list(apart)


def _is_for(consumer: Consumer, cursor: Cursor, news: News) -> bool:
    return any(
        item.position > cursor.position and (not consumer.types or concerns(item, consumer.types))
        for item in news.items
    )
