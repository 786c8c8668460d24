"""Tables as the database itself tells of them, and rows of any table for a tenant."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, LiteralString
from uuid import uuid4

import psycopg
from msgspec import Struct
from psycopg import errors, sql

APPLICATION: Final = "asiento_app"
TENANT: Final = "tenant_id"
Connection = psycopg.Connection[tuple[Any, ...]]  # Any: rows of any query.

HOLD_NONE: Final[Mapping[str, str]] = {
    "schema_version": "The revision of the schema.",
    "read_model": "Which versions of read models there are.",
    "reaction": "Which reactions were begun, and when.",
    "rebuild": "What an operator has folded anew: whose, by id, and how far it is.",
    "append_writer": "The last batch of each connection that appends, by a number that is"
    " nobody's. The application can neither read nor write it but by settling its own.",
}
"""Tables that hold nothing of a tenant's, each with what it holds."""

RELATIONS: LiteralString = """
SELECT c.oid, c.oid::regclass::text, c.relkind::text, c.relrowsecurity, c.relforcerowsecurity,
       c.relowner::regrole::text,
       EXISTS (
           SELECT FROM pg_attribute AS a
           WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
       )
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%'
ORDER BY 2
"""
COLUMNS: LiteralString = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull AND NOT a.atthasdef,
       a.attidentity <> '' OR a.attgenerated <> ''
FROM pg_attribute AS a
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
UNIQUE: LiteralString = """
SELECT i.indexrelid::regclass::text, i.indisprimary, array(
    SELECT coalesce(a.attname, '(expression)')::text
    FROM unnest(i.indkey::int[]) WITH ORDINALITY AS k (attnum, place)
    LEFT JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
    ORDER BY k.place
)
FROM pg_index AS i WHERE i.indrelid = %s AND i.indisunique
"""
FOREIGN: LiteralString = """
SELECT f.conname::text, f.confrelid, f.confrelid::regclass::text, array(
    SELECT a.attname::text FROM unnest(f.conkey) AS k (attnum)
    JOIN pg_attribute AS a ON a.attrelid = f.conrelid AND a.attnum = k.attnum
), array(
    SELECT a.attname::text FROM unnest(f.confkey) AS k (attnum)
    JOIN pg_attribute AS a ON a.attrelid = f.confrelid AND a.attnum = k.attnum
)
FROM pg_constraint AS f WHERE f.contype = 'f' AND f.conrelid = %s
"""
MARK: Final = "obsidian"
VALUES: Final[Mapping[str, object]] = {
    "text": MARK,
    "bigint": 1,
    "integer": 1,
    "numeric": 1,
    "boolean": True,
    "bytea": MARK.encode(),
    "date": "2026-01-31",
    "timestamp with time zone": "2026-01-31T00:00:00Z",
    "json": f'"{MARK}"',
    "jsonb": f'"{MARK}"',
    "double precision": 1.0,
}


class Table(Struct, frozen=True):
    """A table, a view, or whatever else rows are read from."""

    oid: int
    name: str
    kind: str
    secured: bool
    forced: bool
    owner: str
    of_tenants: bool

    @property
    def identifier(self) -> sql.SQL:
        """Its name, quoted by the database where it has to be."""
        return sql.SQL(self.name)


class Column(Struct, frozen=True):
    name: str
    type: str
    needed: bool
    made: bool


def tables(connection: Connection) -> list[Table]:
    """List all there is, in whatever schema."""
    return [Table(*row) for row in connection.execute(RELATIONS)]


def of_tenants(connection: Connection) -> list[Table]:
    return [table for table in tables(connection) if table.of_tenants]


def columns(connection: Connection, oid: int) -> list[Column]:
    return [Column(*row) for row in connection.execute(COLUMNS, (oid,))]


def key_of(connection: Connection, table: Table) -> list[str]:
    """Name the columns of its primary key."""
    for _, primary, names in connection.execute(UNIQUE, (table.oid,)):
        if primary:
            found: list[str] = names
            return found
    return []


def write_row(connection: Connection, table: Table, tenant: str, number: int = 0) -> dict[str, Any]:
    """Write a row of a tenant, as the owner of the table; its texts are marked."""
    row = _parents(connection, table)
    for column in columns(connection, table.oid):
        if column.needed and not column.made and column.name not in row:
            row[column.name] = value_of(column, tenant, number)
    optional = [c for c in columns(connection, table.oid) if c.name not in row and not c.made]
    while True:
        try:
            with connection.transaction():
                _insert(connection, table, row)
        except errors.CheckViolation:
            column = optional.pop(0)  # What a check wants is one of those, sooner or later.
            row[column.name] = value_of(column, tenant, number)
        else:
            return row


def value_of(column: Column, tenant: str, number: int) -> object:
    """Make up a value; of rows of one tenant, those of another number differ."""
    if column.name == TENANT:
        return tenant
    if column.type.endswith("[]"):
        return []
    if column.type == "uuid":
        return str(uuid4())
    value = VALUES[column.type]
    if column.type == "text":
        return f"{value}-{number}"
    return value + number if type(value) is int else value


def insert(table: Table, row: Mapping[str, object], more: str = "") -> sql.Composed:
    """Write the statement that inserts a row."""
    names = sql.SQL(", ").join(map(sql.Identifier, row))
    places = sql.SQL(", ").join(sql.Placeholder() * len(row))
    return sql.SQL("INSERT INTO {} ({}) VALUES ({}) {}").format(
        table.identifier,
        names,
        places,
        sql.SQL(more),
    )


def _insert(connection: Connection, table: Table, row: Mapping[str, object]) -> None:
    tenant = str(row.get(TENANT, ""))
    connection.execute("SELECT set_config('app.tenant_id', %s, true)", (tenant,))
    connection.execute(insert(table, row), list(row.values()))


def _parents(connection: Connection, table: Table) -> dict[str, Any]:
    """Make what a row has to refer to."""
    found: dict[str, Any] = {}
    for _, _, name, ours, theirs in connection.execute(FOREIGN, (table.oid,)).fetchall():
        (parent,) = (each for each in tables(connection) if each.name == name)
        # Rows that are nobody's may refer to the same one.
        there = sql.SQL("SELECT {} FROM {} LIMIT 1").format(
            sql.SQL(", ").join(map(sql.Identifier, theirs)), parent.identifier
        )
        row = connection.execute(there).fetchone()
        if row is None:
            write_row(connection, parent, str(uuid4()))
            row = connection.execute(there).fetchone()
        assert row is not None, "It was written just now."
        found |= dict(zip(ours, row, strict=True))
    return found


@contextmanager
def acting(connection: Connection, tenant: str | None) -> Iterator[Connection]:
    """Act as the application for a tenant, or for none; nothing of it stays."""
    with connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL ROLE asiento_app")
        if tenant is None:
            connection.execute("SET LOCAL app.tenant_id TO DEFAULT")
        else:
            connection.execute("SELECT set_config('app.tenant_id', %s, true)", (tenant,))
        yield connection
