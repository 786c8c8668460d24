"""Promote: accepted rows become recorded invoices, a chunk of whole documents an append.

What was promoted is noted in the same append, so that a killed worker goes on where it was and
nothing enters the books twice.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from itertools import groupby

from msgspec import Struct

from application.ahead import ahead
from application.imports.custom import CustomColumns, custom_columns
from application.imports.documents import document_of
from application.jobs import Task
from application.kernel import Outcome
from application.ports import StagedError, StagedRow
from domain.ids import BatchId
from domain.imports import FinishPromotion, ImportBatch, NotePromoted
from domain.imports.cells import RowError, RowReader
from domain.invoicing import InvoiceId, RecordInvoice, kind_of
from domain.kernel import Command, Refused


class _Reading(Struct, frozen=True):
    """By what the rows of a batch are read."""

    reader: RowReader
    custom: CustomColumns
    currency: str


class _Document(Struct, frozen=True):
    rows: Sequence[StagedRow]
    command: RecordInvoice


class _Chunk(Struct, frozen=True):
    """Whole documents: those that can be recorded, and why others can't."""

    through_document: str
    documents: list[_Document]
    errors: list[StagedError]

    @property
    def commands(self) -> list[RecordInvoice]:
        return [document.command for document in self.documents]


async def promote(task: Task) -> tuple[int, str]:
    """Let the accepted documents of a batch enter the books, from the last noted one on."""
    batch_id = BatchId(task.subject)
    batch = await task.fold(ImportBatch.at(batch=batch_id))
    if batch.status != "promoting" or batch.layout is None:
        return batch.promoted, "The rows were promoted before."
    custom = await custom_columns(task, batch, batch.layout)
    reading = _Reading(RowReader(batch.layout), custom, await task.currency())
    await _say_again(task, batch_id, batch, reading)
    after, done, accepted = batch.through_document, batch.promoted, batch.rows - batch.rejected
    read_to = after

    async def produce() -> _Chunk | None:
        nonlocal read_to
        chunk = await _next(task, batch_id, read_to, reading)
        read_to = chunk.through_document if chunk else read_to
        return chunk

    async with aclosing(ahead(produce)) as chunks:
        async for chunk in chunks:
            done += await _record(task, batch_id, after, chunk)
            after = chunk.through_document
            await task.report.advance(done, accepted)
    await task.execute(FinishPromotion(batch=batch_id))
    return done, f"{done} rows entered the books."


async def _say_again(
    task: Task, batch_id: BatchId, batch: ImportBatch, reading: "_Reading"
) -> None:
    """Keep why documents of the last chunk were refused: a kill may have come before that.

    To record them again changes nothing, and what was refused is refused again.
    """
    after = batch.chunk_after_document
    while after < batch.through_document and (
        chunk := await _next(task, batch_id, after, reading, until=batch.through_document)
    ):
        answers = await task.execute_many(chunk.commands)
        await task.place.staging.reject(task.tenant, batch_id, _rejections(chunk, answers))
        after = chunk.through_document


async def _next(
    task: Task,
    batch_id: BatchId,
    after: str,
    reading: "_Reading",
    *,
    until: str | None = None,
) -> _Chunk | None:
    """Read the next sound documents, those after *until* left out."""
    rows = await task.place.staging.documents(
        task.tenant, batch_id, after=after, rows=task.chunk_rows
    )
    if not rows:
        return None
    wanted = [row for row in rows if until is None or row.document <= until]
    documents, errors = await asyncio.to_thread(_documents, wanted, reading, task.new_id, batch_id)
    return _Chunk(rows[-1].document, documents, errors)


def _documents(
    rows: Sequence[StagedRow],
    reading: "_Reading",
    new_id: Callable[[], str],
    batch: BatchId,
) -> tuple[list[_Document], list[StagedError]]:
    documents: list[_Document] = []
    errors: list[StagedError] = []
    for _, group in groupby(rows, lambda row: row.document):
        lines, invoice = tuple(group), InvoiceId(new_id())
        try:
            command = document_of(
                lines, reading.reader, reading.currency, invoice, batch, custom=reading.custom
            )
        except RowError as error:
            errors += _refused(lines, error.code, error.column, error.value, error.reason)
        else:
            documents.append(_Document(lines, command))
    return documents, errors


async def _record(task: Task, batch: BatchId, after: str, chunk: _Chunk) -> int:
    """Append one chunk, and return how many rows entered the books with it."""

    async def note(answers: Sequence[Outcome | Refused]) -> Command:
        made = [d for d, a in zip(chunk.documents, answers, strict=True) if _made(a)]
        refused = sum(isinstance(answer, Refused) for answer in answers)
        return NotePromoted(
            batch=batch,
            after_document=after,
            through_document=chunk.through_document,
            rows=sum(len(document.rows) for document in made),
            invoices=len(made),
            credit_notes=sum(_is_credit_note(document.command) for document in made),
            existing=len(chunk.documents) - len(made) - refused,
            rejected=len(_rejections(chunk, answers)),
        )

    answers = await task.execute_many(chunk.commands, note)
    # After the append: rejected rows are not read again, so that they would not be counted.
    await task.place.staging.reject(task.tenant, batch, _rejections(chunk, answers))
    return sum(
        len(document.rows)
        for document, answer in zip(chunk.documents, answers, strict=False)
        if _made(answer)
    )


def _rejections(chunk: _Chunk, answers: Sequence[Outcome | Refused]) -> list[StagedError]:
    """Say of each row that does not enter the books why."""
    return chunk.errors + [
        error
        for document, answer in zip(chunk.documents, answers, strict=False)
        if isinstance(answer, Refused)
        for error in _refused(
            document.rows, answer.code, "number", document.command.number, str(answer)
        )
    ]


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
