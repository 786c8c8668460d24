"""Queries that no read model answers: the rows of a file, which wait aside and are not folded."""

import base64
from collections.abc import Awaitable
from typing import Final

import msgspec
import strawberry
from strawberry.types.field import StrawberryField

from adapters.graphql.asking import Asking, Info
from adapters.graphql.reading import Connection, connection_type
from adapters.graphql.scalars import Position
from adapters.graphql.shapes import field_of
from adapters.postgres.queries import FIRST_DEFAULT, Page, checked_first, get_row
from adapters.postgres.queries_conditions import require
from adapters.postgres.queries_time import wait_for
from adapters.postgres.staging import ListedRow, list_import_rows
from application.errors import Malformed
from domain.ids import BatchId
from projections.import_batches import ImportBatches, ImportBatchRow
from projections.kernel import Row

REJECTED: Final = "rejected"
HELD: Final = "imports.held"
CHECKED: Final = frozenset({"validated", "promoting", "promoted"})
IMPORT_ROWS: Final = (
    "The rows of a batch's file, by document and line; the rejected ones alone, by line."
)


class ImportRowRow(Row):
    """One row of a file."""

    line: int
    document: str
    status: str
    cells: tuple[str, ...]
    code: str | None
    column: str | None
    value: str | None
    reason: str | None


@strawberry.type(name="ImportRow", description="One row of a file, and why it was rejected.")
class ImportRow:
    line: int
    document: str = strawberry.field(description="The number of the invoice it belongs to.")
    status: str = strawberry.field(
        description="waiting, accepted, rejected, or held: a row of its invoice was rejected."
    )
    cells: list[str] = strawberry.field(description="As they came, by the batch's header.")
    code: str | None
    column: str | None
    value: str | None
    reason: str | None


@strawberry.input
class ImportRowStatusFilter:
    eq: str = strawberry.field(description="rejected; it counts the held ones in.")


@strawberry.input
class ImportRowFilter:
    status: ImportRowStatusFilter | None = None


def extra_fields() -> dict[str, StrawberryField]:
    """Make further fields of Query, by name."""
    import_rows.__annotations__["return"] = connection_type(ImportRow)
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
    pool, context = asking.runtime.pool, asking.context
    require(context, ImportBatches.permission)
    rejected, limit = _only_rejected(filter), checked_first(first or 0)
    if at_least is not None:
        seconds_max = asking.runtime.settings.at_least_seconds_max
        await wait_for(pool, context.tenant, ImportBatches.name, at_least, seconds_max)
    of = await _batch(asking, batch)
    found: list[ListedRow] = []
    if of is not None:
        place = _place(after, rejected=rejected)
        found = await list_import_rows(
            pool, context.tenant, of.batch, after=place, limit=limit + 1, rejected=rejected
        )
    rows = [_shown(row, of) for row in found[:limit]]
    cursors = [_cursor(row, rejected=rejected) for row in rows]
    page = Page(rows=rows, cursors=cursors, has_next=len(found) > limit)
    return Connection(page=page, count=lambda: _count(asking, batch, rejected=rejected))
