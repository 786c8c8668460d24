"""Reading rows of read models: a page of them, how many there are, or one.

A caller sees the rows of its own tenant, and only those that its permissions open.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, LiteralString

from msgspec import Struct
from psycopg import DataError, sql

from adapters.postgres.connections import Connection, Pool, tenant_transaction
from adapters.postgres.models.conditions import (
    Belonging,
    Condition,
    Filter,
    Model,
    all_of,
    equal,
    filter_conditions,
    scope_of,
    searched,
)
from adapters.postgres.models.paging import paging_of
from adapters.postgres.models.rows import row_decoder
from adapters.postgres.models.shown import shown_type
from adapters.postgres.models.sight import hidden, veiled
from adapters.postgres.models.tables import columns_of
from adapters.postgres.models.versions import serving_table
from application.errors import Malformed
from application.kernel import Context
from domain.ids import TenantId
from projections.kernel import Row

FOUND_MAX: Final = 1_000
"""Rows that a search is narrowed to by their keys."""

LIMIT: Final = sql.SQL(" LIMIT %s")
SEARCH_KEYS: Final = sql.SQL("SELECT search_keys_v1(%s, %s, %s, %s)")
# How many rows have a word is not known to the planner, which would read and sort all of them.
IN_ORDER: LiteralString = """
SELECT set_config('enable_sort', 'off', true), set_config('enable_seqscan', 'off', true),
       set_config('enable_bitmapscan', 'off', true)
