"""What was left out of projections for ever: events that an operator let them go past.

Whatever folds the rows of a projection asks here what to leave out.
"""

from typing import LiteralString

from adapters.postgres.connections import Connection
from domain.ids import TenantId

SKIPPED: LiteralString = """
SELECT position FROM skipped_event WHERE tenant_id = %s AND projection = %s
"""
SKIPPED_BY_TENANT: LiteralString = """
SELECT tenant_id::text, array_agg(position) FROM skipped_event WHERE projection = %s GROUP BY 1
"""


async def skipped_positions(connection: Connection, tenant: TenantId, name: str) -> frozenset[int]:
    """Name the events that are left out of a projection, whatever its version.

    *name* is that of the read model, or of another reader of the log. The transaction is of
    *tenant*.
    """
    found = await connection.execute(SKIPPED, (tenant, name))
    return frozenset(position for (position,) in await found.fetchall())
