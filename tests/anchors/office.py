"""What anchor tests do again and again: open books, draft invoices, act for the operator."""

from adapters.runtime import Runtime
from application.kernel import Context, build
from domain.ids import SYSTEM_TENANT, TenantId
from domain.invoicing import DraftInvoice
from domain.tenants import CreateTenant

LINES = [{"description": "Bolt", "quantity": "2", "unit_price": "1.50"}]
OPERATOR = Context(
    tenant=SYSTEM_TENANT, actor="cli:ana", permissions=frozenset("*"), correlation_id="test"
)


async def open_books(runtime: Runtime, slug: str, invoices: int = 0) -> TenantId:
    """Open the books of a company, and draft some invoices."""
    given = {"slug": slug, "name": "Acme SL", "country": "ES"}
    done = await runtime.bus.execute(build(CreateTenant, given, runtime.clock), OPERATOR)
    tenant = TenantId(done.ids["tenant"])
    await draft(runtime, tenant, invoices)
    return tenant


async def draft(runtime: Runtime, tenant: TenantId, invoices: int) -> None:
    """Draft invoices, an event each."""
    context = Context(
        tenant=tenant, actor="cli:ana", permissions=frozenset("*"), correlation_id="test"
    )
    for _ in range(invoices):
        await runtime.bus.execute(build(DraftInvoice, {"lines": LINES}, runtime.clock), context)
