"""Queries that no read model answers: the rows of a file, which wait aside and are not folded."""

import base64
from typing import Final, Literal, TypeAlias

import msgspec
import strawberry
from strawberry.types.field import StrawberryField

from adapters.graphql.asking import Asking, Info
from adapters.graphql.reading import Connection, at_least_wait, connection_type
from adapters.graphql.scalars import Position
from adapters.graphql.shapes import field_of, value_type
from adapters.postgres.models.conditions import require
from adapters.postgres.models.queries import FIRST_DEFAULT, Page, checked_first, get_row
from adapters.postgres.staging import ListedRow, list_import_rows
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
    """Make further fields of Query, by name."""
    import_rows.__annotations__["return"] = connection_type(value_type(ImportRow))
    return {"import_rows": field_of(import_rows, IMPORT_ROWS)}


async def import_rows(
    info: Info,
    batch: strawberry.ID,
    *,
    first: int | None = FIRST_DEFAULT,
    after: str | None = None,
    filter: ImportRowFilter | None = None,  # noqa: A002 - the contract's word.
    at_least: Position | None = None,
) -> Connection:
    asking = info.context
    require(asking.context, ImportBatches.permission)
    rejected, first = _only_rejected(filter), checked_first(first)
    place = _read_place(after, rejected=rejected)
    await at_least_wait(asking, ImportBatches, at_least)
    of = await _batch(asking, batch)
    found: list[ListedRow] = []
    if of is not None:
        pool, tenant = asking.runtime.read_pool, asking.context.tenant
        found = await list_import_rows(
            pool, tenant, of.batch, after=place[1:], limit=first + 1, rejected=rejected
        )
    page = Page(
        rows=[_row(row, of) for row in found[:first]],
        cursors=[_write_place((rejected, row.document, row.line)) for row in found[:first]],
        has_next=len(found) > first,
    )

    async def count() -> int:
        if of is None:
            return 0
        return of.rejected + of.held if rejected else of.rows

    return Connection(page=page, count=count)


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
