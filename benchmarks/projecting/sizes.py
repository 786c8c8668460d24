"""How much is folded: the sizes of the issue, or small ones that keep every case."""

from typing import Final

from msgspec import Struct

from benchmarks.appending.server import Server
from benchmarks.appending.turns import FULL, QUICK, Bench, Pace

EVENT_BYTES: Final = 6_500
"""Disk that an event of one line takes, as measured: 1.5 KB itself and its tags, 2.1 KB its row
with its indexes, that once more while the table is made anew, and room to spare."""


class Sizes(Struct, frozen=True, kw_only=True):
    """What the cases are measured on."""

    events: int
    tenants: int
    by_events: tuple[int, ...]
    by_tenants: tuple[int, ...]
    idle_tenants: int
    idle_seconds: float
    commits: int


class Projecting(Bench, frozen=True, kw_only=True):
    """What every case of this group is given."""

    sizes: Sizes


FULL_SIZES: Final = Sizes(
    events=1_000_000,
    tenants=100,
    by_events=(1_000_000, 5_000_000, 20_000_000),
    by_tenants=(1, 100, 10_000),
    idle_tenants=10_000,
    idle_seconds=60,
    commits=300,
)
MEDIUM_SIZES: Final = Sizes(
    events=300_000,
    tenants=100,
    by_events=(100_000, 300_000, 600_000),
    by_tenants=(1, 100, 10_000),
    idle_tenants=10_000,
    idle_seconds=20,
    commits=60,
)
QUICK_SIZES: Final = Sizes(
    events=30_000,
    tenants=100,
    by_events=(20_000, 60_000, 120_000),
    by_tenants=(1, 100, 2_000),
    idle_tenants=2_000,
    idle_seconds=10,
    commits=60,
)


def full(server: Server) -> Projecting:
    return Projecting(server=server, pace=FULL, quick=False, sizes=FULL_SIZES)


def medium(server: Server) -> Projecting:
    return Projecting(server=server, pace=QUICK, quick=True, sizes=MEDIUM_SIZES)


def quick(server: Server) -> Projecting:
    return Projecting(server=server, pace=QUICK, quick=True, sizes=QUICK_SIZES)


def tiny(server: Server) -> Projecting:
    """Try the harness itself; what it finds means nothing."""
    pace = Pace(turns=1, seconds=1, anchor_seconds=1)
    sizes = Sizes(
        events=3_000,
        tenants=10,
        by_events=(1_000, 2_000),
        by_tenants=(1, 100),
        idle_tenants=100,
        idle_seconds=3,
        commits=10,
    )
    return Projecting(server=server, pace=pace, quick=True, sizes=sizes)
