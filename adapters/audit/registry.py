"""Whose logs there are, as the log of the reserved tenant says."""

from datetime import datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from adapters.audit.form import Anchored
from adapters.runtime import Runtime
from application.codec import decode
from application.errors import NotFound
from application.ports import QueryItem
from domain.anchors import HeadsAnchored
from domain.ids import SYSTEM_TENANT, TenantId
from domain.tenants import (
    SYSTEM_SLUG,
    TenantArchived,
    TenantCreated,
    TenantRemoved,
    TenantRenamed,
    TenantRestored,
)

ANCHORS_MAX: Final = 1_000


class UnknownTenant(NotFound):
    """Nobody has this short name."""


class Owner(Struct, frozen=True, kw_only=True):
    """Whose log it is."""

    tenant: TenantId
    slug: str
    name: str
    country: str


class Noted(Struct, frozen=True, kw_only=True):
    """Where a log ended, as the log of `system` says: its events, its head, and its archive."""

    at: datetime
    archive: str
    events: int
    head: str
    removed: bool


SYSTEM: Final = Owner(tenant=SYSTEM_TENANT, slug=SYSTEM_SLUG, name="", country="")


async def find_owner(runtime: Runtime, slug: str) -> Owner:
    """Find a tenant by its short name.

    Raises:
        UnknownTenant: Nobody has it.

    """
    if slug == SYSTEM_SLUG:
        return SYSTEM
    # The index of tags is not hashed: a row of it may have been turned to another's event.
    found = [each for each in await _owners(runtime, (f"slug:{slug}",)) if each.slug == slug]
    if not found:
        raise absent(slug)
    return found[0]


def absent(slug: str) -> UnknownTenant:
    """Say that nobody has this short name."""
    return UnknownTenant(
        "tenants.absent",
        f"There is no tenant {slug}.",
        hint="Mend the name (`asiento tenant list` shows all), or create it:"
        " `asiento tenant create SLUG --name NAME --country ES`.",
    )


async def all_owners(runtime: Runtime) -> list[Owner]:
    """List all tenants, the reserved one first."""
    return [SYSTEM, *await _owners(runtime, ())]


async def _owners(runtime: Runtime, tags: tuple[str, ...]) -> list[Owner]:
    query = [QueryItem(types=(TenantCreated.__name__, TenantRenamed.__name__), tags=tags)]
    found: dict[TenantId, Owner] = {}
    async for stored in runtime.store.read(SYSTEM_TENANT, query):
        match decode(stored):
            case TenantCreated() as event:
                found[event.tenant] = Owner(
                    tenant=event.tenant, slug=event.slug, name=event.name, country=event.country
                )
            case TenantRenamed() as event if event.tenant in found:
                found[event.tenant] = replace(found[event.tenant], name=event.name)
    return list(found.values())


async def noted_ends(runtime: Runtime, tenant: TenantId | None = None) -> dict[TenantId, Noted]:
    """Say of each log, or of one, where it last ended when it was archived or came back."""
    kinds = tuple(kind.__name__ for kind in (TenantArchived, TenantRemoved, TenantRestored))
    query = [QueryItem(types=kinds, tags=(f"tenant:{tenant}",) if tenant else ())]
    found: dict[TenantId, Noted] = {}
    async for stored in runtime.store.read(SYSTEM_TENANT, query):
        event = decode(stored)
        assert isinstance(event, TenantArchived | TenantRemoved | TenantRestored)
        found[event.tenant] = Noted(
            at=stored.recorded_at,
            archive=event.sha256 if isinstance(event, TenantArchived) else event.archive,
            events=event.events,
            head=event.head,
            removed=isinstance(event, TenantRemoved),
        )
    return found


async def known_anchors(runtime: Runtime) -> list[Anchored]:
    """List the last anchors, oldest first."""
    query = [QueryItem(types=(HeadsAnchored.__name__,))]
    stored = runtime.store.read(SYSTEM_TENANT, query, backwards=True, limit=ANCHORS_MAX)
    found = [decode(each) async for each in stored]
    return [
        Anchored(
            number=event.number,
            made_at=event.made_at,
            digest=event.digest,
            public_key=event.public_key,
        )
        for event in reversed(found)
        if isinstance(event, HeadsAnchored)
    ]
