"""The last use of each key: noted by the minute, and written by and by, many at once.

Nobody waits for it, and what can't be written is written with a later use.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Final, LiteralString

import structlog
from msgspec import Meta, Struct

from adapters.postgres.connections import Pool, tenant_transaction
from application.codec import check_tag
from application.errors import ApplicationError
from domain.access import KeyId, KeySecretId
from domain.ids import TenantId

GATHER_SECONDS: Final = 1.0
KNOWN_MAX: Final = 10_000
USES_MAX: Final = 1_000
"""Keys whose last use is told at once."""

WRITE: LiteralString = """
INSERT INTO api_key_use AS u (tenant_id, key, used_at, address, secret_id)
VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (tenant_id, key) DO UPDATE
SET used_at = excluded.used_at, address = excluded.address, secret_id = excluded.secret_id
WHERE u.used_at < excluded.used_at
"""
READ: LiteralString = """
SELECT key, used_at, address, secret_id FROM api_key_use
WHERE tenant_id = %s AND key > %s ORDER BY key LIMIT %s
"""
log = structlog.get_logger()


class KeyUse(Struct, frozen=True, kw_only=True):
    """When a key was used last, from where, and by which of its secrets."""

    key: KeyId
    used_at: Annotated[datetime, Meta(description="To the minute.")]
    address: str
    secret_id: KeySecretId | None


class KeyUses:
    """Knows of which uses this process took note lately."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._known: OrderedDict[tuple[TenantId, KeyId], datetime] = OrderedDict()
        self._waiting: dict[tuple[TenantId, KeyId], KeyUse] = {}
        self._writing: asyncio.Task[None] | None = None

    def note(
        self,
        tenant: TenantId,
        key: KeyId,
        *,
        at: datetime,
        address: str,
        secret_id: KeySecretId | None,
    ) -> None:
        """Note a use, once a minute for each key."""
        minute = at.replace(second=0, microsecond=0)
        if self._known.get((tenant, key)) == minute:
            return
        self._known[tenant, key] = minute
        self._known.move_to_end((tenant, key))
        while len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)
        self._waiting[tenant, key] = KeyUse(
            key=key, used_at=minute, address=address, secret_id=secret_id
        )
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_soon())

    async def write(self) -> None:
        """Write what was noted."""
        waiting, self._waiting = self._waiting, {}
        by_tenant: dict[TenantId, list[KeyUse]] = {}
        for (tenant, _), use in waiting.items():
            by_tenant.setdefault(tenant, []).append(use)
        for tenant, uses in by_tenant.items():
            try:
                await self._write(tenant, uses)
            except ApplicationError as error:
                log.warning("key_uses.not_written", keys=len(uses), code=error.code)

    async def _write_soon(self) -> None:
        while self._waiting:
            await asyncio.sleep(GATHER_SECONDS)
            await self.write()

    async def _write(self, tenant: TenantId, uses: Iterable[KeyUse]) -> None:
        rows = [(tenant, e.key, e.used_at, e.address, e.secret_id) for e in uses]
        # Lost, it is written again with the next use.
        async with tenant_transaction(self._pool, tenant, derived=True) as connection:
            await connection.cursor().executemany(WRITE, rows)


async def list_uses(
    pool: Pool, tenant: TenantId, *, after: str = "", limit: int = USES_MAX
) -> list[KeyUse]:
    """List the last uses of the keys of a tenant, in the order of the keys.

    Raises:
        Malformed: *after* can't be the id of a key.

    """
    check_tag(f"key:{after}")
    async with tenant_transaction(pool, tenant) as connection:
        found = await connection.execute(READ, (tenant, after, limit))
        return [
            KeyUse(key=key, used_at=used_at, address=address, secret_id=secret_id)
            for key, used_at, address, secret_id in await found.fetchall()
        ]
