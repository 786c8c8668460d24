"""Projections: rebuilt, live and idle, beside what PostgreSQL can do at best, and another library.

One embedded PostgreSQL with its default durability serves ours and the limits, in turns.
Usage for some cases alone: ``python -m benchmarks.projections --only live,visible [--quick]``.
"""

import argparse
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Final

from benchmarks.appending.limits import limits_table
from benchmarks.appending.server import Server, measured_server
from benchmarks.appending.turns import Findings
from benchmarks.projecting.growth import by_events, by_tenants
from benchmarks.projecting.idle import idle
from benchmarks.projecting.live import live
from benchmarks.projecting.rebuilding import rebuilding
from benchmarks.projecting.runner import beside_runner
from benchmarks.projecting.sizes import Projecting, full, quick, tiny
from benchmarks.projecting.visible import visible
from benchmarks.support.report import Report, show

CASES: Final[Mapping[str, Callable[[Projecting], Findings]]] = {
    "rebuild": rebuilding,
    "live": live,
    "runner": beside_runner,
    "visible": visible,
    "events": by_events,
    "tenants": by_tenants,
    "idle": idle,
}
PACES: Final[Mapping[str, Callable[[Server], Projecting]]] = {
    "full": full,
    "quick": quick,
    "tiny": tiny,
}


def measure(*, quick: bool, only: Sequence[str] = (), pace: str = "") -> Report:
    found: list[Findings] = []
    with measured_server() as server:
        bench = PACES[pace or ("quick" if quick else "full")](server)
        for name in only or CASES:
            begun = perf_counter()
            findings = CASES[name](bench)
            found.append(findings)
            values = ", ".join(f"{case.value:.3g}" for case in findings.cases)
            took = f"{perf_counter() - begun:.0f} s"
            print(f"projections: {name}: {values} ({took})", file=sys.stderr, flush=True)
    turns = [each for findings in found for each in findings.turns]
    return Report(
        cases=[case for findings in found for case in findings.cases],
        tables=[
            *([limits_table(turns)] if turns else []),
            *(table for findings in found for table in findings.tables),
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.projections", description=__doc__)
    parser.add_argument("--only", default="", help=f"some of {','.join(CASES)}; unset: all")
    parser.add_argument("--quick", action="store_true", help="every case, but shorter")
    parser.add_argument("--tiny", action="store_true", help="try the harness, measure nothing")
    arguments = parser.parse_args()
    only = [name for name in arguments.only.split(",") if name]
    if unknown := set(only) - set(CASES):
        parser.error(f"There is no case {', '.join(sorted(unknown))}.")
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.default_int_handler)  # Either unwinds; nothing is left behind.
    pace = "tiny" if arguments.tiny else ""
    report = measure(quick=arguments.quick, only=only, pace=pace)
    print(show("projections", report), flush=True)


if __name__ == "__main__":
    main()