"""

Records = Sequence[tuple[Any, ...]]  # Any: columns of any type.


class Standing(Struct, frozen=True):
    """A row, and the position of the last event that made it what it is."""

    row: Row
    position: int


class Page(Struct, frozen=True, kw_only=True):
    """Rows in order, the cursor of each, and whether there are more behind and before them."""

    rows: Sequence[Row]
    cursors: Sequence[str]
    has_next: bool
    has_previous: bool = False


async def list_rows(
    pool: Pool,
    model: Model,
    context: Context,
    *,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
    filter: Filter | None = None,  # noqa: A002 - the word that every surface has for it.
    belonging: Belonging | None = None,
    order_by: str | None = None,
) -> Page:
    """Read up to *first* rows behind the cursor *after*, by the key or ``column`` or ``-column``.

    Or the *last* ones, before the cursor *before*, in the same order. Where they belong to a row
    of another model, columns of theirs hold what columns of that row hold.

    Raises:
        Forbidden: The caller lacks the permission of the model.
        Malformed: The page, the cursor, the order or the filter can't be understood.

    """
    paging = paging_of(model, order_by, first=first, after=after, last=last, before=before)
    asked = _Asked.of(model, context, filter, belonging)
    ranges = paging.ranges
    tail = Condition(paging.keyset.order + LIMIT, (paging.size + 1,))
    async with _reading(pool, asked) as (connection, table):
        conditions = await _conditions(connection, table, asked, some=True)
        parts = [_select(table, model, [*conditions, *behind]) for behind in ranges]
        records = await _fetch(connection, _union(parts, tail))
    rows = list(map(_reader(model, context), paging.turned(records)))
    return Page(
        rows=rows,
        cursors=list(map(paging.keyset.cursor, rows)),
        has_next=paging.has_next(records),
        has_previous=paging.has_previous(records),
    )


async def count_rows(
    pool: Pool,
    model: Model,
    context: Context,
    *,
    filter: Filter | None = None,  # noqa: A002 - the word that every surface has for it.
    belonging: Belonging | None = None,
) -> int:
    """Count the rows that *filter* lets through.

    Raises:
        Forbidden: The caller lacks the permission of the model.
        Malformed: The filter can't be understood.

    """
    asked = _Asked.of(model, context, filter, belonging)
    async with _reading(pool, asked) as (connection, table):
        conditions = await _conditions(connection, table, asked)
        query = _select(table, model, conditions, what=sql.SQL("count(*)"))
        ((count,),) = await _fetch(connection, query)
    return int(count)


async def get_row(pool: Pool, model: Model, context: Context, key: str) -> Row | None:
    """Read one row as `find_row` does, and only the row."""
    found = await find_row(pool, model, context, key)
    return found.row if found else None


async def find_row(pool: Pool, model: Model, context: Context, key: str) -> Standing | None:
    """Read one row; None where the caller's tenant has none of this key.

    Raises:
        Forbidden: The caller lacks the permission of the model.
        Malformed: The key can't be one.

    """
    asked = _Asked.of(model, context)
    of_key = equal(model.key, key)
    what = sql.SQL("{}, position").format(_columns(model))
    async with _reading(pool, asked) as (connection, table):
        conditions = [*asked.conditions, of_key]
        records = await _fetch(connection, _select(table, model, conditions, what=what))
    read = _reader(model, context)
    return Standing(read(records[0]), records[0][-1]) if records else None


def _reader(model: Model, context: Context) -> Callable[[Sequence[Any]], Row]:  # Any: as above.
    """Make what reads a record as the caller is shown it."""
    decode, fields = row_decoder(shown_type(model.row)), hidden(model, context)
    return decode if not fields else lambda record: veiled(decode(record), fields)


async def matching_keys(
    pool: Pool,
    model: Model,
    context: Context,
    keys: Sequence[str],
    filter: Filter,  # noqa: A002 - as above.
) -> frozenset[str]:
    """Name those of the rows with these keys that *filter* lets through.

    Raises:
        Forbidden: The caller lacks the permission of the model.
        Malformed: The filter can't be understood.

    """
    asked = _Asked.of(model, context, filter)
    key = sql.Identifier(model.key)
    named = Condition(sql.SQL("{} = ANY (%s)").format(key), (list(keys),))
    async with _reading(pool, asked) as (connection, table):
        query = _select(table, model, [*asked.conditions, named], what=key)
        return frozenset(key for (key,) in await _fetch(connection, query))


class _Asked(Struct, frozen=True, kw_only=True):
    """Which rows of a model are asked for, of those that the caller may see."""

    model: Model
    tenant: TenantId
    conditions: list[Condition]
    patterns: list[str]

    @classmethod
    def of(
        cls,
        model: Model,
        context: Context,
        asked: Filter | None = None,
        belonging: Belonging | None = None,
    ) -> "_Asked":
        scope, asked = scope_of(model, context), asked or {}
        return cls(
            model=model,
            tenant=scope.tenant,
            conditions=[
                scope.condition,
                *(equal(column, value) for column, value in (belonging or {}).items()),
                *filter_conditions(model, asked),
            ],
            patterns=searched(asked),
        )


async def _conditions(
    connection: Connection, table: str, asked: _Asked, *, some: bool = False
) -> list[Condition]:
    """Narrow a search to the keys of the rows that have the words, where they are few.

    Under row-level security no index is asked for LIKE; a function that stands above it does so.
    Where many rows have the words, and *some* are wanted in an order, these are soon met in it.
    """
    if not asked.patterns:
        return asked.conditions
    key = asked.model.key
    found = Condition(SEARCH_KEYS, (table, key, asked.patterns, FOUND_MAX + 1))
    keys = [key for (key,) in await _fetch(connection, found)]
    if len(keys) <= FOUND_MAX:
        of_keys = sql.SQL("{} IN (SELECT unnest(%s::text[]))").format(sql.Identifier(key))
        return [*asked.conditions, Condition(of_keys, (keys,))]
    if some:
        await connection.execute(IN_ORDER)
    return asked.conditions


def _select(
    table: str, model: Model, conditions: list[Condition], *, what: sql.Composable | None = None
) -> Condition:
    condition = all_of(conditions)
    text = sql.SQL("SELECT {} FROM {} WHERE {}").format(
        what or _columns(model), sql.Identifier(table), condition.text
    )
    return Condition(text, condition.values)


def _columns(model: Model) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(column.name) for column in columns_of(model.row))


def _union(parts: list[Condition], tail: Condition) -> Condition:
    """Read from several ranges, each no further than needed, and put them in order."""
    tailed = [Condition(part.text + tail.text, (*part.values, *tail.values)) for part in parts]
    if len(tailed) == 1:
        return tailed[0]
    text = sql.SQL(") UNION ALL (").join(part.text for part in tailed)
    values = tuple(value for part in tailed for value in part.values)
    return Condition(sql.SQL("(") + text + sql.SQL(")") + tail.text, (*values, *tail.values))


async def _fetch(connection: Connection, query: Condition) -> Records:
    return await (await connection.execute(query.text, query.values)).fetchall()


@asynccontextmanager
async def _reading(pool: Pool, asked: _Asked) -> AsyncIterator[tuple[Connection, str]]:
    """Lend a transaction, and name the table that serves."""
    table = await serving_table(pool, asked.model)
    try:
        async with tenant_transaction(pool, asked.tenant) as connection:
            yield connection, table
    except (DataError, UnicodeEncodeError) as error:
        raise Malformed(
            "query.bad_value",
            f"{asked.model.name} can't be searched for this value.",
            hint="Leave out control characters, and figures that are out of range.",
        ) from error
