"""Appends: how many a second, how soon, and what limits them, beside pgbench and other stores.

One embedded PostgreSQL with its default durability serves ours and the peers, in turns.
Usage for some cases alone: ``python -m benchmarks.append --only 256,series [--quick]``.
"""

import argparse
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from benchmarks.appending import bloat, bulk, growth, peers, series, speed, verifying
from benchmarks.appending.cases import asked_for, measured
from benchmarks.appending.server import measured_server
from benchmarks.appending.turns import FULL, QUICK, Bench, Findings
from benchmarks.support.report import Report, show

CASES: Final[Mapping[str, Callable[[Bench], Findings]]] = {
    "32": speed.few_clients,
    "256": speed.many_clients,
    "one-tenant": speed.one_tenant,
    "five": speed.five_events,
    "two-processes": speed.two_processes,
    "bulk": bulk.bulk,
    "series": series.one_series,
    "latency": speed.latency,
    "application-save": peers.application_save,
    "dcb": peers.dcb_append,
    "verify": verifying.verifying,
    "emmett": peers.emmett,
    "tenants": growth.by_tenants,
    "events": growth.by_events,
    "bloat": bloat.bloat,
}


def measure(*, quick: bool, only: Sequence[str] = ()) -> Report:
    with measured_server() as server:
        bench = Bench(server=server, pace=QUICK if quick else FULL, quick=quick)
        return measured("append", CASES, bench, only)


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.append", description=__doc__)
    arguments, only = asked_for(parser, CASES)
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.default_int_handler)  # Either unwinds; nothing is left behind.
    print(show("append", measure(quick=arguments.quick, only=only)), flush=True)


if __name__ == "__main__":
    main()
