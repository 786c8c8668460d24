"""The event store on PostgreSQL: appends by the group-commit writer, reads by tenant."""

from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import LiteralString, Self

from msgspec.structs import asdict

from adapters.postgres.connections import Pool, tenant_transaction
from adapters.postgres.store.looking import Looks
from adapters.postgres.store.reading import Span, read
from adapters.postgres.store.writer import Announce, GroupCommitWriter
from application.ports import (
    Append,
    BoundaryQuery,
    Look,
    QueryItem,
    Snapshot,
    StoredEvent,
)
from domain.ids import TenantId

HEAD: LiteralString = "SELECT position FROM log_head WHERE tenant_id = %s"

# An older snapshot never takes the place of a newer one by the same code; one of a history
# that is not this log's fits no event and gives way.
SAVE: LiteralString = """
INSERT INTO snapshot AS s (tenant_id, state, tag, version, position, log_hash, data)
SELECT e.tenant_id, %(state)s, %(tag)s, %(version)s, e.position, e.hash, %(data)s
FROM event AS e WHERE e.tenant_id = %(tenant)s AND e.position = %(position)s
ON CONFLICT (tenant_id, state, tag) DO UPDATE
SET version = excluded.version, position = excluded.position,
    log_hash = excluded.log_hash, data = excluded.data
WHERE s.version <> excluded.version OR s.position <= excluded.position OR NOT EXISTS (
    SELECT FROM event AS e
    WHERE e.tenant_id = s.tenant_id AND e.position = s.position AND e.hash = s.log_hash
)
"""


class PostgresEventStore:
    """Implements ``application.ports.EventStore``. Open it with ``async with``."""

    def __init__(self, pool: Pool, url: str, announce: Announce) -> None:
        self._pool = pool
        self._looks = Looks(pool)
        self._writer = GroupCommitWriter(url, announce)

    async def __aenter__(self) -> Self:
        await self._writer.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._writer.__aexit__(kind, error, trace)

    async def append(self, tenant: TenantId, append: Append) -> int:
        return await self._writer.append(tenant, append)

    async def head(self, tenant: TenantId) -> int:
        async with tenant_transaction(self._pool, tenant) as connection:
            row = await (await connection.execute(HEAD, (tenant,))).fetchone()
        return row[0] if row else 0

    async def look(
        self, tenant: TenantId, boundaries: Sequence[BoundaryQuery], keys: Sequence[str] = ()
    ) -> Look:
        return await self._looks.look(tenant, boundaries, keys)

    async def save(self, tenant: TenantId, snapshot: Snapshot) -> None:
        async with tenant_transaction(self._pool, tenant, derived=True) as connection:
            await connection.execute(SAVE, {"tenant": tenant, **asdict(snapshot)})

    def read(
        self,
        tenant: TenantId,
        query: Sequence[QueryItem] = (),
        *,
        after: int = 0,
        until: int | None = None,
        limit: int | None = None,
        backwards: bool = False,
    ) -> AsyncIterator[StoredEvent]:
        span = Span(after=after, until=until, limit=limit, backwards=backwards)
        return read(self._pool, tenant, query, span)
