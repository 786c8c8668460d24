"""A batch goes open → received → ingested → validated → promoted, and resumes where it was."""

from collections.abc import Iterator
from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta
from msgspec.structs import replace

from domain.ids import BatchId, JobId
from domain.imports.columns import Column, GivenMapping, Layout, normalised
from domain.imports.events import (
    BatchOpened,
    BatchPromoted,
    BatchUnreadable,
    BatchValidated,
    FileIngested,
    FileReceived,
    HeaderRead,
    HeadersLearned,
    ImportEvent,
    PromotionRequested,
    RowsIngested,
    RowsPromoted,
    RowsValidated,
    SourceType,
    StepAbandoned,
    ValidationRequested,
)
from domain.kernel import Boundary, Command, Filled, Refused, State

BatchStatus: TypeAlias = Literal[
    "absent",
    "open",
    "ingesting",
    "ingested",
    "validating",
    "validated",
    "promoting",
    "promoted",
    "failed",
]
BEFORE: Final[dict[BatchStatus, BatchStatus]] = {
    "ingesting": "open",
    "validating": "ingested",
    "promoting": "validated",
}
"""Where a batch goes back to when the job of its step is abandoned."""

FileName = Annotated[str, Meta(min_length=1, max_length=255)]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class ImportBatch(State):
    status: BatchStatus = "absent"
    source_type: SourceType = "invoices"
    sha256: str = ""
    name: str = ""
    mapping: GivenMapping = GivenMapping()
    header: tuple[str, ...] = ()
    layout: Layout | None = None
    rows: int = 0
    through_line: int = 0  # Of the step under way.
    through_document: str = ""
    validated: int = 0
    rejected: int = 0
    promoted: int = 0
    chunk_after_document: str = ""  # Where the chunk began that was promoted last.

    def evolve(self, event: ImportEvent) -> "ImportBatch":  # noqa: PLR0911, PLR0912, C901 - one a case.
        match event:
            case BatchOpened(source_type=source_type):
                return ImportBatch(status="open", source_type=source_type)
            case FileReceived(sha256=sha256, name=name, mapping=mapping):
                return replace(self, status="ingesting", sha256=sha256, name=name, mapping=mapping)
            case HeaderRead(header=header, layout=layout):
                return replace(self, header=header, layout=layout)
            case RowsIngested(through_line=line, rows=rows):
                return replace(self, through_line=line, rows=self.rows + rows)
            case FileIngested():
                return replace(self, status="ingested")
            case BatchUnreadable():
                return replace(self, status="failed")
            case ValidationRequested():
                return replace(self._from_its_first_row(), status="validating")
            case RowsValidated(rows=rows, rejected=rejected):
                return replace(
                    self,
                    through_document=event.through_document,
                    through_line=event.through_line,
                    validated=self.validated + rows,
                    rejected=self.rejected + rejected,
                )
            case BatchValidated():
                return replace(self, status="validated", through_document="")
            case PromotionRequested():
                return replace(self, status="promoting")
            case RowsPromoted(through_document=document, rows=rows):
                return replace(
                    self,
                    through_document=document,
                    promoted=self.promoted + rows,
                    chunk_after_document=event.after_document,
                )
            case BatchPromoted():
                return replace(self, status="promoted")
            case StepAbandoned():
                return self._before_the_step()

    def _before_the_step(self) -> "ImportBatch":
        """Go back to where the step can be asked for; what was promoted stays promoted."""
        if self.status == "ingesting":
            return ImportBatch(status="open", source_type=self.source_type)
        return replace(self, status=BEFORE.get(self.status, self.status))

    def _from_its_first_row(self) -> "ImportBatch":
        return replace(self, through_document="", through_line=0, validated=0, rejected=0)


class HeaderBook(State):
    """The names that a tenant's files have for our columns."""

    columns: dict[str, Column] = {}

    def evolve(self, event: HeadersLearned) -> "HeaderBook":
        return HeaderBook(columns=self.columns | event.columns)


class _OnBatch(Command):
    batch: BatchId

    def boundary(self) -> tuple[Boundary[ImportBatch]]:
        return (ImportBatch.at(batch=self.batch),)

    def _expect(self, batch: ImportBatch, *statuses: BatchStatus) -> None:
        if batch.status == "absent":
            raise Refused(
                "imports.no_batch",
                f"There is no import batch {self.batch}.",
                hint="Open a batch first.",
            )
        if batch.status not in statuses:
            raise Refused(
                "imports.wrong_step",
                f"Batch {self.batch} is {batch.status}; this step needs it {statuses[0]}.",
                hint="The order is open, ingest, validate, promote; each waits for its job.",
            )


class OpenImportBatch(Command):
    """Open a batch that a file's rows will go through."""

    batch: Filled[BatchId]
    source_type: SourceType = "invoices"
    origin: Annotated[str, Meta(max_length=100)] = "api"

    def boundary(self) -> tuple[Boundary[ImportBatch]]:
        return (ImportBatch.at(batch=self.batch),)

    def decide(self, batch: ImportBatch) -> Iterator[ImportEvent]:
        if batch.status != "absent":
            raise Refused(
                "imports.batch_taken",
                f"Batch {self.batch} is open already.",
                hint="Leave the id out, and a new one is made.",
            )
        yield BatchOpened(batch=self.batch, source_type=self.source_type, origin=self.origin)


