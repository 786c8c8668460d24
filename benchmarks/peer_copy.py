"""The limit: PostgreSQL's own COPY of the file into a plain table with a primary key.

Usage: ``python -m benchmarks.peer_copy FILE DATABASE_URL SCHEMA``. Nothing is looked at on
the way but what the column types ask for, so no import can be faster than this.
"""

import gzip
import sys
from pathlib import Path
from time import perf_counter
from typing import Final

import msgspec
import psycopg
from psycopg.sql import SQL, Composed, Identifier

from benchmarks.support.sources import fields_of

TYPES: Final = {"date": "timestamp", "quantity": "numeric", "unit_price": "numeric"}
BLOCK_BYTES: Final = 1 << 18


def main(path: Path, database_url: str, schema: str) -> None:
    """Print how many rows were committed in how many seconds."""
    fields = list(fields_of(path).values())
    table = Identifier(schema, "line_by_copy")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(SQL("DROP TABLE IF EXISTS {}").format(table))
        connection.execute(_ddl(table, fields))
        started = perf_counter()
        rows = _copy(connection, table, fields, path)
        seconds = perf_counter() - started
        connection.execute(SQL("DROP TABLE {}").format(table))
    print(msgspec.json.encode({"rows": rows, "seconds": seconds}).decode())


def _ddl(table: Identifier, fields: list[str]) -> Composed:
    columns = [SQL("{} {}").format(Identifier(f), SQL(TYPES.get(f, "text"))) for f in fields]
    return SQL("CREATE TABLE {} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, {})").format(
        table, SQL(", ").join(columns)
    )


def _copy(connection: psycopg.Connection, table: Identifier, fields: list[str], path: Path) -> int:
    statement = SQL("COPY {} ({}) FROM STDIN (FORMAT csv, HEADER true)").format(
        table, SQL(", ").join(map(Identifier, fields))
    )
    with connection.cursor() as cursor, gzip.open(path) as file:
        with cursor.copy(statement) as copy:
            while block := file.read(BLOCK_BYTES):
                copy.write(block)
        return cursor.rowcount


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
