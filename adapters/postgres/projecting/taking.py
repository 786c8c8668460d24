"""What comes next in a log for a consumer that is no read model: the events of its kinds."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, LiteralString, TypeAlias

from msgspec import Struct

from adapters.postgres.connections import Connection
from adapters.postgres.projecting.folding import Folded
from application.codec import decode_data
from domain.ids import TenantId
from domain.kernel import Event

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


async def follow(
    connection: Connection,
    tenant: TenantId,
    types: Iterable[str],
    act: Callable[[Event, int], Awaitable[None]],
    *,
    after: int,
    head: int,
) -> Folded:
    """Do *act* for each of the next events of *types*, in order, with its position."""
    taken = await take(connection, tenant, types, after=after, head=head)
    for position, kind, data, _ in taken.records:
        await act(decode_data(kind, data, position), position)
    return Folded(position=taken.reached, events=len(taken.records))


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
