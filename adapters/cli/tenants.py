"""`asiento tenant create` and `list`: the companies, and the key that a first program acts with."""

from collections.abc import Iterable
from datetime import datetime
from typing import get_args

from msgspec import Struct

from adapters.access.owners import owner_permissions
from adapters.cli.keys import give_key
from adapters.cli.output import Result, Table, moment
from adapters.cli.session import operator, with_runtime
from adapters.runtime import Runtime
from application.codec import decode, stored_names
from application.kernel import build
from application.ports import QueryItem, StoredEvent
from domain.access import CreateApiKey
from domain.ids import SYSTEM_TENANT, Country, TenantId
from domain.tenants import Books, CreateTenant, Tenant, TenantCreated, TenantEvent

FIRST_KEY: str = "owner"


class ListedTenant(Struct, frozen=True, kw_only=True):
    """A company, since when it is here, and whether its books take events."""

    slug: str
    name: str
    country: Country
    created: datetime
    books: Books
    suspended: str | None
    tenant: TenantId


def create(slug: str, /, *, name: str, country: Country) -> Result:
    """Open the books of a company, and make its first API key, which is shown once.

    Args:
        slug: Its short name, for ever: lower-case letters, digits and dashes.
        name: Its full name.
        country: Whose law it keeps its books by.

    """
    given = {"slug": slug, "name": name, "country": country}

    async def work(runtime: Runtime) -> Result:
        command = build(CreateTenant, given, runtime.clock)
        created = await runtime.bus.execute(command, operator(SYSTEM_TENANT))
        tenant = TenantId(created.ids["tenant"])
        api_key = await create_key(runtime, tenant, FIRST_KEY)
        document = {"tenant": tenant, "slug": slug, "api_key": api_key}
        return Result(document=document, people=_said(document))

    return with_runtime(work)


def list_all() -> Result:
    """List the companies there are, by their short names."""

    async def work(runtime: Runtime) -> list[ListedTenant]:
        query = [QueryItem(types=stored_names(get_args(TenantEvent)))]
        stored = [each async for each in runtime.store.read(SYSTEM_TENANT, query)]
        return sorted(_listed(stored), key=lambda each: each.slug)

    found = with_runtime(work)
    columns = ("SLUG", "NAME", "COUNTRY", "CREATED", "BOOKS", "SUSPENDED")
    rows = [
        (e.slug, e.name, e.country, moment(e.created), e.books, e.suspended or "") for e in found
    ]
    return Result(document=found, people=(Table(columns, rows),))


async def create_key(runtime: Runtime, tenant: TenantId, name: str) -> str:
    """Make a key with all that an owner of *tenant* may do, and return its text."""
    for_ever = not runtime.settings.api_key_days_max
    given = {"name": name, "permissions": owner_permissions(), "never_expires": for_ever}
    return await give_key(runtime, tenant, CreateApiKey, given)


def _listed(log: Iterable[StoredEvent]) -> Iterable[ListedTenant]:
    """Read the companies off the log itself, which needs no projector."""
    created: dict[TenantId, tuple[TenantCreated, datetime]] = {}
    now: dict[TenantId, Tenant] = {}
    for stored in log:
        event = decode(stored)
        assert isinstance(event, TenantEvent)
        now[event.tenant] = now.get(event.tenant, Tenant()).evolve(event)
        if isinstance(event, TenantCreated):
            created[event.tenant] = event, stored.recorded_at
    for tenant, (event, at) in created.items():
        yield ListedTenant(
            slug=event.slug,
            name=now[tenant].name,
            country=event.country,
            created=at,
            books=now[tenant].books,
            suspended=now[tenant].suspended,
            tenant=tenant,
        )


def _said(document: dict[str, str]) -> tuple[str, ...]:
    return (
        f"Tenant {document['slug']} ({document['tenant']}) is open.",
        f"API key: {document['api_key']}",
        "The key is not shown again: keep it where secrets are kept.",
    )
