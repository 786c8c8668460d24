"""Which rows of a read model moved: told by the log, and only when they can be read as they are.

A row has moved where an event touched it, whether or not anything in it changed.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final, LiteralString

from msgspec import Struct
from psycopg import DataError, sql

from adapters.postgres.connections import Pool, tenant_transaction
from adapters.postgres.models.conditions import (
    Condition,
    Filter,
    Model,
    all_of,
    filter_conditions,
    scope_of,
)
from adapters.postgres.models.versions import consumer_of, serving_table, serving_version
from application.codec import decode, stored_names
from application.errors import Malformed
from application.kernel import Context
from application.ports import EventStore, QueryItem
from domain.ids import TenantId
from projections.kernel import events_of

KEYS_MAX: Final = 100
"""Rows that are named together."""

REACHED: LiteralString = """
SELECT position FROM projection_cursor WHERE tenant_id = %s AND projection = %s
"""


class Moved(Struct, frozen=True):
    """The rows that moved behind the last ones named, up to a position."""

    keys: tuple[str, ...]
    position: int


async def reached(pool: Pool, model: Model, tenant: TenantId) -> int:
    """Return up to which position the rows of *model* show the log of *tenant*.

    Raises:
        Unavailable: It is being built for the first time, or PostgreSQL is away.

    """
    consumer = consumer_of(model, await serving_version(pool, model))
    async with tenant_transaction(pool, tenant) as connection:
        row = await (await connection.execute(REACHED, (tenant, consumer))).fetchone()
    return int(row[0]) if row else 0


async def moved(
    store: EventStore, model: Model, tenant: TenantId, after: int, until: int
) -> AsyncGenerator[Moved, None]:
    """Name the rows that moved between two positions, some at a time, each of these once."""
    query = [QueryItem(types=stored_names(events_of(model)))]
    keys: dict[str, None] = {}  # In the order in which they moved.
    position = after
    async for stored in store.read(tenant, query, after=after, until=until):
        touched = model.keys(decode(stored))
        if len(keys) + len(touched) > KEYS_MAX and keys:
            yield Moved(tuple(keys), position)
            keys = {}
        keys |= dict.fromkeys(touched)
        position = stored.position
    if keys:
        yield Moved(tuple(keys), position)


def check_filter(model: Model, asked: Filter) -> None:
    """See that rows can be looked for by a filter.

    Raises:
        Malformed: They can't.

    """
    for _ in filter_conditions(model, asked):
        pass


async def matching(
    pool: Pool, model: Model, context: Context, keys: Sequence[str], asked: Filter
) -> frozenset[str]:
    """Name those of the rows with these keys that a filter lets through.

    Raises:
        Malformed: The filter can't be understood.

    """
    scope = scope_of(model, context)
    key = sql.Identifier(model.key)
    named = Condition(sql.SQL("{} = ANY (%s)").format(key), (list(keys),))
    condition = all_of([scope.condition, named, *filter_conditions(model, asked)])
    table = sql.Identifier(await serving_table(pool, model))
    select = sql.SQL("SELECT {} FROM {} WHERE {}").format(key, table, condition.text)
    try:
        async with tenant_transaction(pool, scope.tenant) as connection:
            found: list[Any] = await (
                await connection.execute(select, condition.values)
            ).fetchall()  # Any: a column.
    except (DataError, UnicodeEncodeError) as error:
        raise Malformed(
            "query.bad_value",
            f"{model.name} can't be searched for this value.",
            hint="Leave out control characters, and figures that are out of range.",
        ) from error
    return frozenset(each for (each,) in found)
