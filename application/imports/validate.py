"""Validate: every row is read strictly; of each bad one it is kept where and why."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

from application.ahead import ahead
from application.imports.custom import CustomColumns, custom_columns
from application.imports.files import BROKEN
from application.jobs import Task
from application.ports import StagedError, StagedRow
from domain.ids import BatchId
from domain.imports import FinishValidation, ImportBatch, NoteValidated
from domain.imports.cells import RowError, RowReader


async def validate(task: Task) -> tuple[int, str]:
    """Read the rows of a batch, from the last noted one on."""
    batch_id = BatchId(task.subject)
    batch = await task.fold(ImportBatch.at(batch=batch_id))
    if batch.status != "validating" or batch.layout is None:
        return batch.validated, "The rows were read before."
    at = (batch.through_document, batch.through_line)
    done, rejected = batch.validated, batch.rejected
    if not done:
        await task.place.staging.clear_errors(task.tenant, batch_id)
    reader, width = RowReader(batch.layout), len(batch.header)
    custom = await custom_columns(task, batch, batch.layout)

    async def produce() -> tuple[list[StagedRow], list[StagedError]] | None:
        nonlocal at
        rows = await task.place.staging.rows(task.tenant, batch_id, after=at, limit=task.chunk_rows)
        if not rows:
            return None
        at = (rows[-1].document, rows[-1].line)
        return rows, await asyncio.to_thread(_check, rows, reader, width, custom)

    async with aclosing(ahead(produce)) as chunks:
        async for rows, errors in chunks:
            await task.place.staging.reject(task.tenant, batch_id, errors)
            await task.execute(
                NoteValidated(
                    batch=batch_id,
                    through_document=rows[-1].document,
                    through_line=rows[-1].line,
                    rows=len(rows),
                    rejected=len(errors),
                )
            )
            done, rejected = done + len(rows), rejected + len(errors)
            await task.report.advance(done, batch.rows)
    held = await task.place.staging.hold(task.tenant, batch_id)
    await task.execute(FinishValidation(batch=batch_id, held=held))
    return done, f"{rejected} rows are rejected, {held} held back."


def _check(
    rows: Sequence[StagedRow], reader: RowReader, width: int, custom: CustomColumns
) -> list[StagedError]:
    """Find what is wrong: at most one error a row."""
    errors: list[StagedError] = []
    for row in rows:
        try:
            _check_width(row, width)
            reader.read(row.cells)
            custom.read(row.cells)
        except RowError as error:
            errors.append(
                StagedError(
                    document=row.document,
                    line=row.line,
                    code=error.code,
                    column=error.column,
                    value=error.value,
                    reason=error.reason,
                )
            )
    return errors


def _check_width(row: StagedRow, width: int) -> None:
    if row.cells[-1:] == [BROKEN]:
        shown = " ".join(row.cells[:-1])
        raise RowError("imports.bad_quotes", "", shown, "The quotes of this record are broken.")
    if len(row.cells) > width and any(row.cells[width:]):
        raise RowError(
            "imports.too_many_cells",
            "",
            row.cells[width],
            f"It has {len(row.cells)} cells and the header {width}; a cell may lack its quotes.",
        )
