"""From the commit of one event to its row being seen, on an idle system.

The limit is one commit of pgbench with one client and one round trip to Redis: no projector in
another process can hear of an event and commit its row in less.
"""

from functools import partial
from statistics import quantiles
from time import perf_counter
from typing import Final

from msgspec.structs import replace
from redis import Redis

from adapters.embedded.servers import Urls
from benchmarks.appending.anchor import run_anchor
from benchmarks.appending.load import Load, Run, run_load
from benchmarks.appending.turns import Findings, alternate
from benchmarks.projecting.live import CLIENT
from benchmarks.projecting.processes import projector
from benchmarks.projecting.sizes import Projecting
from benchmarks.support.report import case

AGAINST: Final = "one pgbench commit + one Redis round trip"
PINGS: Final = 1_000


def visible(bench: Projecting) -> Findings:
    """Measure with a projector process and a process that records invoices."""
    server = bench.server
    name = "commit to row visible, one event, idle system, p50"
    load = Load(kind="visible", invoices=bench.sizes.commits)
    with server.fresh_database("visible") as urls, projector(server, urls):
        turns = alternate(
            bench,
            name,
            partial(run_load, server, urls, load, command=CLIENT),
            partial(_limit, bench, urls),
            against=AGAINST,
        )
    ratios = turns.ratios(lambda run: run.p50_ms)
    found = case(name, ratios, against=AGAINST, better="lower", must=10, aim=4)
    return Findings(cases=[found], turns=[turns])


def _limit(bench: Projecting, urls: Urls) -> Run:
    committed = run_anchor(bench.server, bench.pace.anchor_seconds, each=True, clients=1)
    p50, p99 = _round_trips_ms(urls)
    return replace(committed, p50_ms=committed.p50_ms + p50, p99_ms=committed.p99_ms + p99)


def _round_trips_ms(urls: Urls) -> tuple[float, float]:
    took: list[float] = []
    with Redis.from_url(urls.redis_url) as redis:
        for _ in range(PINGS):
            begun = perf_counter()
            redis.ping()
            took.append((perf_counter() - begun) * 1000)
    cuts = quantiles(took, n=100)
    return cuts[49], cuts[98]
