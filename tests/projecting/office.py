"""A company whose log is written to and folded at will, and the hands of an administrator."""

import asyncio
from time import monotonic
from typing import Any, Final, LiteralString, TypeAlias
from uuid import uuid4

import psycopg
from psycopg import sql

from adapters.cli.session import operator
from adapters.postgres.connections import SET_TENANT
from adapters.postgres.models.versions import table_name
from adapters.postgres.projecting.mending import Stopped, retry, skip
from adapters.postgres.projecting.projector import Projector
from adapters.postgres.projecting.standing import Progress, find_progress
from adapters.runtime import Runtime
from application.codec import decode, encode
from application.kernel import EVERYTHING, Context, Outcome
from application.ports import Append, QueryItem
from domain.ids import SYSTEM_TENANT, JobId, TenantId
from domain.invoicing import DraftInvoice, InvoiceId, InvoiceNumber, RecordInvoice
from domain.jobs import JobQueued
from domain.kernel import Event
from projections.invoices import Invoices
from tests.invoicing.examples import LINES, MAY_1

Statement: TypeAlias = LiteralString | sql.Composed
SECONDS_MAX: Final = 60.0
REASON: Final = "Nobody needs it."
CHANGE: LiteralString = """
UPDATE event SET type = coalesce(%s, type), data = coalesce(%s, data)
WHERE tenant_id = %s AND position = %s
"""


class Office:
    """Acts for one tenant; its reads and changes of the database go behind everyone's back."""

    def __init__(
        self, runtime: Runtime, tenant: TenantId | None = None, admin_url: str | None = None
    ) -> None:
        self.runtime = runtime
        self.admin_url = admin_url or runtime.settings.database_admin_url or ""
        self.tenant = tenant or TenantId(str(uuid4()))
        self.context = Context(
            tenant=self.tenant,
            actor="user:ana",
            permissions=frozenset({EVERYTHING}),
            correlation_id="request-1",
        )

    async def draft(self, invoice: str, currency: str = "EUR") -> Outcome:
        command = DraftInvoice(invoice=InvoiceId(invoice), lines=LINES, currency=currency)
        return await self.runtime.bus.execute(command, self.context)

    async def record(self, number: str) -> Outcome:
        command = RecordInvoice(
            invoice=InvoiceId(f"i{number}"),
            number=InvoiceNumber(number),
            issued_on=MAY_1,
            lines=LINES,
        )
        return await self.runtime.bus.execute(command, self.context)

    async def queue(self, job: JobId) -> None:
        """Queue a job that no worker does."""
        queued = JobQueued(job=job, kind="tests.none", subject="")
        event = encode(queued, actor="system", correlation_id="", causation_id="")
        await self.runtime.store.append(self.tenant, Append(events=(event,)))

    async def project(self) -> None:
        """Run a projector until nothing is behind that can go on."""
        await Projector(self.runtime.pool, self.runtime.vault).catch_up()

    async def progress(self, name: str = "invoices") -> Progress:
        found = await find_progress(self.runtime.pool, self.tenant)
        (mine,) = [each for each in found if each.name == name]
        return mine

    async def until(self, name: str, status: str) -> None:
        """Wait until a projection that somebody else drives is *status*."""
        deadline = monotonic() + SECONDS_MAX
        while True:
            found = await find_progress(self.runtime.pool, self.tenant)
            if [each.status for each in found if each.name == name] == [status]:
                return
            assert monotonic() < deadline, found
            await asyncio.sleep(0.05)

    async def retry(self, name: str = "invoices") -> Stopped:
        return await retry(self.runtime, self.tenant, name)

    async def skip(self, name: str = "invoices", position: int | None = None) -> Stopped:
        by = operator(SYSTEM_TENANT)
        return await skip(self.runtime, self.tenant, name, REASON, by, position=position)

    async def events(self, *types: str, tenant: TenantId | None = None) -> list[Event]:
        found = self.runtime.store.read(tenant or self.tenant, [QueryItem(types=types)])
        return [decode(each) async for each in found]

    def change(self, position: int, data: str | None = None, kind: str | None = None) -> None:
        """Write another type or other data over an event."""
        self.do(CHANGE, kind, data, self.tenant, position)

    def do(self, statement: Statement, *values: object) -> int:
        with psycopg.connect(self.admin_url) as admin:
            admin.execute(SET_TENANT, (self.tenant,))
            return admin.execute(statement, values).rowcount

    def look(self, statement: Statement, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.admin_url) as admin:
            admin.execute(SET_TENANT, (self.tenant,))
            return admin.execute(statement, values).fetchall()

    def data_of(self, position: int) -> str:
        statement: LiteralString = "SELECT data FROM event WHERE tenant_id = %s AND position = %s"
        ((data,),) = self.look(statement, self.tenant, position)
        return str(data)

    def invoices(self) -> list[str]:
        """Name the invoices that there are rows of."""
        table = sql.Identifier(table_name(Invoices))
        statement = sql.SQL("SELECT invoice FROM {} WHERE tenant_id = %s ORDER BY 1").format(table)
        return [invoice for (invoice,) in self.look(statement, self.tenant)]
