"""A log made long by COPY, at once for all tenants, as if they had grown side by side.

What is filled in has no true hash, as an append reads only the head.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from typing import Any, Final, LiteralString

import psycopg
from psycopg import sql

from benchmarks.appending.work import ACTOR, CORRELATION, CUSTOMERS, DATA, TYPE, tenants

TENANTS: Final = 100
CHUNK_EVENTS: Final = 200_000
INVOICE: LiteralString = "00000000-0000-7000-8000-"

HEADS: LiteralString = """
INSERT INTO log_head SELECT t, 0, sha256('filler') FROM unnest(%s::uuid[]) AS t
ON CONFLICT DO NOTHING
"""
FILLED: LiteralString = "SELECT coalesce(sum(position), 0) FROM log_head"
MOVE: LiteralString = "UPDATE log_head SET position = position + %s"
FOLDER: LiteralString = "SELECT current_setting('data_directory')"

EVENTS: LiteralString = """
COPY (
    SELECT tenant_id, p, {type}, ARRAY['customer_code:' || customer, 'invoice:' || invoice,
           'number:' || invoice], replace({data}, 'INVOICE', invoice), now(),
           {actor}, {correlation}, '', sha256('filler')
    FROM {rows}
) TO {file} (FORMAT binary)
"""
TAGS: LiteralString = """
COPY (
    SELECT tenant_id, tag, {type}, p FROM {rows}, unnest(ARRAY['customer_code:' || customer,
           'invoice:' || invoice, 'number:' || invoice]) AS tag
    ORDER BY tenant_id, tag, p
) TO {file} (FORMAT binary)
"""
ROWS: LiteralString = """(
    SELECT h.tenant_id, h.position + n AS p,
           'C' || lpad((n * 7919 % {customers})::text, 5, '0') AS customer,
           {prefix} || lpad(to_hex(h.position + n), 12, '0') AS invoice
    FROM generate_series(1, {each}) AS n CROSS JOIN log_head AS h
) AS r"""
LOAD: LiteralString = "COPY {table} ({columns}) FROM {file} (FORMAT binary)"

TABLES: Final[Mapping[str, tuple[LiteralString, tuple[str, ...]]]] = {
    "event": (
        EVENTS,
        (
            *("tenant_id", "position", "type", "tags", "data", "recorded_at"),
            *("actor", "correlation_id", "causation_id", "hash"),
        ),
    ),
    "event_tag": (TAGS, ("tenant_id", "tag", "type", "position")),
}


def fill(admin_url: str, events: int) -> None:
    """Bring the logs of ``TENANTS`` tenants to so many events in all."""
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(HEADS, (tenants(TENANTS),))
        while (left := events - _one(admin, FILLED)) >= TENANTS:
            each = min(left, CHUNK_EVENTS) // TENANTS
            with ThreadPoolExecutor() as pool:
                list(pool.map(_fill_table, repeat(admin_url), TABLES, repeat(each)))
            admin.execute(MOVE, (each,))
        # Otherwise autovacuum would do this while we measure.
        admin.execute("VACUUM (ANALYZE, INDEX_CLEANUP off) event, event_tag")
        admin.execute("CHECKPOINT")


def _fill_table(admin_url: str, table: str, each: int) -> None:
    """Have the server write a file of rows, in the order of their key, and read it."""
    make, columns = TABLES[table]
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute("SET synchronous_commit = off")
        known = {
            "file": sql.Literal(f"{_one(admin, FOLDER)}/filler.{table}"),
            "table": sql.Identifier(table),
            "columns": sql.SQL(", ").join(map(sql.Identifier, columns)),
            "type": sql.Literal(TYPE),
            "actor": sql.Literal(ACTOR),
            "correlation": sql.Literal(CORRELATION),
            "data": sql.Literal(DATA.format(invoice="INVOICE", number="INVOICE", customer="")),
            "rows": sql.SQL(ROWS).format(
                customers=CUSTOMERS, prefix=sql.Literal(INVOICE), each=each
            ),
        }
        admin.execute(sql.SQL(make).format(**known))
        admin.execute(sql.SQL(LOAD).format(**known))


def _one(admin: "psycopg.Connection[tuple[Any, ...]]", statement: LiteralString) -> Any:  # noqa: ANN401 - a value of any query.
    row = admin.execute(statement).fetchone()
    return row[0] if row else None
