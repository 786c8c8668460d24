"""Cursors: how far each reader of a log has come. Whoever holds one is the only one to move it."""

from collections.abc import Sequence
from typing import LiteralString

import psycopg
import structlog
from msgspec import Struct

from adapters.postgres.connections import Asked, Connection
from adapters.postgres.projecting.folding import Folded
from adapters.postgres.projecting.news import FoldingFailed
from application.errors import Unavailable
from domain.ids import TenantId

# A rebuild that swaps tables holds this lock alone, for as long as the swap takes.
FENCE: LiteralString = """
SELECT pg_advisory_xact_lock_shared(hashtextextended('projecting:' || name, 0))
FROM unnest(%s::text[]) AS name
"""
CLAIM: LiteralString = """
SELECT projection, position, error, ARRAY(
    SELECT s.position FROM skipped_event AS s
    WHERE s.tenant_id = c.tenant_id AND s.projection = split_part(c.projection, '@', 1)
      AND s.position > c.position
)
FROM projection_cursor AS c
WHERE tenant_id = %s AND projection = ANY (%s)
  AND (failed_position IS NULL OR starts_with(error, 'privacy.')
       OR starts_with(error, 'projection.unknown_event'))
FOR UPDATE SKIP LOCKED
"""
BEGIN: LiteralString = """
INSERT INTO projection_cursor (tenant_id, projection, position)
SELECT %s, name, 0 FROM unnest(%s::text[]) AS name
ON CONFLICT DO NOTHING RETURNING projection
"""
HEAD: LiteralString = "SELECT position FROM log_head WHERE tenant_id = %s"
# A cursor that is not where it was when it was locked has nowhere to go, which its table refuses.
MOVE: LiteralString = """
UPDATE projection_cursor AS c
SET position = CASE WHEN c.position = m.at THEN m.reached END,
    failed_position = m.failed, error = m.error, updated_at = now()
FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[])
    AS m (name, at, reached, failed, error)
WHERE c.tenant_id = %s AND c.projection = m.name
"""
log = structlog.get_logger()


class Cursor(Struct, frozen=True, kw_only=True):
    """A reader's place in a log, locked, with what stopped it there.

    Attributes:
        skipped: What comes and is to be left out, by an operator's decision.

    """

    tenant: TenantId
    name: str
    position: int
    error: str | None
    skipped: frozenset[int] = frozenset()


class Move(Struct, frozen=True, kw_only=True):
    """Where a reader goes on, and why no further.

    Attributes:
        shown: What the operators' log says of it: what the server says of a row may name a person.

    """

    cursor: Cursor
    reached: int
    failed: int | None = None
    error: str | None = None
    shown: str | None = None

    @classmethod
    def of(cls, cursor: Cursor, folded: Folded) -> "Move":
        """Say what came of a batch."""
        failure = folded.failure
        if failure is None:
            return cls(cursor=cursor, reached=folded.position)
        error = _told(failure)
        return cls(
            cursor=cursor,
            reached=folded.position,
            failed=failure.position,
            error=error,
            shown=error,
        )

    @property
    def is_news(self) -> bool:
        return self.reached != self.cursor.position or self.error != self.cursor.error

    def tell(self, tenant: TenantId) -> None:
        """Tell operators that a reader stopped, once."""
        if self.is_news and self.error is not None:
            log.error(
                "projection.failed", projection=self.cursor.name, tenant=tenant, error=self.shown
            )


def stopped_at(cursor: Cursor, error: psycopg.Error | Unavailable) -> Move:
    """Stop a reader where it is: the next batch can't be written, or not be opened.

    What PostgreSQL says of a row may name a person, and what is noted here is seen by many; its
    code says what kind of mistake it was.
    """
    kind = type(error).__name__
    told = f"{kind}: {error}" if isinstance(error, Unavailable) else f"{kind} ({error.sqlstate})"
    code = f"{error.code}: " if isinstance(error, Unavailable) else ""
    return Move(
        cursor=cursor,
        reached=cursor.position,
        failed=cursor.position + 1,
        error=f"{code}After event {cursor.position}: {told}",
        shown=code + kind,
    )


async def claim(
    connection: Connection, tenant: TenantId, names: Sequence[str]
) -> tuple[list[Cursor], int]:
    """Lock the cursors that are free and may go on; return them, and the head."""
    async with connection.pipeline():
        asked = await ask_for_cursors(connection, tenant, names)
    return await claimed_of(connection, tenant, names, asked)


async def ask_for_cursors(
    connection: Connection, tenant: TenantId, names: Sequence[str]
) -> tuple[Asked, Asked]:
    """Send for the cursors and the head; in a pipeline more can be sent for before they come."""
    await connection.execute(FENCE, (list(names),))
    return (
        await connection.execute(CLAIM, (tenant, list(names))),
        await connection.execute(HEAD, (tenant,)),
    )


async def claimed_of(
    connection: Connection, tenant: TenantId, names: Sequence[str], asked: tuple[Asked, Asked]
) -> tuple[list[Cursor], int]:
    """Take the cursors and the head that were sent for; a cursor that is new begins at 0."""
    claimed, found = asked
    rows = await claimed.fetchall()
    (head,) = await found.fetchone() or (0,)
    again = (tenant, list(names))
    if len(rows) < len(names) and await (await connection.execute(BEGIN, again)).fetchall():
        rows = await (await connection.execute(CLAIM, again)).fetchall()
    return [
        Cursor(tenant=tenant, name=name, position=at, error=error, skipped=frozenset(skipped))
        for name, at, error, skipped in rows
    ], head


async def move(connection: Connection, tenant: TenantId, moves: Sequence[Move]) -> bool:
    """Write how far readers came, and why no further; tell whether one went on.

    Raises:
        NotNullViolation: A cursor is not where it was when it was locked.

    """
    news = [each for each in moves if each.is_news]
    if not news:
        return False
    columns = (
        [each.cursor.name for each in news],
        [each.cursor.position for each in news],
        [each.reached for each in news],
        [each.failed for each in news],
        [each.error for each in news],
    )
    await connection.execute(MOVE, (*columns, tenant))
    return any(each.reached > each.cursor.position for each in news)


def _told(failure: FoldingFailed) -> str:
    return f"{failure.code}: {failure}" if failure.code else str(failure)
