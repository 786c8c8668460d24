"""What a measurement cost: CPU of either side, bytes of WAL, flushes, commits.

Read from ``/proc`` and from PostgreSQL's own counters, before and after. CPU is what a noisy
neighbour distorts least.
"""

import os
import resource
from pathlib import Path
from time import perf_counter
from typing import Final

import psycopg
from msgspec import Struct

from benchmarks.appending.server import Server

TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")
STATISTICS_BY_KIND_SINCE: Final = 180_000

WAL_BYTES: Final = "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"
COMMITS: Final = "SELECT coalesce(sum(xact_commit), 0) FROM pg_stat_database"
FLUSHES: Final = "SELECT coalesce(sum(fsyncs), 0) FROM pg_stat_io WHERE object = 'wal'"
FLUSHES_BEFORE_18: Final = "SELECT wal_sync FROM pg_stat_wal"


class Counters(Struct, frozen=True, kw_only=True):
    """PostgreSQL's counters. Its backends report them at the latest when they end."""

    wal_bytes: int
    flushes: int
    commits: int


class Cpu(Struct, frozen=True, kw_only=True):
    """CPU seconds until now: of the whole server, of each of its processes, of the machine."""

    now: float
    server: float
    processes: dict[int, float]
    machine: float


class Usage(Struct, frozen=True, kw_only=True):
    """What one measurement took: in seconds of its work, of the clock around it, of CPU."""

    seconds: float
    wall_seconds: float
    server_cpu: float
    busiest_backend_cpu: float
    client_cpu: float
    machine_cpu: float
    wal_bytes: int
    flushes: int
    commits: int


def counters(server: Server) -> Counters:
    with psycopg.connect(server.urls.admin_database_url, autocommit=True) as admin:
        newer = admin.info.server_version >= STATISTICS_BY_KIND_SINCE
        asked = (WAL_BYTES, FLUSHES if newer else FLUSHES_BEFORE_18, COMMITS)
        found = [admin.execute(statement.encode()).fetchone() for statement in asked]
    wal_bytes, flushes, commits = (int(row[0]) if row else 0 for row in found)
    return Counters(wal_bytes=wal_bytes, flushes=flushes, commits=commits)


def cpu(server: Server) -> Cpu:
    """Return CPU seconds; the postmaster's own hold those of backends that ended."""
    own, ended = process_seconds(server.postmaster)
    children = Path(f"/proc/{server.postmaster}/task/{server.postmaster}/children")
    pids = [int(pid) for pid in children.read_text("ascii").split()]
    processes = {pid: process_seconds(pid)[0] for pid in pids}
    return Cpu(
        now=perf_counter(),
        server=own + ended + sum(processes.values()),
        processes=processes,
        machine=_busy_seconds(),
    )


def spent(
    before: tuple[Counters, Cpu], after: tuple[Counters, Cpu], *, seconds: float, client_cpu: float
) -> Usage:
    (counted, used), (counted_after, used_after) = before, after
    each = (total - used.processes.get(pid, 0.0) for pid, total in used_after.processes.items())
    return Usage(
        seconds=seconds,
        wall_seconds=used_after.now - used.now,
        server_cpu=used_after.server - used.server,
        busiest_backend_cpu=max(each, default=0.0),
        client_cpu=client_cpu,
        machine_cpu=used_after.machine - used.machine,
        wal_bytes=counted_after.wal_bytes - counted.wal_bytes,
        flushes=counted_after.flushes - counted.flushes,
        commits=counted_after.commits - counted.commits,
    )


def children_cpu_seconds() -> float:
    """Return the CPU seconds of our own child processes that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def process_seconds(pid: int) -> tuple[float, float]:
    """Return the CPU seconds of a process, and of its children that ended."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text("ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return 0.0, 0.0  # It ended meanwhile, and its parent counts it.
    fields = status.rpartition(")")[2].split()
    own, ended = fields[11:13], fields[13:15]
    return sum(map(int, own)) / TICKS_PER_SECOND, sum(map(int, ended)) / TICKS_PER_SECOND


def _busy_seconds() -> float:
    """Return the CPU seconds that the whole machine was busy, or taken away from it."""
    first = Path("/proc/stat").read_text("ascii").partition("\n")[0].split()
    user, nice, system, _idle, _waiting, *rest = map(int, first[1:9])
    return (user + nice + system + sum(rest)) / TICKS_PER_SECOND
