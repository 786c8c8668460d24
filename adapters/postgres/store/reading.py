"""Streams of events, a page at a time: by position, or by the tags they carry.

A page by tags follows each (tag, type) in the index of tags, which has them by position, so that
reading one tag costs what it holds, however long the log. Positions have no gap and are committed
in their order; so a page that starts after the last position of the one before misses nothing
that is appended meanwhile.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, LiteralString, TypeAlias

from msgspec import Struct

from adapters.postgres.connections import Pool, tenant_transaction
from adapters.postgres.packed import SEPARATOR
from application.ports import QueryItem, StoredEvent
from domain.ids import TenantId

PAGE_EVENTS_FIRST: Final = 500
PAGE_EVENTS_MAX: Final = 5_000
PAGE_BYTES: Final = 4_000_000
"""What a page may weigh before its last event, so that large ones stream as well: one may have as
much as PostgreSQL takes for a text, 1 GB."""

POSITION_MAX: Final = 2**63 - 1
COUNTED_MAX: Final = 10_000
"""Rows of a tag that are counted to find the rarest of some tags. Past it, any will do."""

COLUMNS: LiteralString = (
    "e.position, e.type, e.tags, e.data, e.recorded_at, e.actor, e.correlation_id, e.causation_id"
)
ALL: LiteralString = f"""
SELECT {COLUMNS} FROM event AS e
WHERE e.tenant_id = %(tenant)s AND e.position > %(after)s AND e.position <= %(until)s
ORDER BY e.position {{order}} LIMIT %(most)s
"""  # noqa: S608 - made of constants.

# Where an item has no tag, its events may be anywhere; those of the others are looked for as well.
BY_TYPE: LiteralString = f"""
SELECT {COLUMNS} FROM event AS e
WHERE e.tenant_id = %(tenant)s AND e.position > %(after)s AND e.position <= %(until)s
  AND (e.type = ANY (%(anywhere)s) OR (cardinality(%(tags)s::text[]) > 0 AND EXISTS (
    SELECT FROM unnest(%(tags)s::text[], %(types)s::text[]) AS i (tags, types)
    WHERE (i.types = '' OR e.type = ANY (string_to_array(i.types, chr(31))))
      AND e.tags @> string_to_array(i.tags, chr(31))
  )))
