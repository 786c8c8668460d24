"""Books that are worth a rebuild, and what their rows are."""

from collections.abc import Iterable
from typing import Any, TypeAlias

import psycopg
from msgspec.structs import replace

from adapters.keyring import Keyring
from adapters.postgres.models.versions import table_name
from adapters.postgres.projecting.building.rebuild import Asked, Rebuilt, rebuild
from adapters.postgres.projecting.building.task import PUBLIC, Task
from adapters.postgres.projecting.projector import Projector
from adapters.settings import Settings
from domain.ids import TenantId
from domain.invoicing import (
    Customer,
    CustomerCode,
    DraftInvoice,
    InvoiceId,
    InvoiceNumber,
    IssueInvoice,
    RecordInvoice,
    SeriesCode,
)
from domain.kernel import Command
from projections.invoices import Invoices
from tests.invoicing.examples import LINES, MAY_1
from tests.privacy.conftest import Desk

Rows: TypeAlias = list[tuple[Any, ...]]
INVOICES = table_name(Invoices)


def recorded(numbers: Iterable[int], name: str = "Ana Núñez") -> list[Command]:
    return [
        RecordInvoice(
            invoice=InvoiceId(f"r{number:06}"),
            number=InvoiceNumber(f"R{number}"),
            issued_on=MAY_1,
            lines=LINES,
            customer=Customer(code=CustomerCode(f"C{number % 7}"), name=name),
        )
        for number in numbers
    ]


def issued(numbers: Iterable[int]) -> list[Command]:
    commands: list[Command] = []
    for number in numbers:
        invoice = InvoiceId(f"d{number:06}")
        commands += [
            DraftInvoice(invoice=invoice, lines=LINES),
            IssueInvoice(invoice=invoice, series=SeriesCode("S"), issued_on=MAY_1),
        ]
    return commands


def an_odd(number: int, text: str) -> Command:
    """Record an invoice with *text* wherever a text may stand."""
    line = replace(LINES[0], description=text, item=text)
    return RecordInvoice(
        invoice=InvoiceId(f"o{number:06}"),
        number=InvoiceNumber(f"O{number}{text if text.isprintable() else ''}"),
        issued_on=MAY_1,
        lines=(line,),
        customer=Customer(code=CustomerCode("C1"), name=text, country=text),
    )


async def write(desk: Desk, commands: Iterable[Command]) -> int:
    """Execute commands at once; return the position of the last event."""
    done = await desk.runtime.bus.execute_many(list(commands), desk.context)
    return max(each.position for each in done if not isinstance(each, Exception))


async def project(desk: Desk) -> None:
    await Projector(desk.runtime.pool, desk.runtime.vault).catch_up()


class Office:
    """An operator of one database."""

    def __init__(self, settings: Settings, keyring: Keyring) -> None:
        self.url = settings.database_admin_url or ""
        self.keyring = keyring

    @property
    def task(self) -> Task:
        return Task(id=0, url=self.url, name="invoices", schema=PUBLIC, keyring=self.keyring)

    async def rebuild(
        self,
        name: str = "invoices",
        tenant: TenantId | None = None,
        **asked: Any,  # noqa: ANN401 - the fields of Asked.
    ) -> Rebuilt:
        return await rebuild(self.url, name, tenant, keyring=self.keyring, asked=Asked(**asked))

    def look(self, statement: str, *asked: object) -> Rows:
        with psycopg.connect(self.url) as connection:
            return connection.execute(statement.encode(), asked).fetchall()

    def rows(self, table: str = INVOICES, key: str = "invoice") -> Rows:
        """Return all rows of all tenants, as texts."""
        return self.look(f"SELECT t::text FROM {table} AS t ORDER BY tenant_id, {key}")

    def execute(self, statement: str, *asked: object) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement.encode(), asked)
