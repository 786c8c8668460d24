"""API keys as the door knows them: read from the log itself, so that nothing lags behind it."""

import hmac
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

from msgspec import Struct

from adapters.runtime import Runtime
from application.roles import permissions_of, standard_roles
from application.secret_text import digest
from domain.access import ApiKey, KeyId, KeySecret, Role, ServiceAccount, ServiceAccountId
from domain.ids import SYSTEM_TENANT, TenantId
from projections.kernel import readable

KEYS_MAX: Final = 1_000
"""Keys that are read by one look."""

Network: TypeAlias = IPv4Network | IPv6Network
Account: TypeAlias = tuple[TenantId, ServiceAccountId]


class HeldKey(Struct, frozen=True, kw_only=True, dict=True):
    """A key that is not revoked: whose it is, what it may now, by which secrets, from where."""

    key: KeyId
    tenant: TenantId
    permissions: frozenset[str]
    secrets: tuple[KeySecret, ...]
    networks: tuple[str, ...] = ()

    def opened_by(self, secret: str, now: datetime) -> KeySecret | None:
        """Find what is kept of *secret*; None: it is none of the key's, or holds no longer.

        All of them are compared, each in the same time, so that none tells how near one came.
        """
        shown = digest(secret)
        same = [each for each in self.secrets if hmac.compare_digest(each.sha256, shown)]
        return next((each for each in same if _holds(each, now)), None)

    def is_open(self, kept: KeySecret, now: datetime) -> bool:
        """Tell whether a secret by which somebody was let in still holds."""
        return any(each.sha256 == kept.sha256 and _holds(each, now) for each in self.secrets)

    def takes(self, address: str) -> bool:
        """Tell whether the key may be used from an address."""
        if not self.networks:
            return True
        try:
            found = ip_address(address)
        except ValueError:
            return False  # Nobody knows from where, such as through a socket of the machine.
        if isinstance(found, IPv6Address):
            found = found.ipv4_mapped or found
        return any(found in each for each in self._parsed)

    @cached_property
    def _parsed(self) -> tuple[Network, ...]:
        return tuple(map(ip_network, self.networks))


async def find_key(runtime: Runtime, key: KeyId) -> HeldKey | None:
    """Find a key, whosever it is; None: it is revoked, its account suspended, its tenant closed.

    Raises:
        Unavailable: PostgreSQL is away; nobody knows.

    """
    return (await find_keys(runtime, [key])).get(key)


async def find_keys(runtime: Runtime, keys: Collection[KeyId]) -> dict[KeyId, HeldKey]:
    """Find the keys that are there, as above: many by one look."""
    asked = sorted(keys)
    known: dict[KeyId, ApiKey] = {}
    for start in range(0, len(asked), KEYS_MAX):
        some = asked[start : start + KEYS_MAX]
        found = await runtime.bus.fold_all(SYSTEM_TENANT, [ApiKey.at(key=key) for key in some])
        known |= {key: each for key, each in zip(some, found, strict=True) if not each.revoked}
    accounts = await _accounts(runtime, {account for _, account in _acting(known)})
    acting = {key: accounts[account] for key, account in _acting(known)}
    return {
        key: HeldKey(
            key=key,
            tenant=each.tenant,
            permissions=permissions,
            secrets=each.secrets,
            networks=each.networks,
        )
        for key, each in known.items()
        if each.tenant is not None
        and not await runtime.bus.is_locked(each.tenant)
        and (permissions := acting.get(key, frozenset(each.permissions))) is not None
    }


def _acting(known: Mapping[KeyId, ApiKey]) -> Iterator[tuple[KeyId, Account]]:
    """Name the keys that act for a service account, and which."""
    for key, each in known.items():
        if each.service_account is not None and each.tenant is not None:
            yield key, (each.tenant, each.service_account)


async def _accounts(
    runtime: Runtime, accounts: Collection[Account]
) -> dict[Account, frozenset[str] | None]:
    """Tell what service accounts may at the moment; None: nothing, as one is suspended."""
    by_tenant: dict[TenantId, list[ServiceAccountId]] = {}
    for tenant, name in sorted(accounts):
        by_tenant.setdefault(tenant, []).append(name)
    found: dict[Account, frozenset[str] | None] = {}
    for tenant, names in by_tenant.items():
        may = await _of_tenant(runtime, tenant, names)
        found |= {(tenant, name): each for name, each in zip(names, may, strict=True)}
    return found


async def _of_tenant(
    runtime: Runtime, tenant: TenantId, names: Sequence[ServiceAccountId]
) -> list[frozenset[str] | None]:
    """As above, by a look at the accounts of a company, and one at the roles that it defined."""
    bus, standard = runtime.bus, standard_roles(readable())
    accounts = await bus.fold_all(tenant, [ServiceAccount.at(service_account=n) for n in names])
    own = sorted({role for each in accounts for role in each.roles} - standard.keys())
    defined = await bus.fold_all(tenant, [Role.at(role=role) for role in own]) if own else ()
    roles = dict(zip(own, defined, strict=True))
    return [
        None if each.suspended or not each.name else permissions_of(each.roles, roles, standard)
        for each in accounts
    ]


def _holds(secret: KeySecret, now: datetime) -> bool:
    return secret.until is None or now < secret.until
