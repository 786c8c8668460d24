"""The key of a tenant that seals its credentials: made once, wrapped where it lies, lent a while.

It is wrapped by a master key of the keyring, or by a transit engine where settings name one. Who
rotates the master key wraps these keys anew, and no secret.
"""

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import Final, LiteralString
from uuid import uuid4

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Struct

from adapters.credentials.wrapping import Wrapping
from adapters.keyring import KEY_BYTES
from adapters.postgres.connections import Pool, tenant_transaction
from domain.ids import SYSTEM_TENANT, TenantId

KEPT_SECONDS: Final = 300.0
"""How long a process goes on with a key, once what wrapped it says no."""

KEPT_MAX: Final = 1_000
FINGERPRINT_SIGNS: Final = 16
WRAPPED_TOGETHER: Final = 200
NOBODY: Final = SYSTEM_TENANT

FIND: LiteralString = """
SELECT key_id::text, wrapped, master FROM credential_key WHERE tenant_id = %s
"""
MAKE: LiteralString = """
INSERT INTO credential_key (tenant_id, key_id, wrapped, master) VALUES (%s, %s, %s, %s)
ON CONFLICT DO NOTHING
"""
TO_WRAP: LiteralString = """
SELECT tenant_id::text, key_id::text, wrapped, master FROM credential_keys_to_wrap_v1(%s, %s, %s)
"""
# Only what is still as it was read: meanwhile the tenant may have gone.
WRAP: LiteralString = """
UPDATE credential_key SET wrapped = %s, master = %s
WHERE tenant_id = %s AND key_id = %s AND wrapped = %s
"""


class DataKey(Struct, frozen=True):
    """The key of a tenant, as its uses need it: one of its own for each."""

    id: str
    seals: AESGCM
    tokens: AESGCM
    fingerprints: bytes

    def __repr__(self) -> str:
        return f"DataKey({self.id!r})"

    def fingerprint(self, secret: str) -> str:
        """Return what stands for a secret where it must be compared but not tried."""
        return hmac.digest(self.fingerprints, secret.encode(), "sha256").hex()[:FINGERPRINT_SIGNS]


class DataKeys:
    """Lends the keys of tenants, and makes the first of each."""

    def __init__(self, pool: Pool, wrapping: Wrapping) -> None:
        self._pool = pool
        self._wrapping = wrapping
        self._kept: OrderedDict[TenantId, tuple[float, DataKey]] = OrderedDict()

    async def find(self, tenant: TenantId, key_id: str | None = None) -> DataKey:
        """Return the key of *tenant*; with *key_id* one that is kept only where it is that one.

        Raises:
            Unavailable: PostgreSQL, or what wrapped the key, is away or is another.

        """
        until, kept = self._kept.get(tenant, (0.0, None))
        if kept is not None and monotonic() < until and key_id in {None, kept.id}:
            return kept
        key = await self._find(tenant)
        self._kept[tenant] = monotonic() + KEPT_SECONDS, key
        self._kept.move_to_end(tenant)
        while len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
        return key

    def forget(self, tenant: TenantId) -> None:
        """Look for the key again when it is next asked for."""
        self._kept.pop(tenant, None)

    async def _find(self, tenant: TenantId) -> DataKey:
        row = await self._row(tenant)
        if row is None:
            made = str(uuid4())
            # No connection is held while a server elsewhere wraps it.
            master, wrapped = await self._wrapping.wrap(
                secrets.token_bytes(KEY_BYTES), binding_of(tenant, made)
            )
            async with tenant_transaction(self._pool, tenant) as connection:
                await connection.execute(MAKE, (tenant, made, wrapped, master))
            row = await self._row(tenant)
        assert row is not None, "It was made, by us or by somebody at the same moment."
        key_id, wrapped, master = row
        return _derived(
            key_id, await self._wrapping.unwrap(master, wrapped, binding_of(tenant, key_id))
        )

    async def _row(self, tenant: TenantId) -> tuple[str, bytes, str] | None:
        async with tenant_transaction(self._pool, tenant) as connection:
            return await (await connection.execute(FIND, (tenant,))).fetchone()


async def wrap_keys_again(
    pool: Pool, wrapping: Wrapping, on_progress: Callable[[int], None]
) -> int:
    """Wrap the keys of all tenants with what wraps now; return how many were not.

    It may be broken off at any point: what is left is found the next time.

    Raises:
        Unavailable: What wrapped one of them is away; those before are done.

    """
    done, last = 0, NOBODY
    while True:
        async with tenant_transaction(pool, SYSTEM_TENANT) as connection:
            asked = (await wrapping.current(), last, WRAPPED_TOGETHER)
            rows = await (await connection.execute(TO_WRAP, asked)).fetchall()
        for tenant, key_id, wrapped, master in rows:
            about = binding_of(tenant, key_id)
            now, again = await wrapping.wrap(await wrapping.unwrap(master, wrapped, about), about)
            async with tenant_transaction(pool, tenant) as connection:
                place = (tenant, key_id, wrapped)
                done += (await connection.execute(WRAP, (again, now, *place))).rowcount
            on_progress(done)
        if len(rows) < WRAPPED_TOGETHER:
            return done
        last = rows[-1][0]


def binding_of(tenant: TenantId, key_id: str) -> bytes:
    """Bind a wrapped key to its row."""
    return f"{tenant}\x1fcredentials\x1f{key_id}".encode()


def _derived(key_id: str, key: bytes) -> DataKey:
    seals, tokens, fingerprints = (
        HKDF(SHA256(), KEY_BYTES, salt=None, info=f"asiento:credentials:{use}".encode()).derive(key)
        for use in ("seal", "token", "fingerprint")
    )
    return DataKey(key_id, AESGCM(seals), AESGCM(tokens), fingerprints)
