"""How much is asked of how large a table: the sizes of the issue, or small ones with every case."""

from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct

from benchmarks.appending.server import Server
from benchmarks.appending.turns import Bench, Pace


class Sizes(Struct, frozen=True, kw_only=True):
    """What the cases are measured on."""

    invoices: int
    growth: tuple[int, ...]
    subscribers: int
    jobs: int
    messages_per_second: int
    audience: int


class Serving(Bench, frozen=True, kw_only=True):
    """What every case of this group is given."""

    sizes: Sizes


FULL: Final = Sizes(
    invoices=100_000,
    growth=(10_000, 1_000_000, 5_000_000),
    subscribers=500,
    jobs=100,
    messages_per_second=100,
    audience=1_000,
)
QUICK: Final = Sizes(
    invoices=100_000,
    growth=(10_000, 100_000),
    subscribers=500,
    jobs=100,
    messages_per_second=100,
    audience=1_000,
)


def full(server: Server) -> Serving:
    pace = Pace(turns=5, seconds=4, anchor_seconds=0)
    return Serving(server=server, pace=pace, quick=False, sizes=FULL)


def quick(server: Server) -> Serving:
    pace = Pace(turns=2, seconds=1.5, anchor_seconds=0)
    return Serving(server=server, pace=pace, quick=True, sizes=QUICK)


PACES: Final[Mapping[str, Callable[[Server], Serving]]] = {"full": full, "quick": quick}
