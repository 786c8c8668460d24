"""What wraps the keys of tenants: the keyring of the instance, or a transit engine elsewhere.

A row says by which it was wrapped, so that either opens what it wrapped while the other is chosen.
"""

from typing import Final, Protocol

from adapters.keyring import Keyring
from adapters.postgres.connections import Pool, tenant_transaction
from adapters.postgres.subject_keys import prove
from application.errors import Unavailable
from domain.ids import SYSTEM_TENANT

COLON: Final = ":"
"""What the id holds of what a transit engine wrapped. No master key's id holds one."""


class Wrapping(Protocol):
    """Wraps keys, and says by what."""

    async def current(self) -> str:
        """Return the id of what wraps from now on."""
        ...

    async def wrap(self, key: bytes, about: bytes) -> tuple[str, bytes]:
        """Return the id of what wraps now, and *key* wrapped by it and bound to *about*."""
        ...

    async def unwrap(self, master: str, wrapped: bytes, about: bytes) -> bytes:
        """Return the key that ``wrap`` was given.

        Raises:
            Unavailable: What wrapped it is away, or is another than it was.

        """
        ...


class ChosenWrapping:
    """Wraps by the keyring, or by a transit engine; opens what either wrapped."""

    def __init__(
        self, pool: Pool, keyring: Keyring, transit: Wrapping | None, *, chosen: bool = False
    ) -> None:
        self._pool = pool
        self._keyring = keyring
        self._transit = transit
        self._elsewhere = transit if chosen else None

    async def current(self) -> str:
        elsewhere = self._elsewhere
        return self._keyring.current if elsewhere is None else await elsewhere.current()

    async def wrap(self, key: bytes, about: bytes) -> tuple[str, bytes]:
        if self._elsewhere is not None:
            return await self._elsewhere.wrap(key, about)
        if not self._keyring.proven:
            async with tenant_transaction(self._pool, SYSTEM_TENANT) as connection:
                await prove(connection, self._keyring)
        return self._keyring.wrap(key, about)

    async def unwrap(self, master: str, wrapped: bytes, about: bytes) -> bytes:
        if COLON not in master:
            return self._keyring.unwrap(master, wrapped, about)
        if self._transit is None:
            raise Unavailable(
                "credentials.no_transit",
                f"The key of these credentials is wrapped by {master}, and no engine is set.",
                hint="Set TRANSIT_URL and TRANSIT_TOKEN again. Nothing is lost.",
            )
        return await self._transit.unwrap(master, wrapped, about)
