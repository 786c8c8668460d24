"""Verifying: a log is recomputed, its head and its index of tags compared, by one process.

The limit is a figure and no peer: no other store on PostgreSQL has a chain to recompute.
"""

from statistics import median
from time import perf_counter, process_time
from typing import Final

from adapters.audit.log import verify
from benchmarks.appending.load import Load, run_load
from benchmarks.appending.turns import Bench, Findings
from benchmarks.appending.work import tenants
from benchmarks.support.report import Table, case

LIMIT_PER_SECOND: Final = 100_000
BATCH_EVENTS: Final = 1_000
IMPORTERS: Final = 4
EVENTS: Final = 1_000_000
EVENTS_QUICK: Final = 100_000


def verifying(bench: Bench) -> Findings:
    (tenant,) = tenants(1)
    rates: list[float] = []
    cpu_micros: list[float] = []
    events = 0
    with bench.server.fresh_database("verifying") as urls:
        while events < (EVENTS_QUICK if bench.quick else EVENTS):
            load = Load(clients=IMPORTERS, tenants=1, events=BATCH_EVENTS, seconds=5)
            run_load(bench.server, urls, load)
            events = verify(urls.database_url, tenant).events
        for _ in range(bench.pace.turns):
            begun, own = perf_counter(), process_time()
            verified = verify(urls.database_url, tenant)
            rates.append(events / (perf_counter() - begun))
            cpu_micros.append((process_time() - own) / events * 1e6)
            if not verified.ok:
                raise RuntimeError(f"The log does not verify: {verified.reason}")
    found = case(
        f"audit verify of {events:,} events, one process",
        [rate / LIMIT_PER_SECOND for rate in rates],
        against=f"{LIMIT_PER_SECOND:,} events a second",
        must=1.0,
    )
    table = Table(
        title="Verifying, medians of the turns",
        header=("events", "events a second", "CPU µs an event of the verifying process"),
        rows=[(f"{events:,}", f"{median(rates):,.0f}", f"{median(cpu_micros):.1f}")],
    )
    return Findings(cases=[found], turns=[], tables=[table])
