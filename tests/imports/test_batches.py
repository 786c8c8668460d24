"""The rules of import batches: one step after the other, each resumed where it was."""

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.ids import BatchId, JobId
from domain.imports import (
    BatchOpened,
    BatchPromoted,
    BatchUnreadable,
    BatchValidated,
    FileIngested,
    FileReceived,
    FinishIngestion,
    FinishPromotion,
    FinishValidation,
    HeaderBook,
    HeaderRead,
    HeadersLearned,
    ImportBatch,
    ImportEvent,
    IngestRows,
    NoteHeader,
    NoteIngested,
    NotePromoted,
    NoteUnreadable,
    NoteValidated,
    OpenImportBatch,
    PromoteImportBatch,
    PromotionRequested,
    RowsIngested,
    RowsPromoted,
    RowsValidated,
    ValidateImportBatch,
    ValidationRequested,
)
from domain.imports.columns import GivenMapping, Layout
from domain.kernel import Command
from tests.kernel import given, history_of

B, J, SHA = BatchId("b1"), JobId("j1"), "ab" * 32
LAYOUT = Layout(columns={"number": 0, "date": 1, "quantity": 2, "unit_price": 3})
HEADER = ("Factura", "Fecha", "Cantidad", "Precio")
TAUGHT = GivenMapping(columns={"N.º Factura": "number"})

opened = BatchOpened(batch=B, source_type="invoices", origin="api")
received = FileReceived(
    batch=B, job=J, sha256=SHA, name="may.csv", size_bytes=900, mapping=GivenMapping()
)
header_read = HeaderRead(batch=B, header=HEADER, layout=LAYOUT)
some_rows = RowsIngested(batch=B, through_line=101, rows=100)
ingested = FileIngested(batch=B, rows=100)
unreadable = BatchUnreadable(batch=B, code="imports.empty", message="It is empty.", hint="Send.")
to_validate = ValidationRequested(batch=B, job=J)
some_read = RowsValidated(batch=B, through_document="A-9", through_line=60, rows=60, rejected=2)
validated = BatchValidated(batch=B, accepted=95, rejected=2, held=3)
to_promote = PromotionRequested(batch=B, job=J)
some_made = RowsPromoted(
    batch=B, through_document="A-5", rows=50, invoices=9, credit_notes=1, existing=1, rejected=0
)
promoted = BatchPromoted(batch=B)

RECEIVED: tuple[ImportEvent, ...] = (opened, received, header_read, some_rows)
INGESTED = (*RECEIVED, ingested)
VALIDATING = (*INGESTED, to_validate, some_read)
VALIDATED = (*VALIDATING, validated)
PROMOTING = (*VALIDATED, to_promote, some_made)
PROMOTED = (*PROMOTING, promoted)

ingest = IngestRows(batch=B, job=J, sha256=SHA, name="may.csv", size_bytes=900)
validate, promote = ValidateImportBatch(batch=B, job=J), PromoteImportBatch(batch=B, job=J)
note_header = NoteHeader(batch=B, header=HEADER, layout=LAYOUT)
note_ingested = NoteIngested(batch=B, through_line=101, rows=100)
note_unreadable = NoteUnreadable(
    batch=B, code="imports.empty", message="It is empty.", hint="Send."
)
note_validated = NoteValidated(
    batch=B, through_document="A-9", through_line=60, rows=60, rejected=2
)
note_promoted = NotePromoted(
    batch=B,
    after_document="",
    through_document="A-5",
    rows=50,
    invoices=9,
    credit_notes=1,
    existing=1,
    rejected=0,
)
NOTES = [
    note_header,
    note_ingested,
    FinishIngestion(batch=B),
    note_unreadable,
    note_validated,
    FinishValidation(batch=B, held=3),
    FinishPromotion(batch=B),
]


def test_a_batch_is_opened() -> None:
    given().when(OpenImportBatch(batch=B)).then(opened)


def test_an_id_stands_for_one_batch() -> None:
    given(opened).when(OpenImportBatch(batch=B)).then_refused("imports.batch_taken")


def test_a_file_is_taken_in() -> None:
    given(opened).when(ingest).then(received)


@pytest.mark.parametrize("command", [ingest, validate, promote, note_promoted])
def test_a_step_needs_a_batch(command: Command) -> None:
    given().when(command).then_refused("imports.no_batch")


@pytest.mark.parametrize(
    ("history", "command"),
    [
        (RECEIVED, ingest),
        (INGESTED, ingest),
        ((opened,), validate),
        (RECEIVED, validate),
        (VALIDATING, validate),
        (PROMOTED, validate),
        (INGESTED, promote),
        (PROMOTING, promote),
        (PROMOTED, promote),
        (VALIDATED, note_promoted),
        ((opened, received, unreadable), validate),
    ],
)
def test_steps_keep_their_order(history: tuple[ImportEvent, ...], command: Command) -> None:
    given(*history).when(command).then_refused("imports.wrong_step")


def test_the_header_is_noted_once() -> None:
    given(opened, received).when(note_header).then(header_read)
    given(opened, received, header_read).when(note_header).then_nothing()


