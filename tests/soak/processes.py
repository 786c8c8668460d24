"""The processes of a soak: projectors that are started again when they die, and rebuilds."""

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Final

import msgspec
from msgspec import Struct

from adapters.embedded.processes import Popen, Program, kill_group, spawn, stop
from adapters.settings import Settings
from tests.rest.api import environment
from tests.soak.planted import VARIABLE

CHECKOUT: Final = Path(__file__).parents[2]
LOOK_SECONDS: Final = 0.05
END_SECONDS: Final = 10.0
WORDS_LENGTH_MAX: Final = 2_000
DONE: Final = "done"
KILLED: Final = "killed"
PROJECTOR: Final = (sys.executable, "-m", "tests.soak.projector")
REBUILD: Final = (sys.executable, "-m", "adapters.cli.main", "projections", "rebuild", "--json")


class Processes:
    """Starts programs on the servers of a soak, each with a file of what it says."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._environment = environment(settings)
        self._folder = folder
        self._started: list[tuple[Program, Popen]] = []

    def start(self, name: str, argv: tuple[str, ...], **environment: str) -> Popen:
        program = Program(
            name=name,
            argv=argv,
            environment=self._environment | environment,
            folder=CHECKOUT,
            output=self._folder / f"{name}.log",
        )
        self._started.append((program, spawn(program)))
        return self._started[-1][1]

    def said(self, name: str) -> str:
        """Return the last of what a process said."""
        return (self._folder / f"{name}.log").read_text(errors="replace")[-WORDS_LENGTH_MAX:]

    def end(self) -> None:
        """End all, and what the killed ones have left behind."""
        stop([each for each in self._started if each[1].poll() is None], END_SECONDS)
        for _, process in self._started:
            kill_group(process.pid)
            process.wait()


class Projectors:
    """Some projector processes, kept alive.

    Attributes:
        ended: What those said that nobody killed, and that are not to end.

    """

    def __init__(self, processes: Processes, count: int, planted: str = "") -> None:
        self._processes = processes
        self._environment = {VARIABLE: planted} if planted else {}
        self._running: list[Popen | None] = [None] * count
        self._names: dict[int, str] = {}
        self.started = 0
        self.ended: list[str] = []

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Start whoever is not there, as long as the block lasts."""
        keeping = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            keeping.cancel()
            await asyncio.wait([keeping])

    async def _keep(self) -> None:
        while True:
            for place, process in enumerate(self._running):
                if process is None or process.poll() is not None:
                    self._note_death(process)
                    self.started += 1
                    name = f"projector-{self.started}"
                    self._running[place] = started = self._processes.start(
                        name, PROJECTOR, **self._environment
                    )
                    self._names[started.pid] = name
            await asyncio.sleep(LOOK_SECONDS)

    def _note_death(self, process: Popen | None) -> None:
        """Keep the last words of one that nobody killed."""
        if process is not None and process.returncode != -signal.SIGKILL:
            name = self._names[process.pid]
            self.ended.append(f"{name} ended: {self._processes.said(name)}")

    def pids(self) -> list[int]:
        return [each.pid for each in self._running if each and each.poll() is None]


class _Error(Struct):
    code: str


class _Told(Struct):
    error: _Error


class Rebuilds:
    """One rebuild at a time, some of them killed on their way.

    Attributes:
        ended: How often each end came: done, killed, or the code of an error.

    """

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._task: asyncio.Task[None] | None = None
        self._name = ""
        self.ended: Counter[str] = Counter()

    def begin(self, name: str, kill_after_seconds: float | None = None) -> None:
        """Begin one of the read model *name*, unless one is under way."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(name, kill_after_seconds))

    def last_words(self) -> str:
        """Return what the last one said at its end."""
        return self._processes.said(self._name)

    async def settle(self) -> None:
        """Wait for the one under way."""
        if self._task is not None:
            await self._task

    async def _run(self, name: str, kill_after_seconds: float | None) -> None:
        self._name = f"rebuild-{self.ended.total() + 1}"
        process = self._processes.start(self._name, (*REBUILD, name))
        try:
            code = await asyncio.to_thread(process.wait, kill_after_seconds)
        except TimeoutExpired:
            process.kill()
            self.ended[KILLED] += 1
        else:
            self.ended[DONE if code == 0 else self._reason()] += 1

    def _reason(self) -> str:
        """Return the code of the error that the last one ended with; its log stands before it."""
        for line in self.last_words().splitlines():
            with suppress(msgspec.MsgspecError):
                return msgspec.json.decode(line, type=_Told).error.code
        return "crashed"
