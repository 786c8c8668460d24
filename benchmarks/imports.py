"""Imports: how fast a file becomes visible invoices, in how much memory, from what start.

Ours and the peers take turns in one run on one PostgreSQL, the instance's own, so that
what else the machine does meets them all. A ratio is made within a turn.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from shutil import rmtree
from statistics import median
from subprocess import run
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final

import msgspec
import psycopg
from msgspec import Struct

from benchmarks.support.instance import MAKE_RUN, Instance, peak_memory_bytes, started
from benchmarks.support.report import CHECKOUT, Case, Report, Table, case
from benchmarks.support.sources import Source, december_or_generated, repeated

SCHEMA: Final = "bench_peer"
TURNS: Final = 5
TURNS_QUICK: Final = 2
REPETITIONS: Final = 10
WARM_START_SECONDS_MAX: Final = 5.0
PEER_SECONDS_MAX: Final = 600


class Timed(Struct, frozen=True, kw_only=True):
    """One import of ours, second by second."""

    total: float
    steps: dict[str, float]


class Turn(Struct, frozen=True, kw_only=True):
    """What each took for the same file, in rows a second."""

    ours: float
    django: float
    copy: float
    timed: Timed


class Peaks(Struct, frozen=True, kw_only=True):
    """The most memory that each process held, for the file once and many times, in bytes."""

    once: dict[str, int]
    many: dict[str, int]


def measure(*, quick: bool) -> Report:
    turns = TURNS_QUICK if quick else TURNS
    with _workplace() as folder:
        source = december_or_generated(folder)
        speed = _speed(folder, source, turns)
        peaks = [_peaks(folder / f"memory-{turn}", source) for turn in range(turns)]
        cold, warm = _starts(folder / "start", turns)
    cases = [*_speed_cases(source, speed), _memory_case(source, peaks), _start_case(warm)]
    return Report(
        cases=cases,
        tables=[
            _rates_table(speed),
            _steps_table(source, speed),
            _memory_table(source, peaks),
            _starts_table(cold, warm),
        ],
    )


@contextmanager
def _workplace() -> Iterator[Path]:
    """Give a folder that the embedded servers' own user may pass through, too."""
    with TemporaryDirectory(prefix="asiento-bench-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


def _speed(folder: Path, source: Source, turns: int) -> list[Turn]:
    with started(folder / "speed") as instance, _schema(instance.admin_database_url):
        return [_turn(instance, source, number) for number in range(turns)]


@contextmanager
def _schema(database_url: str) -> Iterator[None]:
    """Keep the peers' tables apart from ours, and leave nothing of them."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        connection.execute(f"CREATE SCHEMA {SCHEMA}")
        try:
            yield
        finally:
            connection.execute(f"DROP SCHEMA {SCHEMA} CASCADE")


def _turn(instance: Instance, source: Source, number: int) -> Turn:
    timed = _import(instance, source, f"bench{number}")
    return Turn(
        ours=source.rows / timed.total,
        django=_peer("peer_django", source, instance.admin_database_url),
        copy=_peer("peer_copy", source, instance.admin_database_url),
        timed=timed,
    )


def _import(instance: Instance, source: Source, slug: str) -> Timed:
    """Import for a new tenant, from the command's start until GraphQL shows all of it."""
    tenant = instance.new_tenant(slug)
    with instance.watcher(tenant) as watcher:
        begun = perf_counter()
        imported = instance.import_invoices(source.path, tenant)
        returned = perf_counter()
        watcher.wait_until_visible(source.invoices)
        visible = perf_counter()
    if (imported.rows, imported.rejected) != (source.rows, 0):
        raise RuntimeError(f"{source.rows} rows were to be taken, and it said {imported}")
    steps = {name: imported.seconds[name] for name in ("ingest", "validate", "promote")}
    steps["command: bare start"] = _bare_start_seconds(instance)
    steps["command: hand over and wait"] = returned - begun - sum(steps.values())
    steps["until visible in GraphQL"] = visible - returned
    return Timed(total=visible - begun, steps=steps)


def _bare_start_seconds(instance: Instance) -> float:
    begun = perf_counter()
    instance.asiento("--help")
    return perf_counter() - begun


def _peer(name: str, source: Source, database_url: str) -> float:
    """Run a peer in a process of its own and return its rows a second."""
    done = run(
        [sys.executable, "-m", f"benchmarks.{name}", str(source.path), database_url, SCHEMA],
        cwd=CHECKOUT,
        capture_output=True,
        check=False,
        text=True,
        timeout=PEER_SECONDS_MAX,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{name} failed: {done.stderr.strip()[-2000:]}")
    found = msgspec.json.decode(done.stdout)
    if found["rows"] != source.rows:
        raise RuntimeError(f"{name} wrote {found['rows']} rows of {source.rows}.")
    return float(found["rows"] / found["seconds"])


def _peaks(folder: Path, source: Source) -> Peaks:
    """Import the file once and many times, each in a fresh instance."""
    folder.mkdir()
    peaks = []
    for times in (1, REPETITIONS):
        big = repeated(source, times, folder)
        with started(folder / f"instance-{times}") as instance:
            _import(instance, big, "bench")
            peaks.append({name: peak_memory_bytes(pid) for name, pid in instance.processes.items()})
    rmtree(folder, ignore_errors=True)  # Ten files' worth of database, each turn.
    return Peaks(once=peaks[0], many=peaks[1])


def _starts(data: Path, turns: int) -> tuple[float, list[float]]:
    """Start by ``make run`` once on nothing, then as often on what that left."""
    seconds = []
    for _ in range(1 + turns):
        with started(data, MAKE_RUN) as instance:
            seconds.append(instance.ready_seconds)
    return seconds[0], seconds[1:]


def _speed_cases(source: Source, speed: list[Turn]) -> list[Case]:
    return [
        case(
            f"rows a second, {source.name} to visible invoices",
            [turn.ours / turn.django for turn in speed],
            against=f"django-import-export {version('django-import-export')},"
            " bulk, into one flat table",
            must=2,
            aim=5,
        ),
        case(
            f"rows a second, {source.name}, share of the limit",
            [turn.ours / turn.copy for turn in speed],
            against="raw COPY into one flat table",
        ),
    ]


def _memory_case(source: Source, peaks: list[Peaks]) -> Case:
    return case(
        f"worker's peak memory, {source.name} x {REPETITIONS}",
        [peak.many["worker"] / peak.once["worker"] for peak in peaks],
        against="the same file once",
        better="lower",
        must=1.3,
    )


def _start_case(warm: list[float]) -> Case:
    return case(
        "warm `make run` until ready",
        [seconds / WARM_START_SECONDS_MAX for seconds in warm],
        against=f"{WARM_START_SECONDS_MAX:g} s",
        better="lower",
        must=1,
    )


def _rates_table(speed: list[Turn]) -> Table:
    rates = {
        "Asiento": [turn.ours for turn in speed],
        "django-import-export": [turn.django for turn in speed],
        "raw COPY": [turn.copy for turn in speed],
    }
    return Table(
        title="Rows a second",
        header=("", "median", "min", "max"),
        rows=[
            (name, f"{median(found):,.0f}", f"{min(found):,.0f}", f"{max(found):,.0f}")
            for name, found in rates.items()
        ],
    )


def _steps_table(source: Source, speed: list[Turn]) -> Table:
    names = speed[0].timed.steps
    steps = [(name, median(turn.timed.steps[name] for turn in speed)) for name in names]
    total = median(turn.timed.total for turn in speed)
    return Table(
        title=f"Where the time goes: {source.rows:,} rows, medians",
        header=("step", "seconds", "share"),
        rows=[
            (name, f"{seconds:.2f}", f"{seconds / total:.0%}")
            for name, seconds in (*steps, ("all", total))
        ],
    )


def _memory_table(source: Source, peaks: list[Peaks]) -> Table:
    def mebibytes(found: list[int]) -> str:
        return f"{median(found) / 2**20:.0f}"

    return Table(
        title="Peak memory of each process, MiB, medians",
        header=("process", source.name, f"{source.name} x {REPETITIONS}"),
        rows=[
            (
                name,
                mebibytes([peak.once[name] for peak in peaks]),
                mebibytes([peak.many[name] for peak in peaks]),
            )
            for name in peaks[0].once
        ],
    )


def _starts_table(cold: float, warm: list[float]) -> Table:
    return Table(
        title="`make run` until ready, seconds",
        header=("start", "median", "min", "max"),
        rows=[
            ("first, on nothing", f"{cold:.2f}", f"{cold:.2f}", f"{cold:.2f}"),
            ("warm", f"{median(warm):.2f}", f"{min(warm):.2f}", f"{max(warm):.2f}"),
        ],
    )
