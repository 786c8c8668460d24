"""Rebuilds of invoices, against COPY out of the events and COPY in of the rows.

COPY is the limit: it is told the rows, and need only read the one and write the other. Both
write a table without indexes, and make them when it is full.
"""

from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final, LiteralString

from msgspec.structs import replace
from psycopg import sql

from adapters.embedded.servers import Urls
from benchmarks.appending.load import Run
from benchmarks.appending.turns import Findings, Turns, alternate
from benchmarks.appending.usage import children_cpu_seconds, counters, cpu, spent
from benchmarks.projecting.invoices import TYPE, fill
from benchmarks.projecting.live import catch_up
from benchmarks.projecting.processes import asiento
from benchmarks.projecting.sizes import Projecting
from benchmarks.projecting.tables import (
    BLOCK_BYTES,
    Admin,
    drop_leftovers,
    export,
    index_like,
    make_backlog,
    make_like,
    owner,
)
from benchmarks.projecting.watching import watched
from benchmarks.support.report import Case, Table, case

COPIED: Final = "bench_copied"
PROCESSES: Final = 2
AGAINST: Final = "COPY out of the events + COPY in of the rows, then their indexes"
IN_PLACE: Final = "the same, the indexes there from the beginning"
OUT: LiteralString = """
COPY (SELECT tenant_id, position, type, data FROM event WHERE type = {}) TO STDOUT (FORMAT binary)
"""


def rebuilding(bench: Projecting) -> Findings:
    """Rebuild in one process beside COPY, and in two beside one."""
    server, sizes = bench.server, bench.sizes
    name = f"rebuild of invoices, {sizes.events:,} events"
    with server.fresh_database("rebuild") as urls:
        fill(urls, server.folder, events=sizes.events, tenant_count=sizes.tenants)
        make_backlog(urls)
        catch_up(bench, urls)
        rows = server.folder / "rows.copy"
        export(urls, rows)
        copied = alternate(
            bench,
            f"{name}, one process",
            partial(rebuild, bench, urls, 1),
            partial(copy, bench, urls, rows),
            against=AGAINST,
        )
        in_place = [copy(bench, urls, rows, indexed=True) for _ in range(bench.pace.turns)]
        two = alternate(
            bench,
            f"{name}, {PROCESSES} processes",
            partial(rebuild, bench, urls, PROCESSES),
            partial(rebuild, bench, urls, 1),
            against="one process",
        )
        rows.unlink()
    also = Turns(name=copied.name, against=IN_PLACE, ours=copied.ours, anchors=in_place)
    return Findings(
        cases=[
            _case(copied, must=0.35, aim=0.7),
            _case(also),
            _case(two, must=1.5, aim=1.9),
        ],
        turns=[copied, also, two],
        tables=[_memory(copied, two)],
    )


def rebuild(bench: Projecting, urls: Urls, processes: int) -> Run:
    """Have the command rebuild invoices; its seconds are without the start of Python."""
    server = bench.server
    drop_leftovers(urls)
    server.settle()
    before, own = (counters(server), cpu(server)), children_cpu_seconds()
    with watched(server) as seen:
        told = asiento(server, urls, "projections", "rebuild", "invoices", "--jobs", str(processes))
    used = cpu(server)
    usage = spent(
        before,
        (counters(server), used),
        seconds=told["seconds"],
        client_cpu=children_cpu_seconds() - own,
    )
    return Rebuilt(
        operations=told["rows"],
        events=told["events"],
        usage=replace(usage, busiest_backend_cpu=seen.busiest_backend_cpu),
        peak_bytes=seen.peak_bytes,
    )


class Rebuilt(Run, frozen=True, kw_only=True):
    """A rebuild, with the most memory that its processes held together."""

    peak_bytes: int


def copy(bench: Projecting, urls: Urls, rows: Path, *, indexed: bool = False) -> Run:
    """Read all events to nowhere, and write all rows, known already, into a table of the kind."""
    server = bench.server
    with owner(urls) as admin:
        make_like(admin, COPIED, indexed=indexed)
        server.settle()
        before = counters(server), cpu(server)
        begun, own = perf_counter(), process_time()
        with admin.transaction():
            _out(admin)
            written = _in(admin, rows)
            if not indexed:
                index_like(admin, COPIED)
        seconds, own = perf_counter() - begun, process_time() - own
        used = cpu(server)
    after = counters(server), used
    usage = spent(before, after, seconds=seconds, client_cpu=own)
    with owner(urls) as admin:
        admin.execute(f"DROP TABLE {COPIED}")
    return Run(operations=written, events=written, usage=usage)


def _out(admin: Admin) -> None:
    statement = sql.SQL(OUT).format(sql.Literal(TYPE))
    with admin.cursor() as cursor, cursor.copy(statement) as copying:
        for _block in copying:
            pass


def _in(admin: Admin, rows: Path) -> int:
    statement = sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(sql.Identifier(COPIED))
    with admin.cursor() as cursor, rows.open("rb") as file:
        with cursor.copy(statement) as copying:
            while block := file.read(BLOCK_BYTES):
                copying.write(block)
        return cursor.rowcount


def _case(turns: Turns, **limits: Any) -> Case:  # noqa: ANN401 - as case takes them.
    ratios = turns.ratios(lambda run: run.event_rate)
    return case(f"{turns.name}, against {turns.against}", ratios, against=turns.against, **limits)


def _memory(*measured: Turns) -> Table:
    return Table(
        title="Memory of a rebuild: its processes together, the most of all turns",
        header=("", "MiB"),
        rows=[(turns.name, f"{peak_mib(turns.ours):,.0f}") for turns in measured],
    )


def peak_mib(runs: list[Run]) -> float:
    return max(run.peak_bytes for run in runs if isinstance(run, Rebuilt)) / (1 << 20)
