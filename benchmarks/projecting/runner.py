"""Live against the eventsourcing library's ProjectionRunner, with the same rows of the same events.

Its view is a table of invoices like ours with the same indexes, written as its documentation
has it for PostgreSQL: the row and the tracking in one transaction an event.
"""

import sys
from functools import partial
from typing import Final

from msgspec.structs import replace

from adapters.embedded.servers import Urls
from benchmarks.appending.load import Load, Run, run_load
from benchmarks.appending.peers import LIBRARY
from benchmarks.appending.server import PLAIN
from benchmarks.appending.turns import Findings, alternate
from benchmarks.projecting.invoices import fill
from benchmarks.projecting.live import catch_up_all
from benchmarks.projecting.sizes import Projecting
from benchmarks.support.report import case

PEER: Final = (sys.executable, "-m", "benchmarks.peer_runner")
AGAINST: Final = f"{LIBRARY}, ProjectionRunner with a PostgreSQL view"


def beside_runner(bench: Projecting) -> Findings:
    server, sizes = bench.server, bench.sizes
    name = "live, one process, against ProjectionRunner"
    plain = server.named(PLAIN)
    as_owner = replace(plain, database_url=plain.admin_database_url)
    with server.fresh_database("beside_runner") as urls:
        fill(urls, server.folder, events=sizes.events // 5, tenant_count=sizes.tenants)
        turns = alternate(
            bench,
            name,
            partial(catch_up_all, bench, urls),
            partial(_run, bench, as_owner),
            against=AGAINST,
        )
    ratios = turns.ratios(lambda run: run.event_rate)
    found = case(name, ratios, against=AGAINST, must=20, aim=50)
    return Findings(cases=[found], turns=[turns])


def _run(bench: Projecting, urls: Urls) -> Run:
    """Let the library fold for as long as the pace says; it has a backlog longer than that."""
    load = Load(kind="runner", seconds=bench.pace.seconds)
    return run_load(bench.server, urls, load, command=PEER)
