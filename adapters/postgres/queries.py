"""Reading rows of read models: a page of them, how many there are, or one.

A caller sees the rows of its own tenant, and only those that its permissions open.
"""

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct
from psycopg import DataError, sql

from adapters.postgres.connections import Pool, tenant_transaction
from adapters.postgres.queries_conditions import (
    Condition,
    Filter,
    Model,
    all_of,
    filter_conditions,
    scope_of,
)
from adapters.postgres.queries_keyset import keyset_of
from adapters.postgres.read_models import row_decoder
from adapters.postgres.tables import columns_of
from application.errors import Malformed
from application.kernel import Context
from domain.ids import TenantId
from projections.kernel import Row

FIRST_MAX: Final = 100
FIRST_DEFAULT: Final = 50
LIMIT: Final = sql.SQL(" LIMIT %s")

Records = Sequence[tuple[Any, ...]]  # Any: columns of any type.


class Page(Struct, frozen=True, kw_only=True):
    """Rows in order, the cursor of each, and whether there are more behind them."""

    rows: Sequence[Row]
    cursors: Sequence[str]
    has_next: bool


async def list_rows(
    pool: Pool,
    model: Model,
    context: Context,
    *,
    first: int | None = None,
    after: str | None = None,
    filter: Filter | None = None,  # noqa: A002 - the word that every surface has for it.
    order_by: str | None = None,
) -> Page:
    """Read up to *first* rows behind the cursor *after*, by the key or ``column`` or ``-column``.

    Raises:
        Forbidden: The caller lacks the permission of the model.
        Malformed: ``first``, the cursor, the order or the filter can't be understood.

    """
    first = checked_first(first)
    keyset = keyset_of(model, order_by)
    scope = scope_of(model, context)
    conditions = [scope.condition, *filter_conditions(model, filter or {})]
    ranges = [[behind] for behind in keyset.behind(after)] if after is not None else [[]]
    tail = Condition(keyset.order + LIMIT, (first + 1,))
    query = _union([_select(model, [*conditions, *behind]) for behind in ranges], tail)
    records = await _fetch(pool, scope.tenant, model, query)
    rows = list(map(row_decoder(model.row), records[:first]))
    cursors = [keyset.cursor(row) for row in rows]
    return Page(rows=rows, cursors=cursors, has_next=len(records) > first)


def checked_first(first: int | None) -> int:
    """Return how many rows a page shall hold.

    Raises:
        Malformed: Too many, or none.

    """
    if first is None:
        return FIRST_DEFAULT
    if not 1 <= first <= FIRST_MAX:
        raise Malformed(
            "query.bad_first",
            f"{first} rows were asked for, and a page holds 1 to {FIRST_MAX}.",
            hint="Ask for less, and go on with the cursor of the last row.",
        )
    return first


async def count_rows(
    pool: Pool,
    model: Model,
    context: Context,
    *,
    filter: Filter | None = None,  # noqa: A002 - the word that every surface has for it.
) -> int:
    """Count the rows that *filter* lets through.

    Raises:
        Forbidden: The caller lacks the permission of the model.
        Malformed: The filter can't be understood.

    """
    scope = scope_of(model, context)
    conditions = [scope.condition, *filter_conditions(model, filter or {})]
    query = _select(model, conditions, what=sql.SQL("count(*)"))
    ((count,),) = await _fetch(pool, scope.tenant, model, query)
    return int(count)


async def get_row(pool: Pool, model: Model, context: Context, key: str) -> Row | None:
    """Read one row; None where the caller's tenant has none of this key.

    Raises:
        Forbidden: The caller lacks the permission of the model.

    """
    scope = scope_of(model, context)
    of_key = Condition(sql.SQL("{} = %s").format(sql.Identifier(model.key)), (key,))
    records = await _fetch(pool, scope.tenant, model, _select(model, [scope.condition, of_key]))
    return row_decoder(model.row)(records[0]) if records else None


def _select(
    model: Model, conditions: list[Condition], *, what: sql.Composable | None = None
) -> Condition:
    condition = all_of(conditions)
    columns = sql.SQL(", ").join(sql.Identifier(column.name) for column in columns_of(model.row))
    text = sql.SQL("SELECT {} FROM {} WHERE {}").format(
        what or columns, sql.Identifier(model.name), condition.text
    )
    return Condition(text, condition.values)


def _union(parts: list[Condition], tail: Condition) -> Condition:
    """Read from several ranges, each no further than needed, and put them in order."""
    tailed = [Condition(part.text + tail.text, (*part.values, *tail.values)) for part in parts]
    if len(tailed) == 1:
        return tailed[0]
    text = sql.SQL(") UNION ALL (").join(part.text for part in tailed)
    values = tuple(value for part in tailed for value in part.values)
    return Condition(sql.SQL("(") + text + sql.SQL(")") + tail.text, (*values, *tail.values))


async def _fetch(pool: Pool, tenant: TenantId, model: Model, query: Condition) -> Records:
    try:
        async with tenant_transaction(pool, tenant) as connection:
            return await (await connection.execute(query.text, query.values)).fetchall()
    except (DataError, UnicodeEncodeError) as error:
        raise Malformed(
            "query.bad_value",
            f"{model.name} can't be searched for this value.",
            hint="Leave out control characters, and figures that are out of range.",
        ) from error
