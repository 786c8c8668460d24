"""Turns: the anchor, ours, the anchor, ours. A ratio is made within a turn.

So what else the machine does meets both sides.
"""

from collections.abc import Callable

from msgspec import Struct

from benchmarks.appending.anchor import NAME, run_anchor
from benchmarks.appending.load import Run
from benchmarks.appending.server import Server
from benchmarks.support.report import Case, Table


class Pace(Struct, frozen=True, kw_only=True):
    """How long to look. pgbench counts in whole seconds, and its connecting too."""

    turns: int
    seconds: float
    anchor_seconds: int


FULL = Pace(turns=5, seconds=5, anchor_seconds=5)
QUICK = Pace(turns=2, seconds=1, anchor_seconds=2)


class Bench(Struct, frozen=True, kw_only=True):
    """What every case is given."""

    server: Server
    pace: Pace
    quick: bool


class Turns(Struct, frozen=True, kw_only=True):
    """Ours and what it was measured against, turn by turn."""

    name: str
    against: str
    ours: list[Run]
    anchors: list[Run]

    def ratios(self, of: Callable[[Run], float]) -> list[float]:
        return [of(o) / of(a) for o, a in zip(self.ours, self.anchors, strict=True)]


def beside_pgbench(bench: Bench, name: str, ours: Callable[[], Run]) -> Turns:
    return alternate(
        bench, name, ours, lambda: run_anchor(bench.server, bench.pace.anchor_seconds), against=NAME
    )


def alternate(
    bench: Bench, name: str, ours: Callable[[], Run], anchor: Callable[[], Run], *, against: str
) -> Turns:
    found = [(anchor(), ours()) for _ in range(bench.pace.turns)]
    return Turns(
        name=name,
        against=against,
        anchors=[anchored for anchored, _ in found],
        ours=[own for _, own in found],
    )


class Findings(Struct, frozen=True, kw_only=True):
    """What a case found: ratios, the runs behind them, and tables of its own."""

    cases: list[Case]
    turns: list[Turns]
    tables: list[Table] = []
