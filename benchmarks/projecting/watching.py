"""Looks at processes while they work: of what is over there is nothing more to be seen."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Final

from msgspec import Struct

from benchmarks.appending.server import Server
from benchmarks.appending.usage import Cpu, cpu

LOOK_SECONDS: Final = 0.1
KIB: Final = 1024


class Seen(Struct):
    """The most that was seen."""

    busiest_backend_cpu: float = 0.0
    peak_bytes: int = 0


@contextmanager
def watched(server: Server) -> Iterator[Seen]:
    """Look at every backend, and at all processes that we started, until the block ends."""
    seen, over, before = Seen(), Event(), cpu(server)
    thread = Thread(target=_watch, args=(server, before, seen, over), daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def _watch(server: Server, before: Cpu, seen: Seen, over: Event) -> None:
    own = before.processes.keys()
    while not over.wait(LOOK_SECONDS):
        for pid, seconds in cpu(server).processes.items():
            spent = seconds - (before.processes[pid] if pid in own else 0.0)
            seen.busiest_backend_cpu = max(seen.busiest_backend_cpu, spent)
        together = sum(map(_peak_bytes, _started_by_us(server.postmaster)))
        seen.peak_bytes = max(seen.peak_bytes, together)


def _started_by_us(postmaster: int) -> Iterator[int]:
    """Name the processes below ours, but for the servers'."""
    waiting = _children("self")
    while waiting:
        pid = waiting.pop()
        if pid != postmaster and "valkey" not in _name(pid):
            yield pid
            waiting += _children(str(pid))


def _children(pid: str) -> list[int]:
    try:
        texts = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    return [int(child) for text in texts for child in text.split()]


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return ""


def _peak_bytes(pid: int) -> int:
    """Return the most memory that a process ever held, which may be of pages it shares."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * KIB for line in lines if line.startswith("VmHWM"))
