"""The table of invoices as the cases need it: emptied, or copied with its rows and indexes.

A backlog is made by taking rows and cursors away; all other readers stand at the head, so that
only invoices are folded.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, LiteralString, TypeAlias

import psycopg
from psycopg import sql

from adapters.embedded.servers import Urls
from adapters.postgres.models.versions import consumer_of, table_name
from adapters.postgres.projecting.consumers import consumer_names
from projections.invoices import Invoices

Admin: TypeAlias = "psycopg.Connection[tuple[Any, ...]]"  # Any: rows of any query.
TABLE: Final = table_name(Invoices)
CONSUMER: Final = consumer_of(Invoices)
BLOCK_BYTES: Final = 1 << 18

AT_HEAD: LiteralString = """
INSERT INTO projection_cursor (tenant_id, projection, position)
SELECT tenant_id, name, position FROM log_head CROSS JOIN unnest(%s::text[]) AS name
ON CONFLICT (tenant_id, projection) DO UPDATE SET position = excluded.position
"""
CAME_TO: LiteralString = """
SELECT coalesce(sum(position), 0)::bigint FROM projection_cursor WHERE projection = ANY (%s)
"""
LEFTOVERS: LiteralString = """
SELECT relname FROM pg_class
WHERE relkind = 'r' AND starts_with(relname, %s) AND relname <> %s
"""
INDEXES: LiteralString = """
SELECT pg_get_indexdef(i.indexrelid), c.relname, i.indisprimary
FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
WHERE i.indrelid = %s::regclass ORDER BY NOT i.indisprimary, c.relname
"""


@contextmanager
def owner(urls: Urls) -> Iterator[Admin]:
    with psycopg.connect(urls.admin_database_url, autocommit=True) as admin:
        yield admin


def make_backlog(urls: Urls, *, every_model: bool = False) -> None:
    """Take away what was folded of invoices, or of every read model."""
    with owner(urls) as admin:
        if every_model:
            admin.execute("DELETE FROM projection_cursor")
            for table in _model_tables(admin):
                admin.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(table)))
        else:
            others = [name for name in consumer_names()[0] if name != CONSUMER]
            admin.execute(AT_HEAD, (others,))
            admin.execute("DELETE FROM projection_cursor WHERE projection = %s", (CONSUMER,))
            admin.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(TABLE)))
        admin.execute("VACUUM (ANALYZE) projection_cursor")


def folded_to(urls: Urls) -> int:
    """Tell how many events of all logs the table of invoices holds by now."""
    with owner(urls) as admin:
        row = admin.execute(CAME_TO, ([CONSUMER],)).fetchone()
    return int(row[0]) if row else 0


def drop_leftovers(urls: Urls) -> None:
    """Drop the former tables that rebuilds keep for a while."""
    with owner(urls) as admin:
        for (name,) in admin.execute(LEFTOVERS, (f"{TABLE}__", TABLE)).fetchall():
            admin.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))


def make_like(admin: Admin, name: str, *, indexed: bool) -> None:
    """Make an empty table like that of invoices, with its indexes or without."""
    indexes = sql.SQL(" INCLUDING INDEXES" if indexed else "")
    admin.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(name)))
    admin.execute(
        sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING STORAGE{}) WITH (fillfactor = 90)").format(
            sql.Identifier(name), sql.Identifier(TABLE), indexes
        )
    )


def index_like(admin: Admin, name: str) -> None:
    """Make on the table *name* every index that the table of invoices has."""
    for number, (definition, index, _) in enumerate(admin.execute(INDEXES, (TABLE,)).fetchall()):
        own = definition.replace(f" {index} ", f" {name}_{number} ", 1)
        admin.execute(own.replace(f".{TABLE} ", f".{name} ", 1))


def export(urls: Urls, path: Path) -> None:
    """Write the rows of invoices to a file of COPY's binary format."""
    statement = sql.SQL("COPY {} TO STDOUT (FORMAT binary)").format(sql.Identifier(TABLE))
    with (
        owner(urls) as admin,
        path.open("wb") as file,
        admin.cursor() as cursor,
        cursor.copy(statement) as copy,
    ):
        for block in copy:
            file.write(block)


def _model_tables(admin: Admin) -> list[str]:
    rows = admin.execute("SELECT name || '_v' || version FROM read_model").fetchall()
    return [name for (name,) in rows]
