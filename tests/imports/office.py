"""An office without servers: imports run against the fakes, and may be killed at any moment."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec import UNSET, structs

from adapters.memory import (
    FixedClock,
    MemoryBlobs,
    MemoryEventStore,
    MemoryStaging,
    MemorySubjectKeys,
    SilentProgress,
)
from application.bus import Bus
from application.jobs import Task, Workplace, companions, do_job, job_kinds
from application.kernel import EVERYTHING, Context, Outcome, build
from application.ports import Append, StagedError, StagedRow
from application.vault import Vault
from domain.ids import BatchId, JobId, TenantId
from domain.imports import IngestRows, OpenImportBatch, PromoteImportBatch, ValidateImportBatch
from domain.imports.columns import GivenMapping
from domain.jobs import Job
from domain.kernel import Command, Event
from domain.tenants import CreateTenant, Slug
from projections.imports import ImportBatches, ImportBatchRow
from projections.invoices import InvoiceRow, Invoices
from projections.jobs import JobRow, Jobs
from projections.kernel import project

TENANT = TenantId("01968a00-0000-7000-8000-000000000001")
PLENTY = 10**9
CONTEXT = Context(
    tenant=TENANT,
    actor="user:ana",
    permissions=frozenset({EVERYTHING}),
    correlation_id="request-1",
)


class Killed(Exception):
    """The process is gone, in the middle of what it did."""


class Power:
    """What runs out after so many steps."""

    def __init__(self) -> None:
        self.left = PLENTY

    def step(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed


class MortalStore(MemoryEventStore):
    """Dies before an append, or after it."""

    def __init__(self, clock: FixedClock, power: Power) -> None:
        super().__init__(clock)
        self._power = power

    async def append(self, tenant: TenantId, append: Append) -> int:
        self._power.step()
        base = await super().append(tenant, append)
        self._power.step()
        return base


class MortalStaging(MemoryStaging):
    """Dies before it keeps something, or after it."""

    def __init__(self, power: Power) -> None:
        super().__init__()
        self._power = power

    async def add(self, tenant: TenantId, batch: BatchId, rows: Sequence[StagedRow]) -> None:
        self._power.step()
        await super().add(tenant, batch, rows)
        self._power.step()

    async def reject(self, tenant: TenantId, batch: BatchId, errors: Sequence[StagedError]) -> None:
        self._power.step()
        await super().reject(tenant, batch, errors)
        self._power.step()

    async def hold(self, tenant: TenantId, batch: BatchId) -> int:
        self._power.step()
        held = await super().hold(tenant, batch)
        self._power.step()
        return held


class Office:
    """A store, a staging area, and one process after another that works on them."""

    def __init__(self, folder: Path, chunk_rows: int = 4) -> None:
        self.clock = FixedClock(datetime(2026, 5, 1, 9, tzinfo=UTC))
        self.power = Power()
        self.store = MortalStore(self.clock, self.power)
        self.keys = MemorySubjectKeys(self.store)
        self.staging = MortalStaging(self.power)
        self.steps_to_live = PLENTY  # Of the worker, counted while it works.
        self._folder = folder
        self._chunk_rows = chunk_rows
        self.place = self.start()

    def start(self) -> Workplace:
        """Start a process; it knows nothing but what the former one left."""
        self.place = Workplace(
            bus=Bus(self.store, vault=Vault(self.keys), companions=companions),
            store=self.store,
            staging=self.staging,
            blobs=MemoryBlobs(self._folder),
            progress=SilentProgress(),
            clock=self.clock,
            chunk_rows=self._chunk_rows,
        )
        return self.place

    async def execute(self, command: type[Command], **given: object) -> Outcome:
        known = {name: value for name, value in given.items() if value is not UNSET}
        return await self.place.bus.execute(build(command, known, self.clock), CONTEXT)

    async def open_books(self, country: str = "ES") -> None:
        await self.execute(
            CreateTenant, tenant=TENANT, slug=Slug("demo"), name="Demo", country=country
        )

    async def open_batch(self) -> BatchId:
        return BatchId((await self.execute(OpenImportBatch)).ids["batch"])

    async def ingest(
        self, content: str, mapping: GivenMapping | None = None, name: str = "may.csv"
    ) -> BatchId:
        """Open a batch, take a file in, and read it."""
        batch = await self.open_batch()
        await self.step(IngestRows, batch=batch, **await self.file(content, mapping, name))
        return batch

    async def file(
        self, content: str, mapping: GivenMapping | None = None, name: str = "may.csv"
    ) -> dict[str, object]:
        """Keep a file, and return what a command says of it."""
        source = self._folder / "source"
        source.write_text(content, "utf-8", newline="")
        return {
            "sha256": await self.place.blobs.put(TENANT, source),
            "name": name,
            "size_bytes": len(content),
            "mapping": structs.asdict(mapping) if mapping else UNSET,
        }

    async def run_all(self, content: str, mapping: GivenMapping | None = None) -> BatchId:
        """Take a file the whole way."""
        batch = await self.ingest(content, mapping)
        await self.step(ValidateImportBatch, batch=batch)
        await self.step(PromoteImportBatch, batch=batch)
        return batch

    async def step(self, command: type[Command], **given: object) -> str:
        """Ask for a step, and do the job that it queues."""
        job = (await self.execute(command, **given)).ids["job"]
        await self.work(job)
        return job

    async def work_anew(self, kind: str, batch: BatchId) -> tuple[int, str]:
        """Do the work of a job that has none left."""
        return await job_kinds()[kind].work(Task(self.place, TENANT, JobId("late"), batch))

    async def work(self, job: str) -> None:
        """Do a job as a worker does; after a kill, in a new process, until it is over."""
        row = (await self.jobs())[job]
        self.power.left = self.steps_to_live
        while not (await self.place.bus.fold(TENANT, Job.at(job=job))).ended:
            try:
                await do_job(Task(self.place, TENANT, row.job, row.subject), row.kind)
            except Killed:
                self.power.left = PLENTY
                self.start()
        self.steps_to_live, self.power.left = self.power.left, PLENTY

    async def history(self, tenant: TenantId = TENANT) -> list[Event]:
        stored = [each async for each in self.store.read(tenant)]
        return await Vault(self.keys).read(tenant, stored)

    async def invoices(self) -> dict[str, InvoiceRow]:
        """Return the invoices of the books by number; their ids are new in each run."""
        rows = project(Invoices, await self.history()).values()
        return {row.number or "": structs.replace(row, invoice="") for row in rows}

    async def batch(self, batch: BatchId) -> ImportBatchRow:
        return project(ImportBatches, await self.history())[batch]

    async def jobs(self) -> dict[str, JobRow]:
        return {str(job): row for job, row in project(Jobs, await self.history()).items()}

    def errors(self, batch: BatchId) -> dict[int, tuple[str, str, str]]:
        """Return code, column and value of each rejected row, by line."""
        found = self.staging.errors_of(TENANT, batch)
        return {error.line: (error.code, error.column, error.value) for error in found}
