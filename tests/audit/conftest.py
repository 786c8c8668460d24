"""A log of a few events, and hands that may do to it what an administrator can."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from msgspec import Struct

from adapters.audit.export import export
from adapters.audit.log import Verified, verify
from adapters.audit.registry import Owner
from adapters.postgres.connections import SET_TENANT
from adapters.runtime import Runtime
from adapters.settings import Settings
from application.kernel import SystemClock
from application.ports import Append, NewEvent
from domain.ids import TenantId

EVENTS = 12


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

    def export(self, to: Path, *, force: bool = False) -> Path:
        url = self.settings.database_url or ""
        export(url, self.owner, to, clock=SystemClock(), force=force)
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
def exported(books: Books, tmp_path: Path) -> Iterator[Path]:
    """Export the log of ``books``."""
    yield books.export(tmp_path / "acme.log.gz")
