"""Bloat: the table of heads, rewritten by every append, while clients append for minutes."""

from collections.abc import Iterator
from time import perf_counter, sleep
from typing import Any, Final, TypeAlias

import psycopg
from msgspec import Struct

from benchmarks.appending.load import Load, Run, run_load
from benchmarks.appending.turns import Bench, Findings
from benchmarks.support.report import Table, case

Admin: TypeAlias = "psycopg.Connection[tuple[Any, ...]]"  # Any: rows of any query.
SECONDS: Final = 300
SECONDS_QUICK: Final = 20
SAMPLES: Final = 5
SETTLED: Final = 3
CLIENTS: Final = 256
TENANTS: Final = 100

SIZE: Final = """
SELECT pg_total_relation_size('log_head'), n_dead_tup, n_tup_upd, n_tup_hot_upd, autovacuum_count
FROM pg_stat_all_tables WHERE relid = 'log_head'::regclass
"""


class Sample(Struct, frozen=True, kw_only=True):
    """The table of heads at one moment."""

    second: float
    size_bytes: int
    dead: int
    updates: int
    in_place: int
    vacuums: int


def bloat(bench: Bench) -> Findings:
    """Compare the size at the end with the size after three fifths, when vacuums have begun."""
    seconds = SECONDS_QUICK if bench.quick else SECONDS
    load = Load(clients=CLIENTS, tenants=TENANTS, seconds=seconds)
    samples: list[Sample] = []
    with (
        bench.server.fresh_database("bloat") as urls,
        psycopg.connect(urls.admin_database_url, autocommit=True) as admin,
    ):

        def watch() -> None:
            samples.extend(_samples(admin, seconds))

        run = run_load(bench.server, urls, load, meanwhile=watch)
    name = f"size of log_head after {seconds} s of {CLIENTS} clients, {TENANTS} tenants"
    ratio = samples[-1].size_bytes / samples[SETTLED].size_bytes
    against = f"its size after {seconds * SETTLED // SAMPLES} s"
    return Findings(
        cases=[case(name, [ratio], against=against, better="lower", must=2)],
        turns=[],
        tables=[_table(samples, run)],
    )


def _samples(admin: Admin, seconds: int) -> Iterator[Sample]:
    """Look at the beginning, then after each fifth."""
    begun = perf_counter()
    for fifth in range(SAMPLES + 1):
        sleep(max(0.0, begun + seconds * fifth / SAMPLES - perf_counter()))
        yield _sample(admin, perf_counter() - begun)


def _sample(admin: Admin, second: float) -> Sample:
    row = admin.execute(SIZE).fetchone() or (0, 0, 0, 0, 0)
    size, dead, updates, in_place, vacuums = row
    return Sample(
        second=second,
        size_bytes=size,
        dead=dead,
        updates=updates,
        in_place=in_place,
        vacuums=vacuums,
    )


def _table(samples: list[Sample], run: Run) -> Table:
    return Table(
        title=f"log_head under {run.event_rate:,.0f} appends a second",
        header=("second", "KiB", "dead rows", "updates", "of them in place (HOT)", "autovacuums"),
        rows=[
            (
                f"{sample.second:.0f}",
                f"{sample.size_bytes / 1024:,.0f}",
                f"{sample.dead:,}",
                f"{sample.updates:,}",
                f"{sample.in_place / max(sample.updates, 1):.0%}",
                str(sample.vacuums),
            )
            for sample in samples
        ],
    )
