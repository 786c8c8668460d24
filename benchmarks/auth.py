"""Authentication and authorisation: what they cost a command, how they grow, how fast they end.

One embedded PostgreSQL with its default durability serves all, in turns.
Usage for some cases alone: ``python -m benchmarks.auth --only overhead,growth [--quick]``.
"""

import argparse
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from benchmarks.appending.cases import asked_for, measured
from benchmarks.appending.server import measured_server
from benchmarks.appending.turns import Findings
from benchmarks.authenticating.growth import growth
from benchmarks.authenticating.overhead import overhead
from benchmarks.authenticating.revoking import revoking
from benchmarks.authenticating.sizes import PACES, Authenticating
from benchmarks.support.report import Report, show

CASES: Final[Mapping[str, Callable[[Authenticating], Findings]]] = {
    "overhead": overhead,
    "revoking": revoking,
    "growth": growth,
}


def measure(*, quick: bool, only: Sequence[str] = ()) -> Report:
    with measured_server() as server:
        return measured("auth", CASES, PACES["quick" if quick else "full"](server), only)


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.auth", description=__doc__)
    arguments, only = asked_for(parser, CASES)
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.default_int_handler)  # Either unwinds; nothing is left behind.
    print(show("auth", measure(quick=arguments.quick, only=only)), flush=True)


if __name__ == "__main__":
    main()
