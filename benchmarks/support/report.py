"""What a benchmark found: ratios with their limits, printed for people and kept for programs."""

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from subprocess import run
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

CHECKOUT: Final = Path(__file__).resolve().parents[2]
RESULTS: Final = CHECKOUT / "benchmarks" / "results"


class Case(Struct, frozen=True, kw_only=True):
    """One ratio, measured several times. The value is the median of the runs' ratios."""

    case: str
    value: float
    min: float
    max: float
    runs: int
    must: float | None
    aim: float | None
    better: Literal["higher", "lower"]
    against: str

    def verdict(self) -> str:
        if self.must is None:
            return "no limit"
        reached = self.value >= self.must if self.better == "higher" else self.value <= self.must
        return "holds" if reached else "**missed**"


class Table(Struct, frozen=True, kw_only=True):
    """Figures behind the ratios, for the reader who asks where the time goes."""

    title: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]

    def markdown(self) -> str:
        return f"{self.title}\n\n{_markdown(self.header, self.rows)}"


class Report(Struct, frozen=True, kw_only=True):
    """What a group returns from ``measure``."""

    cases: list[Case]
    tables: list[Table] = []


def case(
    name: str,
    ratios: Sequence[float],
    *,
    against: str,
    better: Literal["higher", "lower"] = "higher",
    must: float | None = None,
    aim: float | None = None,
) -> Case:
    return Case(
        case=name,
        value=median(ratios),
        min=min(ratios),
        max=max(ratios),
        runs=len(ratios),
        must=must,
        aim=aim,
        better=better,
        against=against,
    )


def show(group: str, report: Report) -> str:
    """Return the Markdown: the ratios first, then what stands behind them."""
    header = ("case", "value", "min to max", "runs", "must", "aim", "", "against")
    rows = [
        (
            found.case,
            f"{found.value:.4g}",
            f"{found.min:.4g} to {found.max:.4g}",
            str(found.runs),
            _limit(found.must, found.better),
            _limit(found.aim, found.better),
            found.verdict(),
            found.against,
        )
        for found in report.cases
    ]
    title = f"### {group} at {commit()} on {_machine()}"
    parts = [title, _markdown(header, rows), *(table.markdown() for table in report.tables)]
    return "\n\n".join(parts)


def save(group: str, report: Report) -> Path:
    """Write ``results/GROUP.json`` and return where it is."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{group}.json"
    document: dict[str, Any] = {  # Any: what msgspec encodes.
        "group": group,
        "commit": commit(),
        "machine": _machine(),
        "cases": report.cases,
        "tables": report.tables,
    }
    path.write_bytes(msgspec.json.format(msgspec.json.encode(document)) + b"\n")
    return path


def commit() -> str:
    """Name the code that was measured; ``-dirty`` where the working tree differs from it."""
    command = ["git", "-C", str(CHECKOUT), "describe", "--always", "--dirty", "--abbrev=12"]
    found = run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "uncommitted"


def _machine() -> str:
    return (
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}"
    )


def _limit(limit: float | None, better: Literal["higher", "lower"]) -> str:
    if limit is None:
        return ""
    return f"{'≥' if better == 'higher' else '≤'} {limit:g}"


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
