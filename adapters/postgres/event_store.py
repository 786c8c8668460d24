"""The event store on PostgreSQL: appends by the group-commit writer, reads by tenant."""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from types import TracebackType
from typing import LiteralString, Self
from uuid import UUID

from msgspec.structs import asdict

from adapters.postgres.connections import Pool, lend, tenant_transaction
from adapters.postgres.packed import SEPARATOR
from adapters.postgres.reading import Row, Span, event_of, read
from adapters.postgres.writer import Announce, GroupCommitWriter
from application import ports
from application.ports import (
    Append,
    BoundaryQuery,
    KeyedResult,
    Look,
    QueryItem,
    Snapshot,
    StoredEvent,
)
from domain.ids import TenantId

HEAD: LiteralString = "SELECT position FROM log_head WHERE tenant_id = %s"

LOOK: LiteralString = """
SELECT position, name, about, data, recorded_at, actor, correlation_id, causation_id, what
FROM look_v1(%b, %b::text[], %b::text[], %b::bigint[], %b::text[], %b::text[], %b::text[], %s)
"""

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
        asked = (
            UUID(tenant),
            [b.tag for b in boundaries],
            [SEPARATOR.join(b.types) for b in boundaries],
            [b.after for b in boundaries],
            [b.state for b in boundaries],
            [b.version for b in boundaries],
            list(keys),
            ports.LOOK_EVENTS_MAX,
        )
        async with lend(self._pool) as connection:
            rows = await (await connection.execute(LOOK, asked, binary=True)).fetchall()
        return _look(rows, {(b.state, b.tag): b.version for b in boundaries})

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


def _look(rows: Sequence[Row], versions: Mapping[tuple[str, str], str]) -> Look:
    of: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        of[row[8]].append(row)
    return Look(
        head=sum(row[0] for row in of["head"]),
        erased=sum(row[0] for row in of["erased"]),
        events=tuple(map(event_of, of["event"])),
        long=tuple(row[0] for row in of["long"]),
        results=tuple(
            KeyedResult(key=row[1], result=row[3], fingerprint=row[5], base=row[0])
            for row in of["result"]
        ),
        snapshots=tuple(
            Snapshot(
                state=state, tag=tag, version=versions[state, tag], position=position, data=data
            )
            for position, state, (tag,), data, *_ in of["snapshot"]
        ),
    )
