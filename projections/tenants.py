"""The companies on the system, by their short names."""

from typing import Literal, TypeAlias

from msgspec.structs import replace

from domain.ids import Country, TenantId
from domain.tenants import (
    Books,
    Slug,
    TenantArchived,
    TenantClosed,
    TenantCreated,
    TenantEvent,
    TenantRemoved,
    TenantRenamed,
    TenantReopened,
    TenantRestored,
    TenantResumed,
    TenantSuspended,
)
from projections.kernel import Indexed, ReadModel, Row, derived

Status: TypeAlias = Literal["open", "suspended", "closed", "removed"]


class TenantRow(Row):
    """One company."""

    tenant: TenantId
    slug: Indexed[Slug]
    name: str
    country: Country
    books: Books = "open"
    suspended: str | None = None

    @derived
    def status(self) -> Indexed[Status]:
        """A suspended company is read as ever, and changes nothing."""
        match self.books:
            case "closed" | "removed" as gone:
                return gone
            case "open" | "absent":
                return "open" if self.suspended is None else "suspended"


class Tenants(ReadModel[TenantRow]):
    name = "tenants"
    row = TenantRow
    key = "tenant"
    version = 2
    permission = "tenants.tenant.read"
    system = True

    @staticmethod
    def apply(row: TenantRow | None, event: TenantEvent) -> TenantRow | None:  # noqa: PLR0911 - one a case.
        if isinstance(event, TenantCreated):
            return TenantRow(
                tenant=event.tenant, slug=event.slug, name=event.name, country=event.country
            )
        assert row is not None, "A company is there before anything happens to it."
        match event:
            case TenantRenamed(name=name):
                return replace(row, name=name)
            case TenantSuspended(reason=reason):
                return replace(row, suspended=reason)
            case TenantResumed():
                return replace(row, suspended=None)
            case TenantClosed() | TenantRestored():
                return replace(row, books="closed")
            case TenantRemoved():
                return replace(row, books="removed")
            case TenantReopened():
                return replace(row, books="open")
            case TenantArchived():
                return row
