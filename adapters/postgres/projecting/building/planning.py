"""How far each log can be folded, and into which parts the work falls.

A log goes as far as its head, or to what stops its live rows. A long one is parted by the tags of
its rows, so that all events of a row come together and a part fits into memory.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString

from msgspec import Struct

from adapters.postgres.connections import Connection
from adapters.postgres.models.versions import consumer_of
from adapters.postgres.projecting.building.ledger import Piece
from adapters.postgres.projecting.folding import stored_names
from application import codec
from application.errors import Conflict
from application.moments import check_moment, check_position
from domain.ids import SYSTEM_TENANT, TenantId
from projections.kernel import ReadModel, gathers

PIECE_EVENTS: Final = 25_000
"""About how many events are folded in memory together: their rows take some 100 MB."""

# Where the live rows stand still, the new ones do too; an event of an unknown type stops both.
REACHES: LiteralString = """
SELECT h.tenant_id::text, coalesce(c.position, 0), least(h.position, c.failed_position - 1, (
    SELECT min(e.position) - 1 FROM event AS e
    WHERE e.tenant_id = h.tenant_id AND e.position > coalesce(c.position, 0)
      AND e.type <> ALL (%(known)s)
))
FROM log_head AS h
LEFT JOIN projection_cursor AS c
    ON c.tenant_id = h.tenant_id AND c.projection = %(consumer)s
WHERE h.position > 0 AND (h.tenant_id = %(reserved)s) = %(system)s
  AND (%(tenant)s::uuid IS NULL OR h.tenant_id = %(tenant)s)
ORDER BY h.tenant_id
"""
PAST: LiteralString = """
SELECT h.tenant_id::text, 0, CASE WHEN %(moment)s::timestamptz IS NULL
    THEN least(h.position, %(position)s) ELSE position_at_v1(h.tenant_id, %(moment)s) END
FROM log_head AS h
WHERE h.position > 0 AND (h.tenant_id = %(reserved)s) = %(system)s
  AND (%(tenant)s::uuid IS NULL OR h.tenant_id = %(tenant)s)
ORDER BY h.tenant_id
"""
NOW: LiteralString = "SELECT clock_timestamp()"
HEAD: LiteralString = """
SELECT coalesce((SELECT position FROM log_head WHERE tenant_id = %s), 0)
"""
UNKNOWN: LiteralString = """
SELECT position, type FROM event
WHERE tenant_id = %s AND position <= %s AND type <> ALL (%s) ORDER BY position LIMIT 1
"""
# Tags are read in their order from the index alone; every so many of them a piece begins.
STARTS: LiteralString = """
SELECT n, tag FROM (
    SELECT tag, row_number() OVER (ORDER BY tag) - 1 AS n FROM event_tag
    WHERE tenant_id = %s AND tag >= %s AND tag < %s AND type = ANY (%s) AND position <= %s
) AS t
WHERE n %% %s = 0 ORDER BY n
"""
COUNT: LiteralString = """
SELECT count(*) FROM event_tag
WHERE tenant_id = %s AND tag >= %s AND tag < %s AND type = ANY (%s) AND position <= %s
"""


class Reach(Struct, frozen=True, kw_only=True):
    """How far a log can be folded, and how far its live rows are."""

    tenant: TenantId
    live: int
    until: int


async def reaches(
    clerk: Connection, model: type[ReadModel[Any]], tenant: TenantId | None
) -> list[Reach]:
    """Tell how far each log can be folded by now."""
    known = {"consumer": consumer_of(model), "known": list(codec.event_types())}
    return await _found(clerk, REACHES, model, tenant, known)


async def check_past(clerk: Connection, tenant: TenantId | None, as_of: int | datetime) -> None:
    """See that the logs have come to a moment, or the one of *tenant* to a position.

    Raises:
        Malformed: They have not.

    """
    asked = (HEAD, (tenant,)) if isinstance(as_of, int) else (NOW, ())
    row = await (await clerk.execute(*asked)).fetchone()
    assert row is not None, "A SELECT without FROM has one row."
    if isinstance(as_of, int):
        check_position(as_of, row[0])
    else:
        check_moment(as_of, row[0])


async def past_reaches(
    clerk: Connection,
    model: type[ReadModel[Any]],  # Any: of any row.
    tenant: TenantId | None,
    as_of: int | datetime,
) -> list[Reach]:
    """Tell how far each log was.

    Raises:
        Conflict: It held an event of a type that this version does not know.

    """
    position, moment = (as_of, None) if isinstance(as_of, int) else (None, as_of)
    asked = {"position": position, "moment": moment}
    found = await _found(clerk, PAST, model, tenant, asked)
    for each in found:
        known = (each.tenant, each.until, list(codec.event_types()))
        row = await (await clerk.execute(UNKNOWN, known)).fetchone()
        if row is not None:
            raise Conflict(
                "projections.failed",
                f"Event {row[0]} of {each.tenant} is a {row[1]}, which this version does not know.",
                hint="Use the version that wrote it, or a moment before it.",
            )
    return found


async def _found(
    clerk: Connection,
    statement: LiteralString,
    model: type[ReadModel[Any]],  # Any: of any row.
    tenant: TenantId | None,
    more: dict[str, Any],  # Any: parameters of several types.
) -> list[Reach]:
    asked = {"reserved": SYSTEM_TENANT, "system": model.system, "tenant": tenant, **more}
    rows = await (await clerk.execute(statement, asked)).fetchall()
    return [
        Reach(tenant=TenantId(owner), live=live, until=max(0, until)) for owner, live, until in rows
    ]


async def pieces_of(
    clerk: Connection,
    model: type[ReadModel[Any]],  # Any: of any row.
    reach: Reach,
    piece_events: int,
) -> AsyncIterator[Piece]:
    """Part the work on a log."""
    starts: Sequence[tuple[int, str]] = ()
    events = reach.until
    if reach.until > piece_events and rows_have_tags(model):
        # A colon ends the name in a tag, and the semicolon is the next sign behind it.
        tags = (f"{model.key}:", f"{model.key};", list(stored_names(model)), reach.until)
        row = await (await clerk.execute(COUNT, (reach.tenant, *tags))).fetchone()
        events = row[0] if row else 0
        if events > piece_events:
            found = await clerk.execute(STARTS, (reach.tenant, *tags, piece_events))
            starts = await found.fetchall()
    whole = [(0, None), *_parted(starts)]
    for number, (first, tag) in enumerate(whole):
        following = whole[number + 1] if number + 1 < len(whole) else (events, None)
        yield Piece(
            tenant=reach.tenant,
            number=number,
            tag_from=tag if tag is not None or len(whole) == 1 else "",
            tag_until=following[1],
            weight=following[0] - first,
            position=reach.until,
        )


def rows_have_tags(model: type[ReadModel[Any]]) -> bool:
    """Tell whether each row of *model* is of the events with one tag, named by its key."""
    own = ReadModel.tags.__func__  # type: ignore[attr-defined] # Class methods have one.
    tags = model.tags.__func__  # type: ignore[attr-defined] # As above.
    return not gathers(model) and tags is own


def _parted(starts: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    """Leave out the start of the first piece, and a tag so long that it would begin two."""
    parted: list[tuple[int, str]] = []
    for first, tag in starts[1:]:
        if not parted or parted[-1][1] != tag:
            parted.append((first, tag))
    return parted
