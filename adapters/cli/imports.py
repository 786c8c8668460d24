"""`asiento import`: a file taken through open, ingest, validate and promote, step by step."""

import time
from pathlib import Path
from typing import Annotated, Any, Final, get_args

from cyclopts import Parameter
from msgspec import Struct
from rich.progress import Progress

from adapters.cli.options import ReadableFile, TenantOption, read_object
from adapters.cli.output import Result, Table, progress
from adapters.cli.session import find_tenant, operator, with_runtime
from adapters.cli.watch import through_outages, watch_job, watch_projection
from adapters.postgres.errors_file import write_errors_file
from adapters.postgres.models.versions import consumer_of
from adapters.runtime import Runtime
from application.codec import decode
from application.kernel import Context, Outcome, build, new_id
from application.ports import QueryItem, StoredEvent
from domain.ids import BatchId, JobId
from domain.imports import (
    ImportEvent,
    IngestRows,
    OpenImportBatch,
    PromoteImportBatch,
    SourceType,
    ValidateImportBatch,
)
from domain.kernel import Command
from projections.imports import ImportBatches, ImportBatchRow
from projections.invoices import Invoices
from projections.kernel import project

ORIGIN: Final = "cli"
ERRORS: Final = "errors"  # The folder of ASIENTO_DATA for the rows that did not go in.
PROCESSES: Final = ("projector", "worker")
MILESTONES: Final = tuple(event.__name__ for event in get_args(ImportEvent))


class Seconds(Struct, frozen=True, kw_only=True):
    """How long each step took, its job's wait included."""

    ingest: float
    validate: float
    promote: float


class Imported(Struct, frozen=True, kw_only=True):
    """What became of a file. Counts are of rows, but for the last three."""

    batch: BatchId
    rows: int
    accepted: int
    rejected: int
    held: int
    promoted: int
    invoices: int
    credit_notes: int
    existing: int
    errors_file: str | None
    position: int
    seconds: Seconds


def import_file(
    file: ReadableFile,
    /,
    *,
    tenant: TenantOption,
    type_: Annotated[SourceType, Parameter(name="--type")],
    mapping: ReadableFile | None = None,
    promote: bool = True,
) -> Result:
    """Take a file through all steps into the books. The same file again makes nothing twice.

    Args:
        file: A CSV file, or one packed by gzip.
        tenant: Whose books.
        type_: What its rows are.
        mapping: A JSON file that says which header means which column, and the formats.
        promote: Let the accepted rows enter the books; else stop after validating them.

    """
    given = read_object(f"@{mapping}") if mapping else {}

    async def work(runtime: Runtime) -> Result:
        context = operator(await find_tenant(runtime, tenant))
        with progress() as bars:
            steps = Steps(runtime, context, bars)
            await steps.open(type_)
            await steps.ingest(file, given)
            await steps.run("validate", ValidateImportBatch)
            if promote:
                await steps.run("promote", PromoteImportBatch)
                await through_outages(
                    lambda: watch_projection(
                        runtime, context.tenant, consumer_of(Invoices), steps.position
                    )
                )
        return shown(await steps.result(file))

    return with_runtime(work, PROCESSES)


class Steps:
    """A batch on its way: each step is a command that starts a job, and the wait for it."""

    def __init__(self, runtime: Runtime, context: Context, bars: Progress) -> None:
        self._runtime = runtime
        self._context = context
        self._bars = bars
        self._seconds = dict.fromkeys(Seconds.__struct_fields__, 0.0)
        self.batch = BatchId("")
        self.position = 0

    async def open(self, source_type: SourceType) -> None:
        opened = await self._execute(
            OpenImportBatch, {"source_type": source_type, "origin": ORIGIN}
        )
        self.batch = BatchId(opened.ids["batch"])

    async def ingest(self, file: Path, mapping: dict[str, object]) -> None:
        """Keep a copy of the file, as its rows are read by another process."""
        sha256 = await self._runtime.blobs.put(self._context.tenant, file)
        given = {
            "sha256": sha256,
            "name": file.name,
            "size_bytes": self._runtime.blobs.path(self._context.tenant, sha256).stat().st_size,
            "mapping": mapping,
        }
        await self.run("ingest", IngestRows, given)

    async def run(
        self, step: str, command: type[Command], given: dict[str, Any] | None = None
    ) -> None:
        """Start the job of a step, and wait until it is done."""
        started = time.perf_counter()
        asked = await self._execute(command, {"batch": self.batch, **(given or {})})
        job = JobId(asked.ids["job"])
        ended = await watch_job(self._runtime, self._context.tenant, job, self._bars, step)
        self.position = ended.cursor
        self._seconds[step] = round(time.perf_counter() - started, 3)

    async def result(self, file: Path) -> Imported:
        """Count what became of the rows, by the log, and write the bad ones into a file."""
        tenant = self._context.tenant
        found = await through_outages(self._milestones)
        row: ImportBatchRow = project(ImportBatches, map(decode, found))[self.batch]
        errors_file = None
        if row.rejected or row.held:
            path = self._runtime.settings.data / ERRORS / f"{file.stem}-{self.batch}.csv"
            await write_errors_file(self._runtime.pool, tenant, self.batch, path)
            errors_file = str(path)
        return Imported(
            batch=self.batch,
            rows=row.rows,
            accepted=row.accepted,
            rejected=row.rejected,
            held=row.held,
            promoted=row.promoted,
            invoices=row.invoices,
            credit_notes=row.credit_notes,
            existing=row.existing,
            errors_file=errors_file,
            position=self.position,
            seconds=Seconds(**self._seconds),
        )

    async def _milestones(self) -> list[StoredEvent]:
        query = [QueryItem(types=MILESTONES, tags=(f"batch:{self.batch}",))]
        return [each async for each in self._runtime.store.read(self._context.tenant, query)]

    async def _execute(self, command: type[Command], given: dict[str, Any]) -> Outcome:
        asked = build(command, given, self._runtime.clock)
        # An outage may hide that it was done; under a key of its own it is done once.
        key = new_id(self._runtime.clock.now())
        return await through_outages(
            lambda: self._runtime.bus.execute(asked, self._context, key=key)
        )


def shown(imported: Imported) -> Result:
    """Show what became of a file."""
    counts = ("rows", "accepted", "rejected", "held", "promoted")
    documents = ("invoices", "credit_notes", "existing")
    table = Table(
        ("WHAT", "HOW MANY"),
        [(name.replace("_", " "), getattr(imported, name)) for name in (*counts, *documents)],
    )
    people: list[str | Table] = [table]
    if imported.errors_file:
        people.append(f"The bad rows, with their reasons: {imported.errors_file}")
    return Result(document=imported, people=tuple(people))
