"""Ingest: the rows of a file are put aside as they came, a chunk at a time."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from itertools import islice
from typing import Final

from msgspec import Struct

from application.ahead import ahead
from application.imports.files import RowFile
from application.jobs import Task
from application.ports import StagedRow
from domain.ids import BatchId
from domain.imports import (
    FinishIngestion,
    HeaderBook,
    ImportBatch,
    NoteHeader,
    NoteIngested,
    NoteUnreadable,
)
from domain.imports.cells import RowReader, date_order_of, decimal_mark_of
from domain.imports.columns import Column, GivenMapping, Layout, check_header, match_header
from domain.kernel import Refused

SAMPLE_ROWS: Final = 2_000


async def ingest(task: Task) -> tuple[int, str]:
    """Read the file of a batch, from the last noted line on."""
    batch_id = BatchId(task.subject)
    batch = await task.fold(ImportBatch.at(batch=batch_id))
    if batch.status != "ingesting":
        return batch.rows, "The file was read before."
    try:
        return await _read(task, batch_id, batch)
    except Refused as refusal:
        await task.execute(
            NoteUnreadable(
                batch=batch_id, code=refusal.code, message=refusal.message, hint=refusal.hint
            )
        )
        raise


async def _read(task: Task, batch_id: BatchId, batch: ImportBatch) -> tuple[int, str]:
    file = await asyncio.to_thread(
        RowFile, task.place.blobs.path(task.tenant, batch.sha256), batch.name
    )
    layout = batch.layout or await _lay_out(task, batch_id, batch, file)
    line, rows = batch.through_line or file.header_line, batch.rows
    await task.place.staging.drop_after(task.tenant, batch_id, line)
    reader, records = RowReader(layout), file.rows(layout.delimiter, line)

    async def produce() -> _Chunk | None:
        return await asyncio.to_thread(_chunk, records, reader, task.chunk_rows)

    async with aclosing(ahead(produce)) as chunks:
        async for chunk in chunks:
            await task.place.staging.add(task.tenant, batch_id, chunk.rows)
            await task.execute(
                NoteIngested(batch=batch_id, through_line=chunk.last_line, rows=len(chunk.rows))
            )
            rows += len(chunk.rows)
            await task.report.advance(rows)
    if not rows:
        raise Refused(
            "imports.empty",
            f"File {batch.name}, line {line + 1}: there is no row after the header.",
            hint="Send rows.",
        )
    await task.execute(FinishIngestion(batch=batch_id))
    return rows, f"{rows} rows wait aside."


async def _lay_out(task: Task, batch_id: BatchId, batch: ImportBatch, file: RowFile) -> Layout:
    book = await task.fold(HeaderBook.at(source_type=batch.source_type))
    header, layout = await asyncio.to_thread(_understand, file, batch, book.columns)
    await task.execute(NoteHeader(batch=batch_id, header=header, layout=layout))
    return layout


class _Chunk(Struct, frozen=True):
    rows: list[StagedRow]

    @property
    def last_line(self) -> int:
        return self.rows[-1].line


def _chunk(
    records: Iterator[tuple[int, list[str]]], reader: RowReader, rows_max: int
) -> _Chunk | None:
    rows = [
        StagedRow(reader.number_of(cells), line, cells) for line, cells in islice(records, rows_max)
    ]
    return _Chunk(rows) if rows else None


def _understand(
    file: RowFile, batch: ImportBatch, learned: dict[str, Column]
) -> tuple[tuple[str, ...], Layout]:
    """Read the header, and decide over a sample how the cells are written."""
    mapping: GivenMapping = batch.mapping
    delimiter = file.choose_delimiter(mapping, learned)
    sample = [cells for _, cells in islice(file.rows(delimiter), SAMPLE_ROWS + 1)]
    header = tuple(cell.strip().lstrip("\ufeff") for cell in sample[0]) if sample else ()
    places = match_header(header, learned)
    for name, meant in mapping.columns.items():
        if name.strip() not in header:
            raise Refused(
                "imports.no_such_header",
                f"File {batch.name}, line {file.header_line}: the mapping names {name!r},"
                " which is not there.",
                hint=f"The header is: {', '.join(header)}.",
            )
        places = {c: p for c, p in places.items() if p != header.index(name.strip())}
        places[meant] = header.index(name.strip())
    known = {**places, **dict.fromkeys(mapping.defaults, 0)}
    check_header(header, known, f"{batch.name}, line {file.header_line}")

    def column(*names: Column) -> Iterator[str]:
        wanted = [places[name] for name in names if name in places]
        return (row[place].strip() for row in sample[1:] for place in wanted if place < len(row))

    layout = Layout(
        columns=places,
        delimiter=delimiter,
        decimal_mark=mapping.decimal_mark
        or decimal_mark_of(column("unit_price", "quantity", "tax_rate"), delimiter),
        date_order=mapping.date_order or date_order_of(column("date")),
        cancellation_prefix="C"
        if mapping.cancellation_prefix is None
        else mapping.cancellation_prefix,
        defaults=mapping.defaults,
    )
    return header, layout
