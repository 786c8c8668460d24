"""Measure a group, or all: a group is a file of this folder with a function ``measure``.

Usage: ``python -m benchmarks.run [GROUP] [--quick]``, which is what ``make bench`` does.
"""

import argparse
import importlib
import signal
from collections.abc import Callable
from pathlib import Path

from benchmarks.support.report import CHECKOUT, Report, save, show


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.run", description=__doc__)
    parser.add_argument("group", nargs="?", choices=groups(), help="unset: all")
    parser.add_argument("--quick", action="store_true", help="every case, but shorter")
    arguments = parser.parse_args()
    # Started with &, a shell has us ignore Ctrl-C, and what we start would inherit that.
    # Either signal unwinds, so that no instance is left behind.
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.default_int_handler)
    for group in [arguments.group] if arguments.group else groups():
        report = _measure_of(group)(quick=arguments.quick)
        print(show(group, report), flush=True)
        print(f"\nWritten to {save(group, report).relative_to(CHECKOUT)}\n")


def groups() -> list[str]:
    """Name what can be measured. A peer is no group, and neither is this file."""
    names = (path.stem for path in Path(__file__).parent.glob("*.py"))
    return sorted(n for n in names if n != "run" and not n.startswith("peer_"))


def _measure_of(group: str) -> Callable[..., Report]:
    measure: Callable[..., Report] = importlib.import_module(f"benchmarks.{group}").measure
    return measure


if __name__ == "__main__":
    main()
