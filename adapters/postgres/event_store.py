"""The event store on PostgreSQL: appends by the group-commit writer, reads by tenant."""

from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Any, Final, LiteralString, Self

from adapters.postgres.connections import Pool, tenant_transaction
from adapters.postgres.writer import SEPARATOR, Announce, GroupCommitWriter
from application.ports import (
    Append,
    BoundaryQuery,
    KeyedResult,
    QueryItem,
    Snapshot,
    StoredEvent,
)
from domain.ids import TenantId

PAGE_EVENTS: Final = 2_000
COLUMNS: LiteralString = (
    "e.position, e.type, e.tags, e.data, e.recorded_at, e.actor, e.correlation_id, e.causation_id"
)

HEAD: LiteralString = "SELECT position FROM log_head WHERE tenant_id = %s"

LOOK: LiteralString = f"""
SELECT {COLUMNS}, (SELECT position FROM log_head WHERE tenant_id = %(tenant)s)
FROM (
    SELECT DISTINCT t.position
    FROM unnest(%(tags)b::text[], %(types)b::text[], %(afters)b::bigint[]) AS b (tag, types, after)
    CROSS JOIN LATERAL (
        SELECT position FROM event_tag AS t
        WHERE t.tenant_id = %(tenant)s AND t.tag = b.tag
          AND t.type = ANY (string_to_array(b.types, chr(31))) AND t.position > b.after
    ) AS t
) AS found
JOIN event AS e ON e.tenant_id = %(tenant)s AND e.position = found.position
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, h.position
FROM log_head AS h WHERE h.tenant_id = %(tenant)s
ORDER BY 1 NULLS FIRST
"""  # noqa: S608 - made of constants.

RESULTS: LiteralString = """
SELECT key, fingerprint, result, base FROM idempotency
WHERE tenant_id = %s AND key = ANY (%s)
"""

READ: LiteralString = f"""
SELECT {COLUMNS} FROM event AS e
WHERE e.tenant_id = %(tenant)s AND e.position > %(after)s
  AND (%(until)s::bigint IS NULL OR e.position <= %(until)s)
"""  # noqa: S608 - made of constants.

MATCHES: LiteralString = """ AND EXISTS (
    SELECT FROM unnest(%(types)s::text[], %(tags)s::text[]) AS q (types, tags)
    WHERE (q.types = '' OR e.type = ANY (string_to_array(q.types, chr(31))))
      AND e.tags @> string_to_array(q.tags, chr(31))
)"""


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
    ) -> Snapshot:
        asked = {
            "tenant": tenant,
            "tags": [b.tag for b in boundaries],
            "types": [SEPARATOR.join(b.types) for b in boundaries],
            "afters": [b.after for b in boundaries],
        }
        async with tenant_transaction(self._pool, tenant) as connection:
            results: list[tuple[Any, ...]] = []
            if keys:
                # Before the events: a key that appears between the two reads is then caught
                # by the append, and not taken for new.
                found = await connection.execute(RESULTS, (tenant, list(keys)))
                results = await found.fetchall()
            rows = await (await connection.execute(LOOK, asked)).fetchall()
        return Snapshot(
            head=rows[0][8] if rows else 0,
            events=tuple(_event(row) for row in rows[1:]),
            results=tuple(
                KeyedResult(key=key, fingerprint=fingerprint, result=result, base=base)
                for key, fingerprint, result, base in results
            ),
        )

    async def read(
        self,
        tenant: TenantId,
        query: Sequence[QueryItem] = (),
        *,
        after: int = 0,
        until: int | None = None,
        limit: int | None = None,
        backwards: bool = False,
    ) -> AsyncIterator[StoredEvent]:
        statement = READ + (MATCHES if query else "") + " ORDER BY e.position"
        statement += " DESC LIMIT %(most)s" if backwards else " LIMIT %(most)s"
        asked: dict[str, Any] = {
            "tenant": tenant,
            "types": [SEPARATOR.join(item.types) for item in query],
            "tags": [SEPARATOR.join(item.tags) for item in query],
        }
        left = limit
        while left is None or left > 0:
            asked |= {
                "after": after,
                "until": until,
                "most": PAGE_EVENTS if left is None else min(left, PAGE_EVENTS),
            }
            async with tenant_transaction(self._pool, tenant) as connection:
                rows = await (await connection.execute(statement, asked)).fetchall()
            for row in rows:
                yield _event(row)
            if len(rows) < asked["most"]:
                return
            left = None if left is None else left - len(rows)
            after, until = (after, rows[-1][0] - 1) if backwards else (rows[-1][0], until)


def _event(row: tuple[Any, ...]) -> StoredEvent:
    return StoredEvent(
        position=row[0],
        type=row[1],
        tags=tuple(row[2]),
        data=row[3],
        recorded_at=row[4],
        actor=row[5],
        correlation_id=row[6],
        causation_id=row[7],
    )
