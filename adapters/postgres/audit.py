"""Recompute a log's hash chain with code of our own, from the recipe in docs/audit.md.

Nothing here trusts the server's function: the envelope is built again from the columns, and
positions, tags and the head are checked too.
"""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, LiteralString

import psycopg
from msgspec import Struct

from adapters.postgres.connections import ACT_AS_APPLICATION, SET_TENANT, unavailable
from domain.ids import TenantId

FIRST_LINK: Final = bytes(32)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
PAGE_EVENTS: Final = 5_000

HEAD: LiteralString = "SELECT position, hash FROM log_head WHERE tenant_id = %s"
EVENTS: LiteralString = """
SELECT position, type, tags, recorded_at, actor, correlation_id, causation_id, data, hash
FROM event WHERE tenant_id = %s ORDER BY position
"""
TAGS: LiteralString = """
SELECT min(position) FROM (
    (SELECT t.tag, t.type, t.position FROM event_tag AS t WHERE t.tenant_id = %(tenant)s
     EXCEPT
     SELECT unnest(e.tags), e.type, e.position FROM event AS e WHERE e.tenant_id = %(tenant)s)
    UNION ALL
    (SELECT unnest(e.tags), e.type, e.position FROM event AS e WHERE e.tenant_id = %(tenant)s
     EXCEPT
     SELECT t.tag, t.type, t.position FROM event_tag AS t WHERE t.tenant_id = %(tenant)s)
) AS different
"""


class Verified(Struct, frozen=True, kw_only=True):
    """What came of recomputing a log. The head is a hash in hex."""

    tenant: str
    events: int
    ok: bool
    first_bad: int | None
    reason: str | None
    head: str


def verify(
    url: str, tenant: TenantId, on_progress: Callable[[int, int], None] = lambda _done, _total: None
) -> Verified:
    """Recompute the chain of *tenant*; *on_progress* is told events done and in all.

    Raises:
        Unavailable: PostgreSQL does not answer.

    """
    try:
        with psycopg.connect(url) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.execute(ACT_AS_APPLICATION)
            connection.execute(SET_TENANT, (tenant,))
            return _verify(connection, tenant, on_progress)
    except psycopg.OperationalError as error:
        raise unavailable(error) from error


def _verify(
    connection: psycopg.Connection[tuple[Any, ...]],  # Any: rows of several shapes.
    tenant: TenantId,
    on_progress: Callable[[int, int], None],
) -> Verified:
    head = connection.execute(HEAD, (tenant,)).fetchone() or (0, FIRST_LINK)
    link, done = FIRST_LINK, 0

    def result(bad: int | None, reason: str | None) -> Verified:
        return Verified(
            tenant=tenant,
            events=done,
            ok=bad is None,
            first_bad=bad,
            reason=reason,
            head=bytes(head[1]).hex(),
        )

    with connection.cursor(name="verify") as cursor:
        cursor.itersize = PAGE_EVENTS
        cursor.execute(EVENTS, (tenant,))
        for record in cursor:
            if record[0] != done + 1:
                return result(done + 1, f"Event {done + 1} is missing: {record[0]} follows.")
            link = hashlib.sha256(link + envelope(tenant, record[:8])).digest()
            if link != record[8]:
                return result(record[0], "The hash of this event is not the one of its content.")
            done += 1
            if done % PAGE_EVENTS == 0:
                on_progress(done, head[0])
    if done != head[0]:
        return result(done + 1, f"The head is at {head[0]}, and the log ends at {done}.")
    if link != head[1]:
        return result(done, "The head's hash is not that of the last event.")
    stray = connection.execute(TAGS, {"tenant": tenant}).fetchone()
    if stray is not None and stray[0] is not None:
        return result(stray[0], "The index of tags does not agree with the events.")
    on_progress(done, done)
    return result(None, None)


def envelope(tenant: str, record: tuple[Any, ...]) -> bytes:
    """Write an event as it enters the hash: each field led by its length in bytes and a colon.

    *record* is position, type, tags, recorded_at, actor, correlation, causation, data.
    """
    position, kind, tags, recorded_at, actor, correlation, causation, data = record
    elapsed = recorded_at - EPOCH
    micros = (elapsed.days * 86_400 + elapsed.seconds) * 1_000_000 + elapsed.microseconds
    fields = (
        tenant,
        str(position),
        kind,
        "\x1f".join(tags),
        str(micros),
        actor,
        correlation,
        causation,
        data,
    )
    encoded = [field.encode() for field in fields]
    return b"".join(b"%d:%b" % (len(field), field) for field in encoded)
