"""The heads of all logs at one moment, as an anchor signs them."""

from typing import LiteralString

from adapters.postgres.connections import Pool, tenant_transaction
from application.anchors import Head
from domain.ids import SYSTEM_TENANT

# One statement: every head is of the same snapshot.
HEADS: LiteralString = """
SELECT tenant_id::text, position, encode(hash, 'hex') FROM anchor_heads_v1()
"""


class PostgresHeads:
    """Implements ``application.anchors.Heads``."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def read(self) -> list[Head]:
        async with tenant_transaction(self._pool, SYSTEM_TENANT) as connection:
            records = await (await connection.execute(HEADS)).fetchall()
        return [Head(tenant=tenant, position=at, hash=link) for tenant, at, link in records]