def test_a_mapping_teaches_its_headers_when_its_file_enters_the_books() -> None:
    taught = replace(received, mapping=TAUGHT)
    learned = HeadersLearned(source_type="invoices", columns={"nofactura": "number"})
    given(opened, taught).when(note_header).then(header_read)
    ready = (taught if event == received else event for event in VALIDATED)
    given(*ready).when(promote).then(to_promote, learned)


def test_later_lessons_stand_beside_earlier_ones() -> None:
    lessons = [
        HeadersLearned(source_type="invoices", columns={"doc": "number", "dia": "date"}),
        HeadersLearned(source_type="invoices", columns={"doc": "description"}),
    ]
    book = HeaderBook.at(source_type="invoices").fold(lessons)
    assert book.columns == {"doc": "description", "dia": "date"}


def test_a_chunk_of_rows_is_noted_once() -> None:
    given(opened, received, header_read).when(note_ingested).then(some_rows)
    given(*RECEIVED).when(note_ingested).then_nothing()
    given(*RECEIVED).when(replace(note_ingested, through_line=100)).then_nothing()


def test_the_whole_file_waits_aside() -> None:
    given(*RECEIVED).when(FinishIngestion(batch=B)).then(ingested)


def test_a_file_that_cannot_be_read_ends_its_batch() -> None:
    given(opened, received).when(note_unreadable).then(unreadable)
    assert ImportBatch.at(batch=B).fold([opened, received, unreadable]).status == "failed"


def test_rows_are_read_again_when_asked() -> None:
    given(*INGESTED).when(validate).then(to_validate)
    given(*VALIDATED).when(validate).then(to_validate)
    again = ImportBatch.at(batch=B).fold((*VALIDATED, to_validate))
    assert (again.through_document, again.through_line, again.validated, again.rejected) == (
        "",
        0,
        0,
        0,
    )


def test_a_chunk_of_validated_rows_is_noted_once() -> None:
    given(*INGESTED, to_validate).when(note_validated).then(some_read)
    given(*VALIDATING).when(note_validated).then_nothing()
    given(*VALIDATING).when(replace(note_validated, through_document="A-8")).then_nothing()
    given(*VALIDATING).when(replace(note_validated, through_line=61)).then(
        replace(some_read, through_line=61)
    )


def test_what_is_not_rejected_or_held_is_accepted() -> None:
    given(*VALIDATING).when(FinishValidation(batch=B, held=3)).then(validated)


def test_accepted_rows_are_let_in() -> None:
    given(*VALIDATED).when(promote).then(to_promote)


def test_a_chunk_of_documents_is_noted_where_it_began() -> None:
    given(*VALIDATED, to_promote).when(note_promoted).then(some_made)


def test_a_chunk_that_another_worker_took_is_refused() -> None:
    given(*PROMOTING).when(note_promoted).then_refused("imports.chunk_taken")


def test_a_batch_is_promoted() -> None:
    given(*PROMOTING).when(FinishPromotion(batch=B)).then(promoted)


def test_a_batch_counts_its_rows() -> None:
    batch = ImportBatch.at(batch=B).fold(PROMOTED)
    assert (batch.status, batch.rows, batch.validated, batch.rejected, batch.promoted) == (
        "promoted",
        100,
        60,
        2,
        50,
    )


@pytest.mark.parametrize("note", NOTES, ids=lambda note: type(note).__name__)
@pytest.mark.parametrize("history", [(), PROMOTED, (opened, received, unreadable)])
def test_a_note_that_comes_too_early_or_too_late_is_quiet(
    history: tuple[ImportEvent, ...], note: Command
) -> None:
    given(*history).when(note).then_nothing()


STEPS = ("absent", "open", "ingesting", "ingested", "validating", "validated", "promoting")
ORDER = {status: place for place, status in enumerate((*STEPS, "promoted", "failed"))}
lines = st.integers(2, 40)
documents = st.sampled_from(["", "A-1", "A-2", "A-3"])
counts = st.integers(0, 9)
commands: st.SearchStrategy[Command] = st.one_of(
    st.sampled_from([OpenImportBatch(batch=B), ingest, validate, promote, *NOTES]),
    st.sampled_from([validate, promote, FinishValidation(batch=B, held=0)]),
    st.builds(NoteIngested, batch=st.just(B), through_line=lines, rows=counts),
    st.builds(
        NotePromoted,
        batch=st.just(B),
        after_document=documents,
        through_document=documents,
        rows=counts,
        invoices=counts,
        credit_notes=counts,
        existing=counts,
        rejected=counts,
    ),
)


@settings(max_examples=50)
@for_all(st.lists(commands, max_size=20))
def test_a_batch_only_moves_forward_but_to_be_read_again(sequence: list[Command]) -> None:
    history = history_of(sequence, [opened, received])
    batch = ImportBatch()
    for event in history:
        if not isinstance(event, ImportEvent):
            continue
        after = batch.evolve(event)
        again = isinstance(event, ValidationRequested) and batch.status == "validated"
        assert again or ORDER[after.status] >= ORDER[batch.status]
        if isinstance(event, RowsIngested):
            assert after.through_line > batch.through_line
        batch = after
