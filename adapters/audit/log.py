"""Verify the log of a tenant where it lies: its chain, its head, its index of tags.

Nothing here trusts the function that appends; all is read as of one moment.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import LiteralString

import psycopg
from msgspec import Struct

from adapters.anchors.mark import Mark
from adapters.audit.chain import Chain, Finding, Problem, Progress, silent
from adapters.audit.recipe import FIRST_LINK
from adapters.audit.rows import read_rows
from adapters.postgres.connections import ACT_AS_APPLICATION, SET_TENANT, unavailable
from adapters.postgres.copied import Connection
from domain.ids import TenantId

HEAD: LiteralString = "SELECT position, hash FROM log_head WHERE tenant_id = %s"
# To join millions without the disk, and on no more than one core: the chain needs the others.
ROOM: LiteralString = """
SET LOCAL work_mem = '128MB';
SET LOCAL max_parallel_workers_per_gather = 0
"""
# A row beyond the head belongs to an event that was appended since, or to none.
WRONG_TAGS: LiteralString = """
SELECT count(*) FILTER (WHERE t.position <= %(head)s), min(coalesce(t.position, 0))
    FILTER (WHERE e.position IS NULL OR (e.type = t.type AND t.tag = ANY (e.tags)) IS NOT TRUE)
FROM event_tag AS t
LEFT JOIN event AS e ON e.tenant_id = t.tenant_id AND e.position = t.position
WHERE t.tenant_id = %(tenant)s
"""
# Only what is unique by no more than these columns can't stand there twice.
KEYED: LiteralString = """
SELECT FROM pg_index AS i
WHERE i.indrelid = 'event_tag'::regclass AND i.indisprimary AND i.indisvalid
  AND NOT EXISTS (
    SELECT FROM unnest(i.indkey) AS k (number)
    JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number
    WHERE a.attname NOT IN ('tenant_id', 'tag', 'type', 'position')
  )
"""
DOUBLED: LiteralString = """
SELECT min(d.position) FROM (
    SELECT position FROM event_tag WHERE tenant_id = %s
    GROUP BY tag, type, position HAVING count(*) > 1
) AS d
"""
MISSING_TAG: LiteralString = """
SELECT min(e.position) FROM event AS e
LEFT JOIN (
    SELECT position, count(*) AS many FROM event_tag WHERE tenant_id = %(tenant)s GROUP BY position
) AS t USING (position)
WHERE e.tenant_id = %(tenant)s AND e.position <= %(head)s
  AND coalesce(t.many, 0) <> cardinality(e.tags)
