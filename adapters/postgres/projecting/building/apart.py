"""Rows as of a day, in a schema of their own: for the owner of the database, and nobody else."""

import re
from typing import Final, LiteralString

from psycopg import sql

from adapters.postgres.connections import Connection
from adapters.postgres.projecting.building import ledger
from adapters.postgres.projecting.building.shadow import exists
from adapters.postgres.projecting.building.task import Task, open_owner
from application.errors import Conflict, Malformed

SCHEMA: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
MARK: Final = "Rows as of a day, made by `asiento projections rebuild`. Dropped as a whole."
FIND: LiteralString = """
SELECT coalesce(obj_description(oid, 'pg_namespace'), '') FROM pg_namespace WHERE nspname = %s
"""
EMPTY: LiteralString = """
SELECT FROM pg_namespace AS n
WHERE nspname = %s AND obj_description(oid, 'pg_namespace') = %s
  AND NOT EXISTS (SELECT FROM pg_class AS c WHERE c.relnamespace = n.oid)
"""


async def check_schema(task: Task) -> None:
    """See that the schema can be made, or that one of its name was made for this.

    Raises:
        Malformed: The name can't be that of a schema.
        Conflict: It holds something else, or these rows already.

    """
    name = task.schema
    if not SCHEMA.fullmatch(name) or name == "information_schema" or name.startswith("pg_"):
        raise Malformed(
            "projections.bad_schema",
            f"{name[:63]!r} can't be the schema of a rebuild.",
            hint="Use small letters, digits and _, up to 63, such as `year_2025`.",
        )
    async with await open_owner(task.url) as owner:
        found = await (await owner.execute(FIND, (name,))).fetchone()
        if found not in {None, (MARK,)}:
            raise Conflict(
                "projections.schema_taken",
                f"The schema {name} holds something else.",
                hint="Name another with --into; it is made.",
            )
        if await exists(owner, name, task.made):
            raise Conflict(
                "projections.schema_taken",
                f"The schema {name} holds {task.made} already.",
                hint=f"Name another with --into, or drop it: DROP SCHEMA {name} CASCADE.",
            )


async def make_schema(owner: Connection, task: Task) -> None:
    """Make the schema, where it is not there yet."""
    if await (await owner.execute(FIND, (task.schema,))).fetchone() is not None:
        return
    schema = sql.Identifier(task.schema)
    async with owner.transaction():
        await owner.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
        comment = sql.SQL("COMMENT ON SCHEMA {} IS {}").format(schema, sql.Literal(MARK))
        await owner.execute(comment)
        use = sql.SQL("GRANT USAGE ON SCHEMA {} TO asiento_appender").format(schema)
        await owner.execute(use)


async def remove_schema(owner: Connection, name: str) -> None:
    """Remove a schema that was made for this, and holds nothing."""
    if (await owner.execute(EMPTY, (name, MARK))).rowcount:
        await owner.execute(sql.SQL("DROP SCHEMA {}").format(sql.Identifier(name)))


async def finish_apart(owner: Connection, task: Task) -> None:
    """Give the table its name, and leave it to the owner alone."""
    table = task.shadow_name
    async with owner.transaction():
        await owner.execute(sql.SQL("REVOKE ALL ON {} FROM asiento_appender").format(table))
        await owner.execute(
            sql.SQL("ALTER TABLE {} RENAME TO {}").format(table, sql.Identifier(task.made))
        )
        await ledger.finish(owner, task, kept_seconds=0)
