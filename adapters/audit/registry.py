"""Whose logs there are, as the log of the reserved tenant says."""

from typing import Final

from msgspec import Struct

from adapters.audit.form import Anchored
from adapters.runtime import Runtime
from application.codec import decode
from application.errors import NotFound
from application.ports import QueryItem
from domain.anchors import HeadsAnchored
from domain.ids import SYSTEM_TENANT, TenantId
from domain.tenants import SYSTEM_SLUG, TenantCreated

ANCHORS_MAX: Final = 1_000


class Owner(Struct, frozen=True, kw_only=True):
    """Whose log it is."""

    tenant: TenantId
    slug: str
    name: str
    country: str


SYSTEM: Final = Owner(tenant=SYSTEM_TENANT, slug=SYSTEM_SLUG, name="", country="")


async def find_owner(runtime: Runtime, slug: str) -> Owner:
    """Find a tenant by its short name.

    Raises:
        NotFound: Nobody has it.

    """
    if slug == SYSTEM_SLUG:
        return SYSTEM
    found = await _owners(runtime, (f"slug:{slug}",))
    if not found:
        raise NotFound(
            "tenants.absent",
            f"There is no tenant {slug}.",
            hint="Create it: `asiento tenant create SLUG --name NAME --country ES`.",
        )
    return found[0]


async def all_owners(runtime: Runtime) -> list[Owner]:
    """List all tenants, the reserved one first."""
    return [SYSTEM, *await _owners(runtime, ())]


async def _owners(runtime: Runtime, tags: tuple[str, ...]) -> list[Owner]:
    query = [QueryItem(types=(TenantCreated.__name__,), tags=tags)]
    found = [decode(stored) async for stored in runtime.store.read(SYSTEM_TENANT, query)]
    return [
        Owner(tenant=event.tenant, slug=event.slug, name=event.name, country=event.country)
        for event in found
        if isinstance(event, TenantCreated)
    ]


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
