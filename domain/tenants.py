"""Tenants: companies on the system, each known by one short name for ever."""

from collections.abc import Iterator
from typing import Annotated, Final, Literal, NewType, TypeAlias

from msgspec import Meta

from domain.ids import TenantId
from domain.kernel import Boundary, Command, Event, Filled, Key, Refused, State

Slug = NewType("Slug", str)
Country: TypeAlias = Literal["ES", "EC"]
TenantIdText = Annotated[
    TenantId, Meta(pattern=f"^{'-'.join(f'[0-9a-f]{{{n}}}' for n in (8, 4, 4, 4, 12))}$")
]
CURRENCIES: Final[dict[Country, str]] = {"ES": "EUR", "EC": "USD"}
SlugText = Annotated[
    Slug, Meta(pattern="^[a-z][a-z0-9-]{1,39}$", description="Lower-case letters, digits, dashes.")
]


class TenantCreated(Event):
    tenant: Key[TenantId]
    slug: Key[Slug]
    name: str
    country: Country


TenantEvent: TypeAlias = TenantCreated


class Tenant(State):
    """What is known of a company."""

    slug: str = ""
    country: Country = "ES"

    def evolve(self, event: TenantCreated) -> "Tenant":
        return Tenant(slug=event.slug, country=event.country)


class SlugClaim(State):
    """Who holds a short name."""

    tenant: TenantId | None = None
    name: str = ""
    country: Country = "ES"

    def evolve(self, event: TenantCreated) -> "SlugClaim":
        return SlugClaim(tenant=event.tenant, name=event.name, country=event.country)


class CreateTenant(Command):
    """Open the books of a company."""

    tenant: Filled[TenantIdText]
    slug: SlugText
    name: Annotated[str, Meta(min_length=1, max_length=200)]
    country: Country

    def boundary(self) -> tuple[Boundary[SlugClaim]]:
        return (SlugClaim.at(slug=self.slug),)

    def decide(self, claim: SlugClaim) -> Iterator[TenantEvent]:
        if claim.tenant is not None:
            raise Refused(
                "tenants.slug_taken",
                f"The short name {self.slug} belongs to {claim.name}.",
                hint="Choose another short name.",
            )
        yield TenantCreated(
            tenant=self.tenant, slug=self.slug, name=self.name, country=self.country
        )