"""
READ_FURTHEST: LiteralString = """
SELECT projection, position FROM projection_cursor
WHERE tenant_id = %s AND position > %s ORDER BY position DESC LIMIT 1
"""


class Verified(Struct, frozen=True, kw_only=True):
    """What came of recomputing a log. The head is a hash in hex."""

    tenant: str
    events: int
    ok: bool
    first_bad: int | None
    problem: Problem | None
    reason: str | None
    head: str


def verify(
    url: str, tenant: TenantId, on_progress: Progress = silent, mark: Mark | None = None
) -> Verified:
    """Verify the log of *tenant*, by an anchored head too; *on_progress* is told done and in all.

    Raises:
        Unavailable: PostgreSQL does not answer.

    """
    try:
        with reading(url, tenant) as connection:
            return verify_on(connection, tenant, on_progress, partial(_index, url, tenant), mark)
    except psycopg.OperationalError as error:
        raise unavailable(error) from error


@contextmanager
def reading(url: str, tenant: TenantId) -> Iterator[Connection]:
    """Open a transaction that sees the log of *tenant* as of one moment, and changes nothing."""
    with psycopg.connect(url, client_encoding="utf8") as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        connection.execute(ACT_AS_APPLICATION)
        connection.execute(SET_TENANT, (tenant,))
        yield connection


def verify_on(
    connection: Connection,
    tenant: TenantId,
    on_progress: Progress = silent,
    beside: "Callable[[int], Index] | None" = None,
    mark: Mark | None = None,
) -> Verified:
    """Verify within the transaction of *connection*.

    *beside* reads the index up to a head on a connection of its own, at the same time as the
    chain is recomputed. A log only grows, so that later is no other than now.
    """
    head = read_head(connection, tenant)
    total, stated = head or (0, FIRST_LINK)
    chain = Chain(tenant)
    with ThreadPoolExecutor(1) as threads:
        reading_index = threads.submit(beside, total) if beside else None
        rows = read_rows(connection, tenant)
        rows = mark.watch(chain, rows) if mark else rows
        found = chain.follow(rows, lambda done: on_progress(done, total))
        index = reading_index.result() if reading_index else None
    if found is None and head is None and chain.done:
        reason = f"The log has {chain.done} events and no head."
        found = Finding(chain.done, "head", reason)
    found = found or (chain.end(total, stated) if head else None)
    found = found or (mark.compare(chain) if mark else None)
    found = found or _read_past(connection, tenant, chain.done)
    if found is None:
        found = (index or read_index(connection, tenant, total)).compare(connection, chain.tags)
    on_progress(chain.done, chain.done)
    return verified(tenant, chain, stated, found)


def verified(tenant: str, chain: Chain, stated: bytes, found: Finding | None) -> Verified:
    """Say what came of following a chain whose head states a hash."""
    return Verified(
        tenant=tenant,
        events=chain.done,
        ok=found is None,
        first_bad=found.position if found else None,
        problem=found.problem if found else None,
        reason=found.reason if found else None,
        head=stated.hex(),
    )


def read_head(connection: Connection, tenant: TenantId) -> tuple[int, bytes] | None:
    """Return the position and the hash that the head of a log states; None: it has no head."""
    row = connection.execute(HEAD, (tenant,)).fetchone()
    # A hostile hand may have emptied them; then they equal no position and no hash.
    return (row[0] or 0, bytes(row[1] or b"")) if row else None


class Index(Struct, frozen=True, kw_only=True):
    """What the index of tags holds: its rows, and the first that belongs to no event.

    The rows are those up to the head; a row that stands there twice belongs to no event either.
    """

    tenant: TenantId
    head: int
    rows: int
    stray: int | None

    def compare(self, connection: Connection, tags: int) -> Finding | None:
        """Compare with the number of *tags* in the events. No tag stands in one event twice."""
        at = self.stray
        if at is None and self.rows != tags:
            asked = {"tenant": self.tenant, "head": self.head}
            (at,) = connection.execute(MISSING_TAG, asked).fetchone() or (None,)
        if at is None and self.rows == tags:
            return None
        return Finding(
            1 if at is None else at, "index", "The index of tags does not agree with the events."
        )


def read_index(connection: Connection, tenant: TenantId, head: int) -> Index:
    """Compare each row of the index with its event."""
    connection.execute(ROOM)
    asked = {"tenant": tenant, "head": head}
    rows, stray = connection.execute(WRONG_TAGS, asked).fetchone() or (0, None)
    if stray is None and connection.execute(KEYED).fetchone() is None:
        (stray,) = connection.execute(DOUBLED, (tenant,)).fetchone() or (None,)
    return Index(tenant=tenant, head=head, rows=rows, stray=stray)


def _read_past(connection: Connection, tenant: TenantId, done: int) -> Finding | None:
    """Find a projection that has read events which are not there: so they were."""
    row = connection.execute(READ_FURTHEST, (tenant, done)).fetchone()
    if row is None:
        return None
    reason = f"The log ends at {done}, but {row[0]} has read it up to {row[1]}: it was cut off."
    return Finding(done + 1, "truncated", reason)


def _index(url: str, tenant: TenantId, head: int) -> Index:
    with reading(url, tenant) as connection:
        return read_index(connection, tenant, head)
