"""The supervisor: what it watches and dies is started again, until all is stopped."""

import signal
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import structlog

from adapters.embedded.processes import Popen, Program, kill_group, spawn, stop

POLL_SECONDS: Final = 0.1
PAUSE_SECONDS_MIN: Final = 0.1
PAUSE_SECONDS_MAX: Final = 5.0
# Who lived this long died of something new.
HEALTHY_SECONDS: Final = 10.0
ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

log = structlog.get_logger()


class Watched:
    """One program, its present process, and when it may be started again."""

    def __init__(self, program: Program, process: Popen) -> None:
        self.program = program
        self.process = process
        self.started_at = time.monotonic()
        self.pause_seconds = PAUSE_SECONDS_MIN
        self.start_at: float | None = None

    def heal(self) -> bool:
        """Start it again if it died and its pause is over; tell whether it was started."""
        if self.process.poll() is None:
            return False
        if self.start_at is None:
            self._note_death()
        if self.start_at is None or time.monotonic() < self.start_at:
            return False
        if self.program.clear:
            self.program.clear()
        self.start_at = None
        self.started_at = time.monotonic()
        self.process = spawn(self.program)
        log.info("process.started", process=self.program.name, pid=self.process.pid)
        return True

    def _note_death(self) -> None:
        now = time.monotonic()
        kill_group(self.process.pid)
        if now - self.started_at > HEALTHY_SECONDS:
            self.pause_seconds = PAUSE_SECONDS_MIN
        log.warning(
            "process.died",
            process=self.program.name,
            pid=self.process.pid,
            exit_code=self.process.returncode,
            restart_seconds=self.pause_seconds,
        )
        self.start_at = now + self.pause_seconds
        self.pause_seconds = min(2 * self.pause_seconds, PAUSE_SECONDS_MAX)


class Supervisor:
    """Watches programs. It starts no thread, as the kernel ends a process with its thread."""

    def __init__(self) -> None:
        self._watched: dict[str, Watched] = {}

    @property
    def pids(self) -> dict[str, int]:
        """Who runs as what."""
        return {name: each.process.pid for name, each in self._watched.items()}

    def add(self, started: Iterable[tuple[Program, Popen]]) -> None:
        """Watch what was started."""
        for program, process in started:
            self._watched[program.name] = Watched(program, process)

    def watch_until(self, done: Callable[[], bool], changed: Callable[[], None]) -> None:
        """Start again what dies, and say so each time, until it is done."""
        while not done():
            started = [each.heal() for each in self._watched.values()]
            if any(started):
                changed()
            time.sleep(POLL_SECONDS)

    def stop(self, names: Collection[str], seconds: float) -> None:
        """Stop these, asking in their order, and watch them no more."""
        ours = [self._watched.pop(name) for name in names if name in self._watched]
        stop([(each.program, each.process) for each in ours], seconds)


class Ending:
    """Whether a signal asked for the end. The first one also raises KeyboardInterrupt.

    It must not be raised while a process is started: Python loses what is raised in its
    hooks around a fork, and the process would be nobody's.
    """

    def __init__(self) -> None:
        self.is_asked = False
        self._raises = True

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """Raise it after the block, which looks at ``is_asked`` where it takes its time."""
        self._raises = False
        self._check()
        yield
        self._raises = True
        self._check()

    def interrupt(self, _number: int, _frame: FrameType | None) -> None:
        """Take a signal; those that follow must not cut the stopping short."""
        first, self.is_asked = not self.is_asked, True
        if first and self._raises:
            raise KeyboardInterrupt

    def _check(self) -> None:
        if self.is_asked:
            raise KeyboardInterrupt


@contextmanager
def signals_interrupt() -> Iterator[Ending]:
    """Have every signal that means the end raise KeyboardInterrupt in the block, once.

    Ctrl-C counts even where a shell's `&` had it ignored; a hang-up does not under nohup.
    """
    ending = Ending()
    former = {number: signal.getsignal(number) for number in ENDING}
    if former[signal.SIGHUP] is signal.SIG_IGN:
        del former[signal.SIGHUP]
    for number in former:
        signal.signal(number, ending.interrupt)
    try:
        yield ending
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
