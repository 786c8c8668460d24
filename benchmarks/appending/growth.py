"""How the cost grows: with the events in the log, and with the tenants beside each other.

Each size is measured beside pgbench, and the sizes are compared by their ratios to it.
"""

from shutil import disk_usage
from statistics import median
from typing import Final

from adapters.embedded.servers import Urls
from benchmarks.appending.anchor import NAME
from benchmarks.appending.filling import TENANTS, fill
from benchmarks.appending.load import Load, run_load
from benchmarks.appending.turns import Bench, Findings, Turns, beside_pgbench
from benchmarks.support.report import Case, Table, case

EVENTS: Final = (1_000_000, 5_000_000, 20_000_000)
EVENTS_QUICK: Final = (50_000, 250_000, 1_000_000)
EVENT_BYTES: Final = 2_000
"""Disk that an event takes: its row, its tags, their index, and the WAL kept of it."""

MANY_TENANTS: Final = (100, 1, 10_000)
CLIENTS: Final = 256


def by_events(bench: Bench) -> Findings:
    """Measure one load on a longer and longer log.

    Raises:
        RuntimeError: The disk can't hold the longest.

    """
    sizes = EVENTS_QUICK if bench.quick else EVENTS
    needed, free = sizes[-1] * EVENT_BYTES, disk_usage(bench.server.folder).free
    if needed > free:
        raise RuntimeError(f"{needed:,} bytes of disk are needed, and {free:,} are free.")
    found: list[Turns] = []
    with bench.server.fresh_database("growth") as urls:
        for size in sizes:
            fill(urls.admin_database_url, size)
            found.append(_measured(bench, urls, f"{size:,} events in the log", TENANTS))
    return Findings(
        cases=[_change(found[0], found[-1], must=0.7)],
        turns=found,
        tables=[_table("How the cost grows with the log", found)],
    )


def by_tenants(bench: Bench) -> Findings:
    """Measure one load on one log and on many."""
    found: list[Turns] = []
    for many in MANY_TENANTS:
        with bench.server.fresh_database("tenants") as urls:
            found.append(
                _measured(bench, urls, f"{many:,} tenants" if many > 1 else "one tenant", many)
            )
    return Findings(
        cases=[_change(found[0], other) for other in found[1:]],
        turns=found,
        tables=[_table("How the cost grows with the tenants", found)],
    )


def _measured(bench: Bench, urls: Urls, name: str, tenants: int) -> Turns:
    load = Load(clients=CLIENTS, tenants=tenants, seconds=bench.pace.seconds)
    return beside_pgbench(bench, name, lambda: run_load(bench.server, urls, load))


def _change(first: Turns, last: Turns, must: float | None = None) -> Case:
    changes = [after / before for before, after in zip(_ratios(first), _ratios(last), strict=True)]
    name = f"growth: {CLIENTS} clients, {last.name}"
    return case(name, changes, against=f"{first.name}, each beside pgbench", must=must)


def _ratios(turns: Turns) -> list[float]:
    return turns.ratios(lambda run: run.event_rate)


def _table(title: str, found: list[Turns]) -> Table:
    return Table(
        title=f"{title}: {CLIENTS} clients, medians",
        header=("", "events a second", f"of {NAME}", "server CPU µs an event", "p99 ms"),
        rows=[
            (
                turns.name,
                f"{median(run.event_rate for run in turns.ours):,.0f}",
                f"{median(_ratios(turns)):.2f}",
                f"{median(run.usage.server_cpu / run.events * 1e6 for run in turns.ours):.0f}",
                f"{median(run.p99_ms for run in turns.ours):.1f}",
            )
            for turns in found
        ],
    )
