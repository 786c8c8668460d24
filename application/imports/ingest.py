"""Ingest: the rows of a file are put aside as they came, a chunk at a time."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import aclosing
from itertools import islice
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

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
from domain.imports.columns import (
    BATCH_COLUMN,
    Column,
    GivenMapping,
    Layout,
    check_header,
    match_header,
)
from domain.kernel import Refused

ID: Final = re.compile("[0-9a-f-]{36}")
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
    learned = (await task.fold(HeaderBook.at(source_type=batch.source_type))).columns
    sample = await asyncio.to_thread(_sample, file, batch.mapping, learned)
    batch = replace(batch, mapping=await _as_before(task, batch.mapping, sample))
    layout = _understand(file, batch, learned, sample)
    await task.execute(NoteHeader(batch=batch_id, header=sample.header, layout=layout))
    return layout


async def _as_before(task: Task, mapping: GivenMapping, sample: "_Sample") -> GivenMapping:
    """Read an errors file as the file was that its rows come from, where nothing else is said.

    The few rows left in it could look like another decimal mark or another order of dates.
    """
    if BATCH_COLUMN not in sample.header:
        return mapping
    place = sample.header.index(BATCH_COLUMN)
    named = {row[place] for row in sample.rows if place < len(row)} - {""}
    if len(named) != 1 or not ID.fullmatch(source := named.pop()):
        return mapping
    former = await task.fold(ImportBatch.at(batch=source))
    if former.layout is None:
        return mapping
    meant = {former.header[place]: column for column, place in former.layout.columns.items()}
    return GivenMapping(
        columns={k: v for k, v in meant.items() if k in sample.header} | mapping.columns,
        decimal_mark=mapping.decimal_mark or former.layout.decimal_mark,
        date_order=mapping.date_order or former.layout.date_order,
        cancellation_prefix=former.layout.cancellation_prefix
        if mapping.cancellation_prefix is None
        else mapping.cancellation_prefix,
        defaults=former.layout.defaults | mapping.defaults,
    )


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


class _Sample(Struct, frozen=True):
    delimiter: str
    header: tuple[str, ...]
    rows: list[list[str]]


def _sample(file: RowFile, mapping: GivenMapping, learned: dict[str, Column]) -> _Sample:
    delimiter = file.choose_delimiter(mapping, learned)
    header, *rows = [cells for _, cells in islice(file.rows(delimiter), SAMPLE_ROWS + 1)] or [[]]
    return _Sample(delimiter, tuple(cell.strip().lstrip("\ufeff") for cell in header), rows)


def _understand(
    file: RowFile, batch: ImportBatch, learned: dict[str, Column], sample: _Sample
) -> Layout:
    """Find the columns, and decide over the sample how the cells are written."""
    mapping, header, delimiter = batch.mapping, sample.header, sample.delimiter
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
        return (row[place].strip() for row in sample.rows for place in wanted if place < len(row))

    return Layout(
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
