"""Appends: how many a second, how soon, and what limits them, beside pgbench and other stores.

One embedded PostgreSQL with its default durability serves ours and the peers, in turns.
Usage for some cases alone: ``python -m benchmarks.append --only 256,series [--quick]``.
"""

import argparse
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Final

from benchmarks.appending import bloat, bulk, growth, peers, series, speed, verifying
from benchmarks.appending.limits import limits_table
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
    found: list[Findings] = []
    with measured_server() as server:
        bench = Bench(server=server, pace=QUICK if quick else FULL, quick=quick)
        for name in only or CASES:
            begun = perf_counter()
            findings = CASES[name](bench)
            found.append(findings)
            values = ", ".join(f"{case.value:.3g}" for case in findings.cases)
            took = f"{perf_counter() - begun:.0f} s"
            print(f"append: {name}: {values} ({took})", file=sys.stderr, flush=True)
    return Report(
        cases=[case for findings in found for case in findings.cases],
        tables=[
            limits_table(turns for findings in found for turns in findings.turns),
            *(table for findings in found for table in findings.tables),
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.append", description=__doc__)
    parser.add_argument("--only", default="", help=f"some of {','.join(CASES)}; unset: all")
    parser.add_argument("--quick", action="store_true", help="every case, but shorter")
    arguments = parser.parse_args()
    only = [name for name in arguments.only.split(",") if name]
    if unknown := set(only) - set(CASES):
        parser.error(f"There is no case {', '.join(sorted(unknown))}.")
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.default_int_handler)  # Either unwinds; nothing is left behind.
    print(show("append", measure(quick=arguments.quick, only=only)), flush=True)


if __name__ == "__main__":
    main()
