"""Bulk: batches of 1,000 events, against COPY of the same rows into the same tables.

COPY is the limit: it is told the positions and the hashes, checks no boundary, and commits once.
"""

from pathlib import Path
from time import perf_counter, process_time
from typing import Final

import psycopg
from psycopg import sql

from adapters.embedded.servers import Urls
from benchmarks.appending.load import Load, Run, run_load
from benchmarks.appending.turns import Bench, Findings, alternate
from benchmarks.appending.usage import counters, cpu, spent
from benchmarks.support.report import case

TABLES: Final = ("event", "event_tag")
BATCH_EVENTS: Final = 1_000
IMPORTERS: Final = 4
BLOCK_BYTES: Final = 1 << 18
AGAINST: Final = "COPY of the same rows, one transaction"


def bulk(bench: Bench) -> Findings:
    name = f"bulk append of {BATCH_EVENTS:,}-event batches by {IMPORTERS} importers, in events"
    load = Load(
        clients=IMPORTERS, tenants=IMPORTERS, events=BATCH_EVENTS, seconds=bench.pace.seconds
    )
    server = bench.server
    with server.fresh_database("bulk") as urls, server.fresh_database("bulk_copy") as copied:
        run_load(server, urls, load)
        files = _export(urls, server.folder)
        turns = alternate(
            bench,
            name,
            lambda: run_load(server, urls, load),
            lambda: _copy(bench, copied, files),
            against=AGAINST,
        )
    ratios = turns.ratios(lambda run: run.event_rate)
    found = case(name, ratios, against=AGAINST, must=0.3, aim=0.6)
    return Findings(cases=[found], turns=[turns])


def _export(urls: Urls, folder: Path) -> dict[str, Path]:
    """Write what the store has appended to files of COPY's binary format, a table each."""
    files = {table: folder / f"{table}.copy" for table in TABLES}
    with psycopg.connect(urls.admin_database_url, autocommit=True) as admin:
        for table, path in files.items():
            statement = sql.SQL("COPY (SELECT * FROM {}) TO STDOUT (FORMAT binary)")
            with (
                path.open("wb") as file,
                admin.cursor() as cursor,
                cursor.copy(statement.format(sql.Identifier(table))) as copy,
            ):
                for block in copy:
                    file.write(block)
    return files


def _copy(bench: Bench, urls: Urls, files: dict[str, Path]) -> Run:
    with psycopg.connect(urls.admin_database_url) as admin:
        for table in files:
            admin.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(table)))
        admin.commit()
        before = counters(bench.server), cpu(bench.server)
        begun, own = perf_counter(), process_time()
        rows = [_copy_table(admin, table, path) for table, path in files.items()]
        admin.commit()
        seconds, own = perf_counter() - begun, process_time() - own
        used = cpu(bench.server)
    after = counters(bench.server), used
    return Run(
        operations=rows[0] // BATCH_EVENTS,
        events=rows[0],
        usage=spent(before, after, seconds=seconds, client_cpu=own),
    )


def _copy_table(admin: "psycopg.Connection[tuple[object, ...]]", table: str, path: Path) -> int:
    statement = sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(sql.Identifier(table))
    with admin.cursor() as cursor, path.open("rb") as file:
        with cursor.copy(statement) as copy:
            while block := file.read(BLOCK_BYTES):
                copy.write(block)
        return cursor.rowcount
