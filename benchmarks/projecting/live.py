"""A backlog of events folded by one projector, against the same final writes alone.

The limit is told every row: it writes them by pipelined executemany into a table of the same
kind, a thousand a transaction, which like ours doesn't wait for the disk.
"""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Final

import msgspec
from psycopg import sql

from adapters.embedded.servers import Urls
from benchmarks.appending.load import Load, Run, run_load
from benchmarks.appending.turns import Findings, alternate
from benchmarks.appending.usage import counters, cpu, spent
from benchmarks.projecting.invoices import fill
from benchmarks.projecting.sizes import Projecting
from benchmarks.projecting.tables import TABLE, Admin, folded_to, make_backlog, make_like, owner
from benchmarks.support.report import Table, case

CLIENT: Final = (sys.executable, "-m", "benchmarks.projecting.client")
WRITTEN: Final = "bench_written"
TOGETHER: Final = 1_000
AGAINST: Final = "pipelined executemany of the same final writes alone"
LENGTH_BYTES: Final = 4
Rows = list[tuple[str | None, ...]]


def live(bench: Projecting) -> Findings:
    """Fold a backlog in one process."""
    server, sizes = bench.server, bench.sizes
    name = f"live, one process, backlog of {sizes.events:,} events"
    with server.fresh_database("live") as urls:
        fill(urls, server.folder, events=sizes.events, tenant_count=sizes.tenants)
        catch_up_all(bench, urls)
        rows = server.folder / "rows.msgpack"
        _export(urls, rows)
        turns = alternate(
            bench,
            name,
            partial(catch_up_all, bench, urls),
            partial(_write, bench, urls, rows),
            against=AGAINST,
        )
        rows.unlink()
        every = [catch_up_all(bench, urls, every_model=True) for _ in range(bench.pace.turns)]
    ratios = turns.ratios(lambda run: run.event_rate)
    return Findings(
        cases=[case(name, ratios, against=AGAINST, must=0.5, aim=1.0)],
        turns=[turns],
        tables=[_every(turns.ours, every)],
    )


def catch_up_all(bench: Projecting, urls: Urls, *, every_model: bool = False) -> Run:
    """Have one projector fold every invoice of every log, or all that it folds in production."""
    make_backlog(urls, every_model=every_model)
    return catch_up(bench, urls)


def catch_up(bench: Projecting, urls: Urls) -> Run:
    """Have one projector fold what is new.

    Raises:
        RuntimeError: It has not folded all of it.

    """
    bench.server.settle()
    run = run_load(bench.server, urls, Load(kind="catch up"), command=CLIENT)
    with owner(urls) as admin:
        row = admin.execute("SELECT sum(position) FROM log_head").fetchone()
    if row is None or folded_to(urls) != row[0]:
        raise RuntimeError("The projector has not folded every event.")
    return run


def _write(bench: Projecting, urls: Urls, rows: Path) -> Run:
    """Write all rows; the clock stands still while the next are read from the file."""
    server, written, seconds, own = bench.server, 0, 0.0, 0.0
    with owner(urls) as admin:
        make_like(admin, WRITTEN, indexed=True)
        admin.execute("SET synchronous_commit = off")
        server.settle()
        before = counters(server), cpu(server)
        for some in _read(rows):
            begun, busy = perf_counter(), process_time()
            _write_some(admin, some)
            seconds, own = seconds + perf_counter() - begun, own + process_time() - busy
            written += len(some)
        used = cpu(server)
    after = counters(server), used
    with owner(urls) as admin:
        admin.execute(f"DROP TABLE {WRITTEN}")
    usage = spent(before, after, seconds=seconds, client_cpu=own)
    return Run(operations=written, events=written, usage=usage)


def _write_some(admin: Admin, some: Rows) -> None:
    places = sql.SQL(", ").join([sql.Placeholder()] * len(some[0]))
    statement = sql.SQL("INSERT INTO {} VALUES ({})").format(sql.Identifier(WRITTEN), places)
    with admin.transaction(), admin.cursor() as cursor:
        cursor.executemany(statement, some)


def _export(urls: Urls, path: Path) -> None:
    """Write the rows of invoices to a file, as texts, so many together."""
    with owner(urls) as admin, path.open("wb") as file, admin.transaction():
        columns = sql.SQL(", ").join(
            sql.SQL("{}::text").format(sql.Identifier(name)) for name in _columns(admin)
        )
        with admin.cursor("rows") as cursor:
            cursor.execute(sql.SQL("SELECT {} FROM {}").format(columns, sql.Identifier(TABLE)))
            while some := cursor.fetchmany(TOGETHER):
                packed = msgspec.msgpack.encode(some)
                file.write(len(packed).to_bytes(LENGTH_BYTES) + packed)


def _read(path: Path) -> Iterator[Rows]:
    decode = msgspec.msgpack.Decoder(Rows).decode
    with path.open("rb") as file:
        while length := file.read(LENGTH_BYTES):
            yield decode(file.read(int.from_bytes(length)))


def _columns(admin: Admin) -> list[str]:
    names = "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
    return [name for (name,) in admin.execute(f"{names} ORDER BY attnum", (TABLE,)).fetchall()]


def _every(invoices: list[Run], every: list[Run]) -> Table:
    """Show what it costs that a projector folds all read models, and not only one."""
    rows: list[tuple[str, list[Run]]] = [("invoices alone", invoices), ("every read model", every)]
    return Table(
        title="Live, medians",
        header=("folded", "events a second", "client CPU µs an event", "server CPU µs an event"),
        rows=[(name, *_figures(runs)) for name, runs in rows],
    )


def _figures(runs: list[Run]) -> tuple[str, ...]:
    def middle(of: Callable[[Run], float]) -> float:
        return median(of(run) for run in runs)

    return (
        f"{middle(lambda run: run.event_rate):,.0f}",
        f"{middle(lambda run: run.usage.client_cpu / run.events * 1e6):.0f}",
        f"{middle(lambda run: run.usage.server_cpu / run.events * 1e6):.0f}",
    )
