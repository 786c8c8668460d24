"""Appends by many clients at once, each with a boundary of its own, against pgbench."""

from msgspec.structs import replace

from benchmarks.appending.anchor import NAME, run_anchor
from benchmarks.appending.load import Load, run_load
from benchmarks.appending.turns import Bench, Findings, alternate, beside_pgbench
from benchmarks.support.report import case


def few_clients(bench: Bench) -> Findings:
    load = Load(clients=32, tenants=100)
    return _against_pgbench(bench, "32 clients, 100 tenants, 1 event", load, must=0.5, aim=1.0)


def many_clients(bench: Bench) -> Findings:
    load = Load(clients=256, tenants=100)
    return _against_pgbench(bench, "256 clients, 100 tenants, 1 event", load, must=1.0, aim=2.0)


def one_tenant(bench: Bench) -> Findings:
    load = Load(clients=256, tenants=1)
    return _against_pgbench(bench, "256 clients, one tenant", load, must=1.0, aim=2.0)


def five_events(bench: Bench) -> Findings:
    load = Load(clients=256, tenants=100, events=5)
    return _against_pgbench(bench, "256 clients, 5 events each, in events", load, must=2, aim=5)


def two_processes(bench: Bench) -> Findings:
    name = "256 clients, 100 tenants, 1 event, two processes"
    return _against_pgbench(bench, name, Load(clients=256, tenants=100), processes=2)


def _against_pgbench(
    bench: Bench,
    name: str,
    load: Load,
    *,
    processes: int = 1,
    must: float | None = None,
    aim: float | None = None,
) -> Findings:
    load = replace(load, seconds=bench.pace.seconds)
    with bench.server.fresh_database("speed") as urls:
        turns = beside_pgbench(
            bench, name, lambda: run_load(bench.server, urls, load, processes=processes)
        )
    ratios = turns.ratios(lambda run: run.event_rate)
    return Findings(cases=[case(name, ratios, against=NAME, must=must, aim=aim)], turns=[turns])


def latency(bench: Bench) -> Findings:
    """Compare the slowest hundredth of appends with pgbench's, at as many clients."""
    name = "latency p99 at 32 clients, 100 tenants"
    load = Load(clients=32, tenants=100, seconds=bench.pace.seconds)
    with bench.server.fresh_database("latency") as urls:
        turns = alternate(
            bench,
            name,
            lambda: run_load(bench.server, urls, load),
            lambda: run_anchor(bench.server, bench.pace.anchor_seconds, each=True),
            against=NAME,
        )
    ratios = turns.ratios(lambda run: run.p99_ms)
    found = case(name, ratios, against=f"its own p99: {NAME}", better="lower", must=4, aim=2)
    return Findings(cases=[found], turns=[turns])
