"""Import batches as bookkeepers watch them: how many rows came, went in, and did not."""

from msgspec.structs import replace

from domain.ids import BatchId, JobId
from domain.imports import (
    BatchOpened,
    BatchPromoted,
    BatchUnreadable,
    BatchValidated,
    FileIngested,
    FileReceived,
    HeaderRead,
    ImportEvent,
    PromotionRequested,
    RowsIngested,
    RowsPromoted,
    RowsValidated,
    StepAbandoned,
    ValidationRequested,
)
from domain.imports.batches import BEFORE, BatchStatus
from domain.imports.events import LaterEvent
from projections.kernel import Indexed, ReadModel, Row, many_of, relations


class ImportBatchRow(Row):
    """One batch. Counts are of rows, but for invoices, credit notes and existing documents."""

    batch: BatchId
    source_type: Indexed[str]
    origin: str
    status: Indexed[BatchStatus]
    file_name: str | None = None
    sha256: Indexed[str | None] = None
    size_bytes: int | None = None
    header: tuple[str, ...] = ()
    rows: int = 0
    validated: int = 0
    accepted: int = 0
    rejected: int = 0
    held: int = 0
    promoted: int = 0
    invoices: int = 0
    credit_notes: int = 0
    existing: int = 0
    error_code: str | None = None
    error: str | None = None
    hint: str | None = None
    job: JobId | None = None


class ImportBatches(ReadModel[ImportBatchRow]):
    name = "import_batches"
    row = ImportBatchRow
    key = "batch"
    permission = "imports.batch.read"
    related = relations(
        documents=many_of("invoices", "The documents that came with it.", batch="batch")
    )

    @staticmethod
    def apply(row: ImportBatchRow | None, event: ImportEvent) -> ImportBatchRow | None:
        if isinstance(event, BatchOpened):
            return ImportBatchRow(
                batch=event.batch,
                source_type=event.source_type,
                origin=event.origin,
                status="open",
            )
        assert row is not None, "A batch is opened before anything else happens to it."
        return _changed(row, event)


def _changed(row: ImportBatchRow, event: LaterEvent) -> ImportBatchRow:  # noqa: C901, PLR0911 - one a case.
    match event:
        case FileReceived(name=name, sha256=sha256, size_bytes=size, job=job):
            return replace(
                row, status="ingesting", file_name=name, sha256=sha256, size_bytes=size, job=job
            )
        case HeaderRead(header=header):
            return replace(row, header=header)
        case RowsIngested(rows=rows):
            return replace(row, rows=row.rows + rows)
        case FileIngested(rows=rows):
            return replace(row, status="ingested", rows=rows)
        case BatchUnreadable(code=code, message=message, hint=hint):
            return replace(row, status="failed", error_code=code, error=message, hint=hint)
        case ValidationRequested(job=job):
            return replace(row, status="validating", validated=0, rejected=0, job=job)
        case RowsValidated(rows=rows, rejected=rejected):
            return replace(row, validated=row.validated + rows, rejected=row.rejected + rejected)
        case BatchValidated(accepted=accepted, rejected=rejected, held=held):
            return replace(row, status="validated", accepted=accepted, rejected=rejected, held=held)
        case PromotionRequested(job=job):
            return replace(row, status="promoting", job=job)
        case RowsPromoted():
            return replace(
                row,
                promoted=row.promoted + event.rows,
                invoices=row.invoices + event.invoices,
                credit_notes=row.credit_notes + event.credit_notes,
                existing=row.existing + event.existing,
                accepted=row.accepted - event.rejected,
                rejected=row.rejected + event.rejected,
            )
        case BatchPromoted():
            return replace(row, status="promoted")
        case StepAbandoned():
            again = replace(row, status=BEFORE.get(row.status, row.status))
            return replace(again, rows=0) if again.status == "open" else again
