"""What happens to a batch and its rows, a chunk an event."""

from typing import Literal, TypeAlias

from domain.ids import BatchId, JobId
from domain.imports.columns import Column, GivenMapping, Layout
from domain.kernel import Event, Key

SourceType: TypeAlias = Literal["invoices"]


class BatchOpened(Event):
    batch: Key[BatchId]
    source_type: SourceType
    origin: str


class FileReceived(Event):
    """A file was kept under its SHA-256, in hex, and is to be read by the job."""

    batch: Key[BatchId]
    job: JobId
    sha256: Key[str]
    name: str
    size_bytes: int
    mapping: GivenMapping


class HeaderRead(Event):
    """The first line was understood, and with it how the others are to be read."""

    batch: Key[BatchId]
    header: tuple[str, ...]
    layout: Layout


class HeadersLearned(Event):
    """A mapping named headers; files of this type are read by them from now on."""

    source_type: Key[SourceType]
    columns: dict[str, Column]  # Normalised header -> column.


class RowsIngested(Event):
    """A chunk of rows waits aside. Lines count from 1, as in the file."""

    batch: Key[BatchId]
    through_line: int
    rows: int


class FileIngested(Event):
    batch: Key[BatchId]
    rows: int


class BatchUnreadable(Event):
    """The file as a whole can't be read; nothing of it enters the books."""

    batch: Key[BatchId]
    code: str
    message: str
    hint: str


class ValidationRequested(Event):
    batch: Key[BatchId]
    job: JobId


class RowsValidated(Event):
    """A chunk of rows was read strictly, in the order of their documents."""

    batch: Key[BatchId]
    through_document: str
    through_line: int
    rows: int
    rejected: int


class BatchValidated(Event):
    """All rows were read. Held rows are good, but their document has a rejected one."""

    batch: Key[BatchId]
    accepted: int
    rejected: int
    held: int


class PromotionRequested(Event):
    batch: Key[BatchId]
    job: JobId


class RowsPromoted(Event):
    """A chunk of documents entered the books, in this very append."""

    batch: Key[BatchId]
    through_document: str
    rows: int
    invoices: int
    credit_notes: int  # Of the invoices.
    existing: int  # Documents that were in the books already, equal; nothing was made of them.
    rejected: int  # Rows of documents that were refused.
    after_document: str = ""  # Where the chunk began.


class BatchPromoted(Event):
    batch: Key[BatchId]


class StepAbandoned(Event):
    """The job of the step under way was cancelled or failed; the step can be asked for again."""

    batch: Key[BatchId]


LaterEvent: TypeAlias = (
    FileReceived
    | HeaderRead
    | RowsIngested
    | FileIngested
    | BatchUnreadable
    | ValidationRequested
    | RowsValidated
    | BatchValidated
    | PromotionRequested
    | RowsPromoted
    | BatchPromoted
    | StepAbandoned
)

ImportEvent: TypeAlias = BatchOpened | LaterEvent
