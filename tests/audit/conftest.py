"""A log of a few events, and hands that may do to it what an administrator can."""

from collections.abc import Sequence
from pathlib import Path
from secrets import token_hex
from uuid import uuid4

import psycopg
import pytest
from msgspec import Struct
from psycopg import sql

from adapters.audit.export import export
from adapters.audit.form import Anchored
from adapters.audit.log import Verified, verify
from adapters.audit.registry import Owner
from adapters.cli.session import operator
from adapters.postgres.connections import SET_TENANT
from adapters.postgres.projecting.projector import Projector
from adapters.runtime import Runtime
from adapters.settings import Settings
from application.kernel import SystemClock, build
from application.ports import Append, NewEvent
from domain.ids import SYSTEM_TENANT, TenantId
from domain.invoicing import DraftInvoice
from domain.tenants import CreateTenant
from tests.cli.conftest import asiento, environment

__all__ = ["asiento", "environment"]

EVENTS = 12
DRAFTS = 5


class Books(Struct, frozen=True, kw_only=True):
    """One log, from the inside and from behind."""

    settings: Settings
    owner: Owner

    @property
    def tenant(self) -> TenantId:
        return self.owner.tenant

    def verify(self) -> Verified:
        return verify(self.settings.database_url or "", self.tenant)

    def tamper(self, *statements: str) -> None:
        """Do what the owner of the tables can; %(tenant)s is the tenant."""
        url = self.settings.database_admin_url or ""
        with psycopg.connect(url) as connection:
            connection.execute(SET_TENANT, (self.tenant,))
            for statement in statements:
                connection.execute(statement.encode(), {"tenant": self.tenant})

    def export(self, to: Path, *, force: bool = False, anchors: Sequence[Anchored] = ()) -> Path:
        url = self.settings.database_url or ""
        export(url, self.owner, to, clock=SystemClock(), force=force, anchors=anchors)
        return to


def happened(number: int) -> NewEvent:
    """Make an event that no module knows, with more than ASCII in it."""
    return NewEvent(
        type="ThingHappened" if number % 2 else "ThingSeen",
        tags=(f"thing:{number}", "where:Cádiz"),
        data=f'{{"thing":"{number}","said":"año ✓ \\\\u00e9"}}',
        actor="user:1",
        correlation_id=f"request-{number}",
        causation_id="" if number % 3 else str(number),
    )


@pytest.fixture
async def books(runtime: Runtime) -> Books:
    """Append a few events for a tenant of the test's own."""
    tenant = TenantId(str(uuid4()))
    for first in range(1, EVENTS + 1, 4):
        events = tuple(happened(number) for number in range(first, first + 4))
        await runtime.store.append(tenant, Append(events=events))
    owner = Owner(tenant=tenant, slug="acme", name="Acme", country="ES")
    return Books(settings=runtime.settings, owner=owner)


@pytest.fixture
def exported(books: Books, tmp_path: Path) -> Path:
    """Export the log of ``books``."""
    return books.export(tmp_path / "acme.log.gz")


@pytest.fixture
async def company(runtime: Runtime) -> Books:
    """Open the books of a company, draft a few invoices, and fold them."""
    slug = f"acme-{token_hex(4)}"
    given: dict[str, object] = {"slug": slug, "name": "Acme", "country": "ES"}
    created = await runtime.bus.execute(
        build(CreateTenant, given, runtime.clock), operator(SYSTEM_TENANT)
    )
    tenant = TenantId(created.ids["tenant"])
    books = Books(
        settings=runtime.settings,
        owner=Owner(tenant=tenant, slug=slug, name="Acme", country="ES"),
    )
    for number in range(DRAFTS):
        await draft(runtime, books, number)
    await fold_all(runtime)
    return books


async def draft(runtime: Runtime, books: Books, number: int) -> None:
    line = {"description": "Bolt", "quantity": "2", "unit_price": "1.50"}
    customer = {"code": f"C{number}", "name": f"Customer {number}", "country": "ES"}
    given: dict[str, object] = {"lines": [line], "customer": customer}
    command = build(DraftInvoice, given, runtime.clock)
    await runtime.bus.execute(command, operator(books.tenant))


async def fold_all(runtime: Runtime) -> None:
    await Projector(runtime.pool, runtime.vault).catch_up()


def rows_of(books: Books, table: str, schema: str = "public") -> list[str]:
    """Read all rows of a tenant, as text, without their tenant."""
    statement = sql.SQL("SELECT to_jsonb(t)::text FROM {} AS t WHERE tenant_id = %s ORDER BY 1")
    with psycopg.connect(books.settings.database_admin_url or "") as connection:
        connection.execute(SET_TENANT, (books.tenant,))
        found = connection.execute(statement.format(sql.Identifier(schema, table)), (books.tenant,))
        return [text for (text,) in found]
