"""Projections: rebuilt, live and idle, beside what PostgreSQL can do at best, and another library.

One embedded PostgreSQL with its default durability serves ours and the limits, in turns.
Usage for some cases alone: ``python -m benchmarks.projections --only live,visible [--quick]``.
"""

import argparse
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from benchmarks.appending.cases import asked_for, measured
from benchmarks.appending.server import Server, measured_server
from benchmarks.appending.turns import Findings
from benchmarks.projecting.growth import by_events, by_tenants
from benchmarks.projecting.idle import idle
from benchmarks.projecting.live import live
from benchmarks.projecting.rebuilding import rebuilding
from benchmarks.projecting.runner import beside_runner
from benchmarks.projecting.sizes import Projecting, full, medium, quick, tiny
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
    "medium": medium,
    "quick": quick,
    "tiny": tiny,
}


def measure(*, quick: bool, only: Sequence[str] = (), pace: str = "") -> Report:
    with measured_server() as server:
        bench = PACES[pace or ("quick" if quick else "full")](server)
        return measured("projections", CASES, bench, only)


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.projections", description=__doc__)
    paces = parser.add_mutually_exclusive_group()
    paces.add_argument("--medium", action="store_true", help="300,000 events, two turns")
    paces.add_argument("--tiny", action="store_true", help="try the harness, measure nothing")
    arguments, only = asked_for(parser, CASES)
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.default_int_handler)  # Either unwinds; nothing is left behind.
    pace = "tiny" if arguments.tiny else "medium" if arguments.medium else ""
    report = measure(quick=arguments.quick, only=only, pace=pace)
    print(show("projections", report), flush=True)


if __name__ == "__main__":
    main()
