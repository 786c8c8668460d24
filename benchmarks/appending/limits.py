"""What limits each case: what an event cost on either side, and which of them was full."""

import os
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Final

from benchmarks.appending.load import Run
from benchmarks.appending.turns import Turns
from benchmarks.support.report import Table

FULL: Final = 0.85
ENDED: Final = 0.1
"""A server busier than ten times its busiest backend had backends that are gone."""

CORES: Final = os.cpu_count() or 1
HEADER: Final = (
    "case",
    "events a second",
    "server CPU µs an event",
    "client CPU µs an event",
    "busiest backend, cores",
    "client, cores",
    "server, cores",
    "others, cores",
    "WAL bytes an event",
    "flushes a second",
    "events a commit",
    "p50 ms",
    "p99 ms",
    "limited by",
)


def limits_table(turns: Iterable[Turns]) -> Table:
    rows: list[tuple[str, ...]] = []
    for turn in turns:
        rows.append(_row(turn.name, turn.ours))
        rows.append(_row(f"… against {turn.against}", turn.anchors))
    return Table(title="What limits each case now, medians of the turns", header=HEADER, rows=rows)


def _row(name: str, runs: Sequence[Run]) -> tuple[str, ...]:
    def middle(of: Callable[[Run], float]) -> float:
        return median(of(run) for run in runs)

    def cores(of: Callable[[Run], float]) -> float:
        return middle(lambda run: of(run) / run.usage.wall_seconds)

    backend = cores(lambda run: run.usage.busiest_backend_cpu)
    client = cores(lambda run: run.usage.client_cpu)
    server = cores(lambda run: run.usage.server_cpu)
    others = cores(lambda run: run.usage.machine_cpu - run.usage.server_cpu - run.usage.client_cpu)
    p50, p99 = middle(lambda run: run.p50_ms), middle(lambda run: run.p99_ms)
    return (
        name,
        f"{middle(lambda run: run.event_rate):,.0f}",
        f"{middle(lambda run: run.usage.server_cpu / run.events * 1e6):.0f}",
        f"{middle(lambda run: run.usage.client_cpu / run.events * 1e6):.0f}",
        f"{backend:.2f}" if backend > ENDED * server else "ended",
        f"{client:.2f}",
        f"{server:.2f}",
        f"{max(others, 0):.2f}",
        f"{middle(lambda run: run.usage.wal_bytes / run.events):,.0f}",
        f"{cores(lambda run: run.usage.flushes):,.0f}",
        f"{middle(lambda run: run.events / max(run.usage.commits, 1)):.1f}",
        *(f"{ms:.1f}" if ms else "" for ms in (p50, p99)),
        _limit(backend, client, server + client, max(others, 0)),
    )


def _limit(backend: float, client: float, own: float, others: float) -> str:
    """Name what is full; where nothing is, everybody waits for the disk, or for each other."""
    if backend > FULL:
        return "CPU of one backend"
    if client > FULL:
        return "CPU of the client"
    if own > FULL * CORES:
        return "all cores"
    if own + others > FULL * CORES:
        return "others on this machine"
    return "taking turns, and flushes"
