"""What the demo proves on the database itself: a change is found out, a rebuild is equal."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Final, LiteralString

import psycopg
from psycopg import sql

from adapters.audit.log import Verified, verify
from adapters.cli.session import find_tenant, operator
from adapters.postgres.connections import SET_TENANT, tenant_transaction
from adapters.postgres.models.versions import serving_table
from adapters.runtime import Runtime
from application.errors import NotFound
from application.kernel import build
from domain.ids import SYSTEM_TENANT, TenantId
from domain.invoicing import DraftInvoice
from domain.tenants import CreateTenant
from projections.invoices import Invoices

SLUG: Final = "demo-tamper"
DRAFTS: Final = 5
TAMPERED: Final = 3

READ: LiteralString = "SELECT data FROM event WHERE tenant_id = %s AND position = %s"
WRITE: LiteralString = "UPDATE event SET data = %s WHERE tenant_id = %s AND position = %s"
ROWS: LiteralString = "SELECT i::text FROM {} AS i WHERE tenant_id = %s ORDER BY invoice"


async def tamper(runtime: Runtime) -> tuple[Verified, Verified]:
    """Change a byte of an event behind the back of a scratch tenant, verify, and put it back.

    Returns what was found while the byte was changed, and after it was put back.
    """
    tenant = await _scratch_tenant(runtime)
    url, admin_url = runtime.settings.database_url or "", runtime.settings.owner_url

    def prove() -> tuple[Verified, Verified]:
        with _changed(admin_url, tenant):
            found = verify(url, tenant)
        return found, verify(url, tenant)

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


async def _scratch_tenant(runtime: Runtime) -> TenantId:
    try:
        return await find_tenant(runtime, SLUG)
    except NotFound:
        given = {"slug": SLUG, "name": "Demo, to be tampered with", "country": "ES"}
        command = build(CreateTenant, given, runtime.clock)
        await runtime.bus.execute(command, operator(SYSTEM_TENANT))
    tenant = await find_tenant(runtime, SLUG)
    line = {"description": "Bolt", "quantity": "2", "unit_price": "1.50"}
    for _ in range(DRAFTS):
        draft = build(DraftInvoice, {"lines": [line]}, runtime.clock)
        await runtime.bus.execute(draft, operator(tenant))
    return tenant


@contextmanager
def _changed(admin_url: str, tenant: TenantId) -> Iterator[None]:
    """Make a price of one event a cent higher for the block, as the owner of the table can."""
    with psycopg.connect(admin_url, autocommit=True) as connection:

        def write(data: str) -> None:
            with connection.transaction():
                connection.execute(SET_TENANT, (tenant,))
                connection.execute(WRITE, (data, tenant, TAMPERED))

        with connection.transaction():
            connection.execute(SET_TENANT, (tenant,))
            row = connection.execute(READ, (tenant, TAMPERED)).fetchone()
            original: str = row[0] if row else ""
        write(original.replace("1.50", "1.51", 1))
        try:
            yield
        finally:
            write(original)
