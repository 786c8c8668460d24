"""The companies on the system, by their short names."""

from domain.ids import TenantId
from domain.tenants import Country, Slug, TenantCreated
from projections.kernel import Indexed, ReadModel, Row


class TenantRow(Row):
    """One company."""

    tenant: TenantId
    slug: Indexed[Slug]
    name: str
    country: Country


class Tenants(ReadModel[TenantRow]):
    name = "tenants"
    row = TenantRow
    key = "tenant"
    permission = "tenants.tenant.read"
    system = True

    @staticmethod
    def apply(_row: TenantRow | None, event: TenantCreated) -> TenantRow | None:
        return TenantRow(
            tenant=event.tenant, slug=event.slug, name=event.name, country=event.country
        )
