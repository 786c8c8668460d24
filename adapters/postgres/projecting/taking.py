"""What comes next in a log for a consumer that is no read model: the events of its kinds."""

from collections.abc import Iterable, Sequence
from typing import Final, LiteralString, TypeAlias

from msgspec import Struct

from adapters.postgres.connections import Connection
from domain.ids import TenantId

BATCH: Final = 500
NEXT: LiteralString = """
SELECT position, type, data, correlation_id FROM event
WHERE tenant_id = %s AND position > %s AND position <= %s AND type = ANY (%s)
ORDER BY position LIMIT %s
"""
Record: TypeAlias = tuple[int, str, str, str]
"""An event as it is stored: position, type, data and the id of what it belongs to."""


class Taken(Struct, frozen=True):
    """Events in their order, and how far the log was looked through for them."""

    records: Sequence[Record]
    reached: int


async def take(
    connection: Connection,
    tenant: TenantId,
    types: Iterable[str],
    *,
    after: int,
    head: int,
    most: int = BATCH,
) -> Taken:
    """Read the next events of *types* behind *after*, up to *head*."""
    asked = (tenant, after, head, list(types), most)
    records: Sequence[Record] = await (await connection.execute(NEXT, asked)).fetchall()
    return Taken(records, records[-1][0] if len(records) == most else head)
