"""What the demo proves on the database itself: a change is found out, a rebuild is equal."""

import asyncio
from hashlib import sha256
from typing import LiteralString

import psycopg
from msgspec import Struct
from psycopg import sql

from adapters.audit.log import Verified, verify, verify_on
from adapters.postgres.connections import ACT_AS_APPLICATION, SET_TENANT, tenant_transaction
from adapters.postgres.models.versions import serving_table
from adapters.runtime import Runtime
from domain.ids import TenantId
from projections.invoices import Invoices

DRAFT: LiteralString = """
SELECT position, data FROM event WHERE tenant_id = %s AND type = 'InvoiceDrafted'
ORDER BY position LIMIT 1
"""
WRITE: LiteralString = "UPDATE event SET data = %s WHERE tenant_id = %s AND position = %s"
ROWS: LiteralString = "SELECT i::text FROM {} AS i WHERE tenant_id = %s ORDER BY invoice"


class Tampered(Struct, frozen=True, kw_only=True):
    """The event that was changed, what was found then, and what after it was put back."""

    position: int
    found: Verified
    after: Verified


async def tamper(runtime: Runtime, tenant: TenantId) -> Tampered:
    """Make a price of a draft a cent higher in the database itself, verify, and take it back.

    Nobody else ever sees it: it is done in a transaction that is rolled back.
    """
    url, admin_url = runtime.settings.database_url or "", runtime.settings.owner_url

    def prove() -> Tampered:
        with psycopg.connect(admin_url, client_encoding="utf8") as connection:
            connection.execute(SET_TENANT, (tenant,))
            row = connection.execute(DRAFT, (tenant,)).fetchone()
            assert row is not None, "The demo has issued what it drafted."
            position, data = row
            dearer = data.replace("1.50", "1.51", 1)
            connection.execute(WRITE, (dearer, tenant, position))
            connection.execute(ACT_AS_APPLICATION)
            found = verify_on(connection, tenant)
            connection.rollback()
        return Tampered(position=position, found=found, after=verify(url, tenant))

    return await asyncio.to_thread(prove)


async def checksum(runtime: Runtime, tenant: TenantId) -> tuple[int, str]:
    """Return how many invoices a tenant has, and the SHA-256 over all their columns."""
    digest, rows = sha256(), 0
    table = sql.Identifier(await serving_table(runtime.pool, Invoices))
    async with tenant_transaction(runtime.pool, tenant) as connection:
        async for (text,) in await connection.execute(sql.SQL(ROWS).format(table), (tenant,)):
            digest.update(text.encode())
            rows += 1
    return rows, digest.hexdigest()
