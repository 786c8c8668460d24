"""Cursors: how far each reader of a log has come. Whoever holds one is the only one to move it."""

from collections.abc import Collection, Sequence
from typing import Final, LiteralString

import psycopg
import structlog
from msgspec import Struct

from adapters.postgres.connections import Asked, Connection
from adapters.postgres.projecting.folding import Folded
from adapters.postgres.projecting.news import FORGETTING, FoldingFailed, Records
from application.codec import event_types
from application.errors import Unavailable
from domain.ids import TenantId

# Fence, cursors, head, and what came since: a rebuild that swaps tables holds the fence alone.
TAKE: LiteralString = """
SELECT kind, name, at, told, skipped FROM take_news_v1(%s, %s, %s, %s, %s, %s)
"""
BEGIN: LiteralString = """
INSERT INTO projection_cursor (tenant_id, projection, position)
SELECT %s, name, 0 FROM unnest(%s::text[]) AS name
ON CONFLICT DO NOTHING RETURNING projection
"""
# A cursor that is not where it was when it was locked has nowhere to go, which its table refuses.
MOVE: LiteralString = """
UPDATE projection_cursor AS c
SET position = CASE WHEN c.position = m.at THEN m.reached END,
    failed_position = m.failed, error = m.error, updated_at = now()
FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[])
    AS m (name, at, reached, failed, error)
WHERE c.tenant_id = %s AND c.projection = m.name
"""
CURSOR: Final = "cursor"
HEAD: Final = "head"
EVENT: Final = "event"
ALONG_MAX: Final = 100
"""Events that come along with the cursors; more are better read by themselves."""

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


class Claimed(Struct, frozen=True, kw_only=True):
    """The cursors that were had, the head of the log, and the events that came along.

    Attributes:
        records: All that are new behind the position that was seen; None: there are more.

    """

    cursors: list[Cursor]
    head: int
    records: Records | None


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
    asked = await ask_for_cursors(connection, tenant, names)
    claimed = await claimed_of(connection, tenant, names, asked)
    return claimed.cursors, claimed.head


async def ask_for_cursors(
    connection: Connection,
    tenant: TenantId,
    names: Sequence[str],
    *,
    seen: int | None = None,
    types: Collection[str] = (),
) -> Asked:
    """Send for the cursors, the head, and the first events of *types* behind the position *seen*.

    The transaction shows the rows of *tenant* from here on, and does not wait for the disk.
    """
    known = list(event_types())
    given = (tenant, list(names), seen, [*{*types, FORGETTING}], known, ALONG_MAX)
    return await connection.execute(TAKE, given)


async def claimed_of(
    connection: Connection, tenant: TenantId, names: Sequence[str], asked: Asked
) -> Claimed:
    """Take what was sent for; a cursor that is new begins at 0."""
    found = await asked.fetchall()
    # The head is read before the events, so that these are all there are up to it.
    head = next((at for kind, _, at, *_ in found if kind == HEAD), 0)
    records = [(at, name, data) for kind, name, at, data, _ in found if kind == EVENT]
    if sum(kind == CURSOR for kind, *_ in found) < len(names):
        begun = await connection.execute(BEGIN, (tenant, list(names)))
        if await begun.fetchall():
            found = await (await ask_for_cursors(connection, tenant, names)).fetchall()
    cursors = [
        Cursor(tenant=tenant, name=name, position=at, error=error, skipped=frozenset(skipped))
        for kind, name, at, error, skipped in found
        if kind == CURSOR
    ]
    return Claimed(
        cursors=cursors, head=head, records=records if len(records) < ALONG_MAX else None
    )


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
