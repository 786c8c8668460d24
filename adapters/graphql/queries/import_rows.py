"""Queries that no read model answers: the rows of a file, which wait aside and are not folded."""

import base64
from typing import Final, Literal, TypeAlias

import msgspec
import strawberry
from strawberry.types.field import StrawberryField

from adapters.graphql.asking import Asking, Info
from adapters.graphql.queries.listing import asks_for_page
from adapters.graphql.queries.pages import Connection, connection_of
from adapters.graphql.queries.rows import add_field, row_types
from adapters.graphql.scalars import Position
from adapters.graphql.shapes import field_of, value_type
from adapters.postgres.models.conditions import require
from adapters.postgres.models.paging import checked_first
from adapters.postgres.models.queries import Page, get_row
from adapters.postgres.staging import ListedRow, list_import_rows
from adapters.waiting import wait_until
from application.errors import Malformed
from domain.ids import BatchId
from projections.imports import ImportBatches, ImportBatchRow
from projections.kernel import Row

REJECTED: Final = "rejected"
HELD: Final = "imports.held"
READ_STRICTLY: Final = frozenset({"validated", "promoting", "promoted"})
IMPORT_ROWS: Final = "The rows of a file by document and line; or the rejected alone, by line."

Place: TypeAlias = tuple[bool, str, int]
"""Whether only the rejected are listed, then the last row's document and line."""


class ImportRow(Row):
    """One row of a file. Its cells are as they came, in the order of the batch's header."""

    line: int
    document: str
    status: Literal["waiting", "accepted", "rejected", "held"]
    cells: tuple[str, ...]
    code: str | None
    column: str | None
    value: str | None
    reason: str | None


@strawberry.input
class ImportRowStatusFilter:
    eq: str = strawberry.field(description="`rejected`, which counts the held ones in.")


@strawberry.input(description="The rejected rows only, or left out: all of them.")
class ImportRowFilter:
    status: ImportRowStatusFilter | None = None


def extra_fields() -> dict[str, StrawberryField]:
    """Make further fields of Query, by name, and that of batches which lists their rows."""
    listed = connection_of(value_type(ImportRow))
    import_rows.__annotations__["return"] = listed
    _rows_of_batch.__annotations__["return"] = listed
    node = row_types()[ImportBatches]
    add_field(node, "import_rows", field_of(_rows_of_batch, IMPORT_ROWS))
    return {"import_rows": field_of(import_rows, IMPORT_ROWS)}


async def import_rows(
    info: Info,
    batch: strawberry.ID,
    *,
    first: int | None = None,
    after: str | None = None,
    filter: ImportRowFilter | None = None,  # noqa: A002 - the contract's word.
    at_least: Position | None = None,
) -> Connection:
    asking = info.context
    require(asking.context, ImportBatches.permission)
    await wait_until(asking.runtime, ImportBatches, asking.context, at_least)
    return _listed(asking, await _batch(asking, batch), first, after, filter)


async def _rows_of_batch(
    info: Info,
    root: strawberry.Parent[Row],
    *,
    first: int | None = None,
    after: str | None = None,
    filter: ImportRowFilter | None = None,  # noqa: A002 - the contract's word.
) -> Connection:
    assert isinstance(root, ImportBatchRow), "Its type has this field."
    return _listed(info.context, root, first, after, filter)


def _listed(
    asking: Asking,
    of: ImportBatchRow | None,
    first: int | None,
    after: str | None,
    asked: ImportRowFilter | None,
) -> Connection:
    rejected = _only_rejected(asked)

    async def read() -> Page:
        asks_for_page(first, None)
        size, place = checked_first(first), _read_place(after, rejected=rejected)
        found: list[ListedRow] = []
        if of is not None:
            pool, tenant = asking.runtime.read_pool, asking.context.tenant
            found = await list_import_rows(
                pool, tenant, of.batch, after=place[1:], limit=size + 1, rejected=rejected
            )
        return Page(
            rows=[_row(row, of) for row in found[:size]],
            cursors=[_write_place((rejected, row.document, row.line)) for row in found[:size]],
            has_next=len(found) > size,
            has_previous=after is not None,
        )

    async def count() -> int:
        if of is None:
            return 0
        return of.rejected + of.held if rejected else of.rows

    return Connection(read=read, count=count)


async def _batch(asking: Asking, batch: str) -> ImportBatchRow | None:
    row = await get_row(asking.runtime.read_pool, ImportBatches, asking.context, BatchId(batch))
    return row if isinstance(row, ImportBatchRow) else None


def _row(row: ListedRow, batch: ImportBatchRow | None) -> ImportRow:
    status: Literal["waiting", "accepted", "rejected", "held"] = "waiting"
    if row.code is not None:
        status = "held" if row.code == HELD else "rejected"
    elif batch is not None and batch.status in READ_STRICTLY:
        status = "accepted"
    return ImportRow(
        line=row.line,
        document=row.document,
        status=status,
        cells=row.cells,
        code=row.code,
        column=row.column,
        value=row.value,
        reason=row.reason,
    )


def _only_rejected(asked: ImportRowFilter | None) -> bool:
    if asked is None or asked.status is None:
        return False
    if asked.status.eq != REJECTED:
        raise Malformed(
            "query.bad_value",
            f"Rows can't be filtered by the status {asked.status.eq!r}.",
            hint=f"Ask for {REJECTED!r}, or leave the filter out.",
        )
    return True


def _write_place(place: Place) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def _read_place(cursor: str | None, *, rejected: bool) -> Place:
    if cursor is None:
        return rejected, "", 0
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        place: Place | None = msgspec.json.decode(text, type=tuple[bool, str, int])
    except (ValueError, msgspec.MsgspecError):
        place = None
    if place is None or place[0] is not rejected:
        raise Malformed(
            "query.bad_cursor",
            "The cursor is damaged, or of another list.",
            hint="Take the cursors of a page with the same filter.",
        )
    return place
