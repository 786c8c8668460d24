"""A tenant with customers on a real PostgreSQL, and a projector that runs when it is told to."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias
from uuid import uuid4

import psycopg
import pytest

from adapters.postgres.projecting.projector import Projector
from adapters.runtime import Runtime
from adapters.settings import Settings
from application.bus import Bus
from application.kernel import EVERYTHING, Context, Outcome
from domain.ids import TenantId
from domain.invoicing import Customer, CustomerCode, InvoiceId, InvoiceNumber, RecordInvoice
from domain.privacy import ForgetSubject
from tests.invoicing.examples import LINES, MAY_1

Rows: TypeAlias = list[tuple[Any, ...]]
Look: TypeAlias = Callable[[str], Rows]


class Desk:
    """Records and forgets, on behalf of one tenant."""

    def __init__(self, runtime: Runtime, tenant: TenantId | None = None) -> None:
        self.runtime = runtime
        self.tenant = tenant or TenantId(str(uuid4()))
        self.context = Context(
            tenant=self.tenant,
            actor="user:ana",
            permissions=frozenset({EVERYTHING}),
            correlation_id="request-1",
        )

    async def record(
        self, number: str, code: str = "C7", name: str = "Ana Núñez", bus: Bus | None = None
    ) -> Outcome:
        customer = Customer(code=CustomerCode(code), name=name, tax_id="12345678Z")
        command = RecordInvoice(
            invoice=InvoiceId(f"i{number}"),
            number=InvoiceNumber(number),
            issued_on=MAY_1,
            lines=LINES,
            customer=customer,
        )
        bus = bus or self.runtime.bus
        return await bus.execute(command, self.context, key=str(uuid4()))

    async def forget(self, code: str = "C7") -> Outcome:
        command = ForgetSubject(kind="customer_code", value=code, reason="Asked for it.")
        return await self.runtime.bus.execute(command, self.context)


@pytest.fixture
def desk(runtime: Runtime) -> Desk:
    return Desk(runtime)


@pytest.fixture
def project(runtime: Runtime) -> Callable[[], Awaitable[None]]:
    """Run a projector until nothing is behind."""
    return Projector(runtime.pool, runtime.vault).catch_up


@pytest.fixture
def look(settings: Settings) -> Look:
    """Look into the database as its administrator does."""

    def rows(statement: str) -> Rows:
        with psycopg.connect(settings.database_admin_url or "") as connection:
            return connection.execute(statement.encode()).fetchall()

    return rows
