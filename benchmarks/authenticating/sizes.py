"""How much is asked: the sizes of the issue, or small ones that keep every case."""

from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct

from benchmarks.appending.server import Server
from benchmarks.appending.turns import Bench, Pace


class Sizes(Struct, frozen=True, kw_only=True):
    """What the cases are measured on."""

    companies: tuple[int, ...]
    people: int
    asked: int
    revoked: int


class Authenticating(Bench, frozen=True, kw_only=True):
    """What every case of this group is given."""

    sizes: Sizes


def full(server: Server) -> Authenticating:
    sizes = Sizes(companies=(10, 10_000), people=10, asked=1_000, revoked=30)
    pace = Pace(turns=5, seconds=4, anchor_seconds=0)
    return Authenticating(server=server, pace=pace, quick=False, sizes=sizes)


def quick(server: Server) -> Authenticating:
    sizes = Sizes(companies=(10, 300), people=10, asked=200, revoked=5)
    pace = Pace(turns=2, seconds=1.5, anchor_seconds=0)
    return Authenticating(server=server, pace=pace, quick=True, sizes=sizes)


PACES: Final[Mapping[str, Callable[[Server], Authenticating]]] = {"full": full, "quick": quick}
