"""The new table of a rebuild: made bare, and given the indexes of the old one once it is full.

What the serving table has, its columns and indexes, is asked of PostgreSQL: `asiento migrate` made
it as its read model declares it.
"""

import asyncio
from collections.abc import Sequence
from typing import Final, LiteralString

from psycopg import sql

from adapters.postgres.connections import Connection
from adapters.postgres.projecting.building.task import Task, open_owner
from projections.kernel import gathers

SERVING_SCHEMA: Final = "public"
OPTIONS: LiteralString = """
SELECT array_to_string(reloptions, ', ') FROM pg_class WHERE oid = to_regclass(%s)
"""
# By what each is, apart from its name, so that those that are there are known again. First those
# that take long: of searched texts.
INDEXES: LiteralString = """
SELECT substring(pg_get_indexdef(indexrelid) FROM ' USING .*$'), indisunique, indisprimary
FROM pg_index WHERE indrelid = to_regclass(%s) AND indisvalid
ORDER BY pg_get_indexdef(indexrelid) LIKE '%% USING btree %%', NOT indisprimary, indexrelid
"""
FRUGAL: LiteralString = """
SET maintenance_work_mem = '128MB';
SET synchronous_commit = off
"""


class Absent(Exception):
    """The table that serves is not there."""


async def make_shadow(owner: Connection, task: Task) -> None:
    """Make the new table; where rows are looked up while they are folded, with its key."""
    live = sql.Identifier(SERVING_SCHEMA, task.live)
    row = await (await owner.execute(OPTIONS, (_name(SERVING_SCHEMA, task.live),))).fetchone()
    if row is None:
        raise Absent(task.live)
    await owner.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(task.shadow_name))
    await owner.execute(
        sql.SQL(
            "CREATE TABLE {} (LIKE {} INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING STORAGE){}"
        ).format(task.shadow_name, live, sql.SQL(f" WITH ({row[0]})" if row[0] else ""))
    )
    await owner.execute(
        sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON {} TO asiento_appender").format(
            task.shadow_name
        )
    )
    if gathers(task.model):
        await make_indexes(task, 1, primary_only=True)


async def make_indexes(task: Task, jobs: int, *, primary_only: bool = False) -> None:
    """Make the indexes that are missing, so many at a time, and let the planner know the rows."""
    async with await open_owner(task.url) as owner:
        wanted = await _indexes(owner, SERVING_SCHEMA, task.live)
        there = await _indexes(owner, task.schema, task.shadow)
    left = [each for each in wanted if each not in there and (each[2] or not primary_only)]

    async def make_some() -> None:
        async with await open_owner(task.url) as connection:
            await connection.execute(FRUGAL)
            while left:
                what, is_unique, is_primary = left.pop(0)
                await _make(connection, task, what, is_unique=is_unique, is_primary=is_primary)

    await asyncio.gather(*(make_some() for _ in range(min(max(1, jobs), len(left)))))


async def analyze(owner: Connection, task: Task) -> None:
    """Let the planner know the rows."""
    await owner.execute(sql.SQL("ANALYZE {}").format(task.shadow_name))


async def drop_shadow(owner: Connection, schema: str, table: str) -> None:
    """Drop the new table; a schema that it had to itself goes with it."""
    await owner.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(schema, table)))


async def exists(owner: Connection, schema: str, table: str) -> bool:
    row = await (await owner.execute("SELECT to_regclass(%s)", (_name(schema, table),))).fetchone()
    return row is not None and row[0] is not None


async def _indexes(
    owner: Connection, schema: str, table: str
) -> Sequence[tuple[LiteralString, bool, bool]]:
    return await (await owner.execute(INDEXES, (_name(schema, table),))).fetchall()


async def _make(
    connection: Connection,
    task: Task,
    what: LiteralString,
    *,
    is_unique: bool,
    is_primary: bool,
) -> None:
    table = task.shadow_name
    if not is_primary:
        make = sql.SQL("CREATE UNIQUE INDEX ON {}" if is_unique else "CREATE INDEX ON {}")
        await connection.execute(sql.SQL("{}{}").format(make.format(table), sql.SQL(what)))
        return
    columns = sql.SQL(", ").join(map(sql.Identifier, ("tenant_id", task.model.key)))
    await connection.execute(sql.SQL("ALTER TABLE {} ADD PRIMARY KEY ({})").format(table, columns))


def _name(schema: str, table: str) -> str:
    return sql.Identifier(schema, table).as_string(None)
