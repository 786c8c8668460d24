"""Promote: accepted rows become recorded invoices, a chunk of whole documents an append.

What was promoted is noted in the same append, so that a killed worker goes on where it was and
nothing enters the books twice.
"""

import asyncio
from collections.abc import Callable, Sequence
from itertools import groupby

from msgspec import Struct

from application.imports.documents import document_of
from application.jobs import Task
from application.kernel import Outcome
from application.ports import StagedError, StagedRow
from domain.ids import BatchId
from domain.imports import FinishPromotion, ImportBatch, NotePromoted
from domain.imports.cells import RowError, RowReader
from domain.invoicing import InvoiceId, RecordInvoice, kind_of
from domain.kernel import Command, Refused


class _Document(Struct, frozen=True):
    rows: Sequence[StagedRow]
    command: RecordInvoice


async def promote(task: Task) -> tuple[int, str]:
    """Let the accepted documents of a batch enter the books, from the last noted one on."""
    batch_id = BatchId(task.subject)
    batch = await task.fold(ImportBatch.at(batch=batch_id))
    if batch.status != "promoting" or batch.layout is None:
        return batch.promoted, "The rows were promoted before."
    reader, currency = RowReader(batch.layout), await task.currency()
    after, done, accepted = batch.through_document, batch.promoted, batch.rows - batch.rejected
    while rows := await task.place.staging.documents(
        task.tenant, batch_id, after=after, rows=task.chunk_rows
    ):
        documents, errors = await asyncio.to_thread(
            _documents, rows, reader, currency, task.new_id, batch_id
        )
        done += await _record(task, batch_id, documents, errors, (after, rows[-1].document))
        after = rows[-1].document
        await task.report.advance(done, accepted)
    await task.execute(FinishPromotion(batch=batch_id))
    return done, f"{done} rows are in the books."


def _documents(
    rows: Sequence[StagedRow],
    reader: RowReader,
    currency: str,
    new_id: Callable[[], str],
    batch: BatchId,
) -> tuple[list[_Document], list[StagedError]]:
    documents: list[_Document] = []
    errors: list[StagedError] = []
    for _, group in groupby(rows, lambda row: row.document):
        lines, invoice = tuple(group), InvoiceId(new_id())
        try:
            command = document_of(lines, reader, currency, invoice, batch)
        except RowError as error:
            errors += _refused(lines, error.code, error.column, error.value, error.reason)
        else:
            documents.append(_Document(lines, command))
    return documents, errors


async def _record(
    task: Task,
    batch: BatchId,
    documents: Sequence[_Document],
    errors: list[StagedError],
    span: tuple[str, str],
) -> int:
    """Append one chunk, and return how many rows entered the books with it."""

    async def note(answers: Sequence[Outcome | Refused]) -> Command:
        made = [d for d, a in zip(documents, answers, strict=True) if _made(a)]
        refused = [
            (d, a) for d, a in zip(documents, answers, strict=True) if isinstance(a, Refused)
        ]
        rejected = errors + [
            error
            for document, refusal in refused
            for error in _refused(
                document.rows, refusal.code, "number", document.command.number, str(refusal)
            )
        ]
        # Before the append: a worker that is killed between the two says it again.
        await task.place.staging.reject(task.tenant, batch, rejected)
        return NotePromoted(
            batch=batch,
            after_document=span[0],
            through_document=span[1],
            rows=sum(len(document.rows) for document in made),
            invoices=len(made),
            credit_notes=sum(_is_credit_note(document.command) for document in made),
            existing=len(documents) - len(made) - len(refused),
            rejected=len(rejected),
        )

    answers = await task.execute_many([document.command for document in documents], note)
    return sum(
        len(document.rows)
        for document, answer in zip(documents, answers, strict=False)
        if _made(answer)
    )


def _made(answer: Outcome | Refused) -> bool:
    return isinstance(answer, Outcome) and bool(answer.events)


def _is_credit_note(command: RecordInvoice) -> bool:
    return (command.kind or kind_of(command.lines)) == "credit_note"


def _refused(
    rows: Sequence[StagedRow], code: str, column: str, value: str, reason: str
) -> list[StagedError]:
    return [
        StagedError(
            document=row.document,
            line=row.line,
            code=code,
            column=column,
            value=value,
            reason=reason,
        )
        for row in rows
    ]
