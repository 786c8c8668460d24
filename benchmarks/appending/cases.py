"""The cases of a group, measured one after the other, and what they found as one report."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Collection, Mapping, Sequence
from time import perf_counter
from typing import TypeVar

from benchmarks.appending.limits import limits_table
from benchmarks.appending.turns import Findings
from benchmarks.support.report import Report

B = TypeVar("B")


def measured(
    group: str, cases: Mapping[str, Callable[[B], Findings]], bench: B, only: Sequence[str]
) -> Report:
    """Measure some cases, or all where none is named; say on the way what each came to."""
    found: list[Findings] = []
    for name in only or cases:
        begun = perf_counter()
        findings = cases[name](bench)
        found.append(findings)
        values = ", ".join(f"{case.value:.3g}" for case in findings.cases)
        took = f"{perf_counter() - begun:.0f} s"
        print(f"{group}: {name}: {values} ({took})", file=sys.stderr, flush=True)
    turns = [each for findings in found for each in findings.turns]
    return Report(
        cases=[case for findings in found for case in findings.cases],
        tables=[
            *([limits_table(turns)] if turns else []),
            *(table for findings in found for table in findings.tables),
        ],
    )


def asked_for(parser: ArgumentParser, cases: Collection[str]) -> tuple[Namespace, list[str]]:
    """Read what is to be measured, and which cases alone; exit where there are none such."""
    parser.add_argument("--only", default="", help=f"some of {','.join(cases)}; unset: all")
    parser.add_argument("--quick", action="store_true", help="every case, but shorter")
    arguments = parser.parse_args()
    only = [name for name in arguments.only.split(",") if name]
    if unknown := set(only) - set(cases):
        parser.error(f"There is no case {', '.join(sorted(unknown))}.")
    return arguments, only
