"""Logs that a rebuild did not go through: it ends where the live rows stand still.

What is told is what is so now: once the event is skipped, or folded, its log stands still no more.
"""

from typing import LiteralString

from msgspec import Struct

from adapters.postgres.connections import Connection
from adapters.postgres.models.versions import consumer_of
from adapters.postgres.projecting.building.booking import model_named
from adapters.postgres.projecting.news import UNKNOWN_EVENT
from application import codec
from domain.ids import TenantId

# Nobody may have come to an event of an unknown type yet who would have noted it.
STOOD_STILL: LiteralString = """
SELECT p.tenant_id::text, p.position + 1, coalesce(
    c.error, format('%%s: Event %%s is a %%s, which this version does not know.',
                    %(unknown)s::text, e.position, e.type)
)
FROM rebuild_piece AS p
JOIN rebuild AS r ON r.id = p.rebuild AND r.as_of IS NULL
JOIN event AS e ON e.tenant_id = p.tenant_id AND e.position = p.position + 1
LEFT JOIN projection_cursor AS c
    ON c.tenant_id = p.tenant_id AND c.projection = %(consumer)s
    AND c.failed_position = p.position + 1
WHERE p.rebuild = %(rebuild)s AND p.piece = 0
  AND (c.failed_position IS NOT NULL OR e.type <> ALL (%(known)s))
ORDER BY p.tenant_id
"""


class StoodStill(Struct, frozen=True, kw_only=True):
    """An event at which a log is at its end for a read model, and why."""

    tenant: TenantId
    position: int
    error: str


async def stood_still(clerk: Connection, name: str, rebuild: int) -> tuple[StoodStill, ...]:
    """Name the logs that a rebuild of the read model *name* did not go through."""
    asked = {
        "rebuild": rebuild,
        "consumer": consumer_of(model_named(name)),
        "known": list(codec.event_types()),
        "unknown": UNKNOWN_EVENT,
    }
    found = await (await clerk.execute(STOOD_STILL, asked)).fetchall()
    return tuple(
        StoodStill(tenant=TenantId(tenant), position=position, error=error)
        for tenant, position, error in found
    )
