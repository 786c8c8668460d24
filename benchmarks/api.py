"""The API: a page, a command, how pages grow, and subscribers, each beside what others would take.

One embedded PostgreSQL with its default durability serves ours and the peers, in turns.
Usage for some cases alone: ``python -m benchmarks.api --only page,command [--quick]``.
"""

import argparse
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from benchmarks.appending.cases import asked_for, measured
from benchmarks.appending.server import measured_server
from benchmarks.appending.turns import Findings
from benchmarks.serving.command import command
from benchmarks.serving.growth import growth
from benchmarks.serving.page import page
from benchmarks.serving.sizes import PACES, Serving
from benchmarks.serving.subscribers import audience, memory, subscribers
from benchmarks.support.report import Report, show

CASES: Final[Mapping[str, Callable[[Serving], Findings]]] = {
    "page": page,
    "command": command,
    "subscribers": subscribers,
    "audience": audience,
    "memory": memory,
    "growth": growth,
}


def measure(*, quick: bool, only: Sequence[str] = ()) -> Report:
    with measured_server() as server:
        return measured("api", CASES, PACES["quick" if quick else "full"](server), only)


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.api", description=__doc__)
    arguments, only = asked_for(parser, CASES)
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.default_int_handler)  # Either unwinds; nothing is left behind.
    print(show("api", measure(quick=arguments.quick, only=only)), flush=True)


if __name__ == "__main__":
    main()