class IngestRows(_OnBatch):
    """Take in a file that is kept already: its rows are read by a job and wait aside."""

    job: Filled[JobId]
    sha256: Sha256
    name: FileName
    size_bytes: int
    mapping: GivenMapping = GivenMapping()

    def decide(self, batch: ImportBatch) -> Iterator[ImportEvent]:
        self._expect(batch, "open")
        yield FileReceived(
            batch=self.batch,
            job=self.job,
            sha256=self.sha256,
            name=self.name,
            size_bytes=self.size_bytes,
            mapping=self.mapping,
        )


class NoteHeader(_OnBatch):
    """Note how the file is laid out."""

    header: tuple[str, ...]
    layout: Layout

    def decide(self, batch: ImportBatch) -> Iterator[ImportEvent]:
        if batch.status == "ingesting" and batch.layout is None:
            yield HeaderRead(batch=self.batch, header=self.header, layout=self.layout)


class NoteIngested(_OnBatch):
    """Note that a chunk of rows waits aside."""

    through_line: int
    rows: int

    def decide(self, batch: ImportBatch) -> Iterator[ImportEvent]:
        if batch.status == "ingesting" and self.through_line > batch.through_line:
            yield RowsIngested(batch=self.batch, through_line=self.through_line, rows=self.rows)


class FinishIngestion(_OnBatch):
    """Note that the whole file waits aside."""

    def decide(self, batch: ImportBatch) -> Iterator[ImportEvent]:
        if batch.status == "ingesting":
            yield FileIngested(batch=self.batch, rows=batch.rows)


class NoteUnreadable(_OnBatch):
    """Note that the file can't be read."""

    code: str
    message: str
    hint: str

    def decide(self, batch: ImportBatch) -> Iterator[ImportEvent]:
        if batch.status == "ingesting":
            yield BatchUnreadable(
                batch=self.batch, code=self.code, message=self.message, hint=self.hint
            )


class ValidateImportBatch(_OnBatch):
    """Read every row strictly, and say of each bad one where and why."""

    job: Filled[JobId]

    def decide(self, batch: ImportBatch) -> Iterator[ImportEvent]:
        self._expect(batch, "ingested", "validated")
        yield ValidationRequested(batch=self.batch, job=self.job)


class NoteValidated(_OnBatch):
    """Note that a chunk of rows was read."""

    through_document: str
    through_line: int
    rows: int
    rejected: int

    def decide(self, batch: ImportBatch) -> Iterator[ImportEvent]:
        here = (batch.through_document, batch.through_line)
        if batch.status == "validating" and (self.through_document, self.through_line) > here:
            yield RowsValidated(
                batch=self.batch,
                through_document=self.through_document,
                through_line=self.through_line,
                rows=self.rows,
                rejected=self.rejected,
            )


class FinishValidation(_OnBatch):
    """Note that all rows were read."""

    held: int

    def decide(self, batch: ImportBatch) -> Iterator[ImportEvent]:
        if batch.status == "validating":
            yield BatchValidated(
                batch=self.batch,
                accepted=batch.rows - batch.rejected - self.held,
                rejected=batch.rejected,
                held=self.held,
            )


class PromoteImportBatch(_OnBatch):
    """Let the accepted rows enter the books, and remember the names that the mapping taught."""

    job: Filled[JobId]

    def decide(self, batch: ImportBatch) -> Iterator[ImportEvent | HeadersLearned]:
        self._expect(batch, "validated")
        yield PromotionRequested(batch=self.batch, job=self.job)
        # Now, and not before: a mapping that was only tried out teaches nothing.
        if learned := {normalised(k): v for k, v in batch.mapping.columns.items()}:
            yield HeadersLearned(source_type=batch.source_type, columns=learned)


class NotePromoted(_OnBatch):
    """Note that a chunk of documents entered the books. It closes the append that did it."""

    after_document: str  # Where the chunk began: else another worker was here first.
    through_document: str
    rows: int
    invoices: int
    credit_notes: int
    existing: int
    rejected: int

    def decide(self, batch: ImportBatch) -> Iterator[ImportEvent]:
        self._expect(batch, "promoting")
        if batch.through_document != self.after_document:
            raise Refused(
                "imports.chunk_taken",
                f"Another worker promoted past {self.after_document!r} already.",
                hint="Read the batch again.",
            )
        yield RowsPromoted(
            batch=self.batch,
            after_document=self.after_document,
            through_document=self.through_document,
            rows=self.rows,
            invoices=self.invoices,
            credit_notes=self.credit_notes,
            existing=self.existing,
            rejected=self.rejected,
        )


class FinishPromotion(_OnBatch):
    """Note that every accepted row is in the books."""

    def decide(self, batch: ImportBatch) -> Iterator[ImportEvent]:
        if batch.status == "promoting":
            yield BatchPromoted(batch=self.batch)


class AbandonStep(_OnBatch):
    """Note that the job of the step under way is over, and the step is not."""

    def decide(self, batch: ImportBatch) -> Iterator[ImportEvent]:
        if batch.status in {"ingesting", "validating", "promoting"}:
            yield StepAbandoned(batch=self.batch)