ORDER BY e.position {{order}} LIMIT %(most)s
"""  # noqa: S608 - made of constants.

# The types of a tag, where an item names none, are found by leaping from one to the next in
# the index. The other tags of an item are looked up in the event itself.
BY_TAG: LiteralString = f"""
SELECT {COLUMNS} FROM event AS e
WHERE e.tenant_id = %(tenant)s AND e.position = ANY (ARRAY(
    SELECT DISTINCT t.position
    FROM unnest(%(tags)s::text[], %(rests)s::text[], %(types)s::text[])
         AS i (tag, rest, types)
    CROSS JOIN LATERAL (
        SELECT unnest(string_to_array(i.types, chr(31))) AS type
        UNION
        SELECT * FROM (
            WITH RECURSIVE leap (type) AS (
                (SELECT t.type FROM event_tag AS t
                 WHERE t.tenant_id = %(tenant)s AND t.tag = i.tag AND i.types = ''
                 ORDER BY t.type LIMIT 1)
                UNION ALL
                SELECT (SELECT t.type FROM event_tag AS t
                        WHERE t.tenant_id = %(tenant)s AND t.tag = i.tag AND t.type > leap.type
                        ORDER BY t.type LIMIT 1)
                FROM leap WHERE leap.type IS NOT NULL
            ) SELECT leap.type FROM leap WHERE leap.type IS NOT NULL
        ) AS leapt
    ) AS of
    CROSS JOIN LATERAL (
        SELECT t.position FROM event_tag AS t
        WHERE t.tenant_id = %(tenant)s AND t.tag = i.tag AND t.type = of.type
          AND t.position > %(after)s AND t.position <= %(until)s
          AND (i.rest = '' OR (
              SELECT e.tags @> string_to_array(i.rest, chr(31)) FROM event AS e
              WHERE e.tenant_id = %(tenant)s AND e.position = t.position
          ))
        ORDER BY t.position {{order}} LIMIT %(most)s
    ) AS t
    ORDER BY t.position {{order}} LIMIT %(most)s
))
ORDER BY e.position {{order}}
"""  # noqa: S608 - made of constants.

# A length is known without the text, so that what is left for the next page is not even read.
WEIGHED: LiteralString = """
SELECT * FROM (
    SELECT page.*, sum(octet_length(page.data)) OVER (
        ORDER BY page.position {order} ROWS UNBOUNDED PRECEDING
    ) AS weight
    FROM ({page}) AS page
) AS weighed
WHERE weight - octet_length(data) < %(bytes)s
ORDER BY position {order}
"""

Row: TypeAlias = tuple[Any, ...]  # Any: columns of several types.
Plan: TypeAlias = tuple[LiteralString, dict[str, Any]]  # Any: parameters of several types.

# Counts no further than it takes to tell a rare tag from one that is everywhere.
RARITY: LiteralString = """
SELECT i.tag, (
    SELECT count(*) FROM (
        SELECT FROM event_tag AS t WHERE t.tenant_id = %(tenant)s AND t.tag = i.tag LIMIT %(most)s
    ) AS counted
)
FROM unnest(%(tags)s::text[]) AS i (tag)
"""


class Span(Struct, frozen=True, kw_only=True):
    """Which part of what matches is wanted, and from which end."""

    after: int = 0
    until: int | None = None
    limit: int | None = None
    backwards: bool = False


async def read(
    pool: Pool, tenant: TenantId, query: Sequence[QueryItem], span: Span
) -> AsyncIterator[StoredEvent]:
    """Stream the events that match any item (no items: all)."""
    statement, asked = await _plan(pool, tenant, query)
    order: LiteralString = "DESC" if span.backwards else ""
    statement = WEIGHED.format(page=statement.format(order=order), order=order)
    after, left = span.after, span.limit
    until = POSITION_MAX if span.until is None else span.until
    page = PAGE_EVENTS_FIRST
    while left is None or left > 0:
        most = page if left is None else min(left, page)
        asked |= {"after": after, "until": until, "most": most, "bytes": PAGE_BYTES}
        async with tenant_transaction(pool, tenant) as connection:
            rows = await (await connection.execute(statement, asked, binary=True)).fetchall()
        for row in rows:
            yield event_of(row)
        if len(rows) < most and (not rows or rows[-1][-1] < PAGE_BYTES):
            return
        left = None if left is None else left - len(rows)
        after, until = (after, rows[-1][0] - 1) if span.backwards else (rows[-1][0], until)
        page = _next_page(rows)


def _next_page(rows: Sequence[Row]) -> int:
    """Size a page by what the events of the one before weighed."""
    mean: int = max(1, rows[-1][-1] // len(rows))
    return max(1, min(PAGE_EVENTS_MAX, PAGE_BYTES // mean))


def event_of(row: Row) -> StoredEvent:
    """Make an event of the columns that every statement about events begins with."""
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


async def _plan(pool: Pool, tenant: TenantId, query: Sequence[QueryItem]) -> Plan:
    """Go by tag where every item has one, and by the rarest where it has several."""
    if not query or any(not item.tags and not item.types for item in query):
        return ALL, {"tenant": tenant}
    tagged = [item for item in query if item.tags]
    asked: dict[str, Any] = {
        "tenant": tenant,
        "types": [SEPARATOR.join(item.types) for item in tagged],
    }
    if len(tagged) < len(query):
        asked["anywhere"] = [name for item in query if not item.tags for name in item.types]
        asked["tags"] = [SEPARATOR.join(item.tags) for item in tagged]
        return BY_TYPE, asked
    shared = {tag for item in tagged if len(item.tags) > 1 for tag in item.tags}
    held = await _rarity(pool, tenant, shared) if shared else {}
    ordered = [sorted(item.tags, key=lambda tag: held.get(tag, 0)) for item in tagged]
    asked["tags"] = [tags[0] for tags in ordered]
    asked["rests"] = [SEPARATOR.join(tags[1:]) for tags in ordered]
    return BY_TAG, asked


async def _rarity(pool: Pool, tenant: TenantId, tags: set[str]) -> dict[str, int]:
    asked = {"tenant": tenant, "tags": sorted(tags), "most": COUNTED_MAX}
    async with tenant_transaction(pool, tenant) as connection:
        return dict(await (await connection.execute(RARITY, asked)).fetchall())
