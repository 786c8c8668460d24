"""The safe: sealed secrets in their table, each opened in its own row and nowhere else.

A row is written before the event that refers to it. Between the two it is idle: a consumer of the
log settles it, and what nobody ever refers to goes.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, LiteralString

from cryptography.exceptions import InvalidTag
from msgspec import Struct

from adapters.credentials.keys import DataKey, DataKeys
from adapters.credentials.reaching import check_address
from adapters.postgres.connections import Pool, tenant_transaction
from adapters.sealing import seal, unseal
from application.errors import ApplicationError, Malformed, NotFound
from application.webhooks import Reach
from domain.ids import SYSTEM_TENANT, TenantId

TRIES_MAX: Final = 3
IDLE_SECONDS: Final = 3_600.0
"""How long the event of a row may be on its way. Commands give up after seconds."""

# Only beside the key that sealed it: a tenant that was removed meanwhile has another one, or none.
PUT: LiteralString = """
INSERT INTO credential_secret (tenant_id, secret_id, credential, key_id, sealed, expires_at)
SELECT %s, %s, %s, k.key_id, %s, %s FROM credential_key AS k
WHERE k.tenant_id = %s AND k.key_id = %s
ON CONFLICT DO NOTHING
"""
READ: LiteralString = """
SELECT key_id::text, renewal, sealed FROM credential_secret WHERE tenant_id = %s AND secret_id = %s
"""
RENEW: LiteralString = """
UPDATE credential_secret SET sealed = %s, renewal = renewal + 1
WHERE tenant_id = %s AND secret_id = %s AND renewal = %s AND key_id = %s
"""
DROP_IDLE: LiteralString = "SELECT drop_idle_credentials_v1(make_interval(secs => %s))"
FIGURES: LiteralString = """
SELECT kept, ending, ended FROM credential_figures_v1(make_interval(days => %s))
"""


class SealBroken(ApplicationError):
    """A sealed secret can't be opened: its row was changed, or is another's."""

    status = 500


class Secret(Struct, frozen=True, kw_only=True):
    """A secret that is open, and how often it was renewed."""

    text: str
    renewal: int

    def __repr__(self) -> str:
        return f"Secret({self.renewal})"


class Figures(Struct, frozen=True):
    """How many secrets there are, how many end soon, and how many have ended."""

    kept: int
    ending: int
    ended: int


class Place(Struct, frozen=True):
    """Where a secret lies."""

    tenant: TenantId
    credential: str
    secret_id: str

    def binding(self, renewal: int) -> bytes:
        """Bind what is sealed to its row, so that it opens in no other."""
        parts = (self.tenant, self.credential, self.secret_id, str(renewal), "secret")
        return "\x1f".join(parts).encode()


class PostgresSafe:
    """Implements ``application.ports.Safe``, and opens what it kept."""

    def __init__(self, pool: Pool, keys: DataKeys, reach: Reach) -> None:
        self._pool = pool
        self._keys = keys
        self._reach = reach

    def admit(self, addresses: Sequence[str]) -> None:
        for each in addresses:
            check_address(self._reach, each)

    async def keep(
        self,
        tenant: TenantId,
        *,
        credential: str,
        secret_id: str,
        secret: str,
        expires_at: datetime | None,
    ) -> str:
        place = Place(tenant, credential, secret_id)
        for _ in range(TRIES_MAX):
            key = await self._keys.find(tenant)
            sealed = seal(key.seals, secret.encode(), place.binding(0))
            row = (tenant, secret_id, credential, sealed, expires_at, tenant, key.id)
            async with tenant_transaction(self._pool, tenant) as connection:
                if (await connection.execute(PUT, row)).rowcount:
                    return key.fingerprint(secret)
            if await self._is_there(place, secret):
                return key.fingerprint(secret)
            self._keys.forget(tenant)
        raise LookupError(f"The key of {tenant} changed again and again.")

    async def open(self, place: Place) -> Secret:
        """Open a secret.

        Raises:
            NotFound: It is not here: it was rotated or revoked, or stayed behind when the
                tenant came back from an archive.
            SealBroken: Its row was changed.
            Unavailable: The key of the tenant can't be reached.

        """
        async with tenant_transaction(self._pool, place.tenant) as connection:
            found = await connection.execute(READ, (place.tenant, place.secret_id))
            row = await found.fetchone()
        if row is None:
            raise NotFound(
                "credentials.lost",
                f"The secret of {place.credential} is not here. Archives hold none.",
                hint="Rotate it: send the secret again.",
            )
        key_id, renewal, sealed = row
        key = await self._keys.find(place.tenant, key_id)
        try:
            text = unseal(key.seals, sealed, place.binding(renewal)).decode()
        except (InvalidTag, ValueError):
            raise SealBroken(
                "credentials.seal_broken",
                f"The secret of {place.credential} can't be opened: its row was changed.",
                hint="Rotate it: send the secret again. Find out who writes to the database.",
            ) from None
        return Secret(text=text, renewal=renewal)

    async def renew(self, place: Place, former: Secret, text: str) -> bool:
        """Put what a server outside gave in the place of what it took; False: somebody was first.

        Raises:
            Unavailable: PostgreSQL does not answer.

        """
        key = await self._keys.find(place.tenant)
        sealed = seal(key.seals, text.encode(), place.binding(former.renewal + 1))
        row = (sealed, place.tenant, place.secret_id, former.renewal, key.id)
        async with tenant_transaction(self._pool, place.tenant) as connection:
            return (await connection.execute(RENEW, row)).rowcount == 1

    async def key_of(self, tenant: TenantId) -> DataKey:
        """Lend the key of a tenant, for what is sealed elsewhere for a while."""
        return await self._keys.find(tenant)

    async def _is_there(self, place: Place, secret: str) -> bool:
        """Tell whether the same is kept already, under an id that the caller chose.

        Raises:
            Malformed: Another is.

        """
        try:
            kept = await self.open(place)
        except NotFound:
            return False
        except SealBroken:
            kept = None
        if kept is None or kept.text != secret:
            raise Malformed(
                "credentials.secret_id_taken",
                "Another secret is kept under this secret_id.",
                hint="Leave it out.",
            )
        return True


async def drop_idle(pool: Pool, idle_seconds: float = IDLE_SECONDS) -> int:
    """Drop the secrets that no event refers to, those of all tenants; return how many.

    Raises:
        Unavailable: PostgreSQL does not answer.

    """
    async with tenant_transaction(pool, SYSTEM_TENANT) as connection:
        row = await (await connection.execute(DROP_IDLE, (idle_seconds,))).fetchone()
    return row[0] if row else 0


async def count_secrets(pool: Pool, soon_days: int) -> Figures:
    """Count the secrets of all tenants by when they end.

    Raises:
        Unavailable: PostgreSQL does not answer.

    """
    async with tenant_transaction(pool, SYSTEM_TENANT) as connection:
        row = await (await connection.execute(FIGURES, (soon_days,))).fetchone()
    return Figures(*(row or (0, 0, 0)))
