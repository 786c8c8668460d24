"""Writer processes: fed, killed, and started again, every attempt noted in the book."""

import asyncio
import os
import random
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from domain.ids import TenantId
from tests.faults.asks import Answer, Ask, Kind
from tests.faults.model import Book

CHECKOUT: Final = Path(__file__).parents[2]
IN_FLIGHT_MAX: Final = 24
PAUSE_SECONDS: Final = 0.02
END_SECONDS: Final = 30.0
CLAIMS_PER_NAME: Final = 3
STRETCH: Final = 100
LARGE_BYTES: Final = 60_000
TENANTS: Final = tuple(TenantId(f"00000000-0000-7000-8000-00000000000{n}") for n in range(1, 4))


def seeded(seed: str) -> random.Random:
    """Make the same choices for the same seed."""
    return random.Random(seed)  # noqa: S311 - no secret comes of it.


class Asking:
    """Makes the asks of a run, the same ones for the same seed, and remembers the open ones."""

    def __init__(self, seed: str) -> None:
        self._random = seeded(seed)
        self.book = Book()
        self.open: list[int] = []
        self.known: list[int] = []

    def next(self) -> Ask:
        """Ask something new, or again what has no answer, or what has one."""
        number, chance = len(self.book.asks) + 1, self._random.random()
        if not _is_bare(number):
            if self.open and chance < 0.3:
                return self.again(self.open.pop(self._random.randrange(len(self.open))))
            if self.known and chance < 0.35:
                return self.again(self._random.choice(self.known))
        ask = self._new(number)
        self.book.asks[ask.number] = ask
        return ask

    def again(self, number: int) -> Ask:
        """Ask the same once more, and wait for the answer this time."""
        return replace(self.book.asks[number], patience_seconds=None)

    def note(self, ask: Ask, answer: Answer) -> None:
        """Keep what an attempt came to, and whether it is to be asked again."""
        self.book.attempts[ask.number].append(answer)
        if answer.said in {"done", "repeated"} and ask.keyed:
            self.known.append(ask.number)
        if answer.said in {"failed", "gave_up", "lost"} and self._is_tried_again(ask):
            self.open.append(ask.number)

    def _is_tried_again(self, ask: Ask) -> bool:
        # The others stay as they are, so that the log shows whether what they got was true.
        return ask.keyed and ask.number % 2 == 0

    def _new(self, number: int) -> Ask:
        chance = self._random
        kind: Kind = chance.choices(("append", "claim", "issue"), (6, 2, 2))[0]
        kind = "append" if _is_bare(number) else kind
        ask = Ask(
            number=number,
            kind=kind,
            tenant=chance.choice(TENANTS),
            name=f"name-{number // CLAIMS_PER_NAME}" if kind == "claim" else f"invoice-{number}",
            events=chance.choice((1, 1, 1, 2, 5)) if kind == "append" else 1,
            size_bytes=LARGE_BYTES if chance.random() < 0.02 else 100,
            keyed=not _is_bare(number) and chance.random() < 0.7,
        )
        if chance.random() < 0.05:
            return replace(ask, patience_seconds=chance.uniform(0.001, 0.05))
        return ask


def _is_bare(number: int) -> bool:
    """Tell whether it is asked without a key or a boundary, with others like it.

    One of either in a batch would keep it from being appended twice, whatever the writer does.
    """
    return number // STRETCH % 2 == 1


class Writers:
    """Some writer processes, kept busy until told to stop."""

    def __init__(self, asking: Asking, url: str, log: Path, count: int) -> None:
        self._asking = asking
        self._url = url
        self._log = log
        self._processes: list[asyncio.subprocess.Process | None] = [None] * count
        self._is_stopping = False
        self.killed = 0

    async def run(self, asks_max: int) -> None:
        """Ask until *asks_max* new ones are made or ``stop`` is called."""
        async with asyncio.TaskGroup() as group:
            for index in range(len(self._processes)):
                group.create_task(self._keep(index, asks_max))

    def stop(self) -> None:
        """Ask nothing new."""
        self._is_stopping = True

    async def settle(self) -> None:
        """With nothing broken any more, ask what is open until it has its answer."""
        self._is_stopping = False
        while self._asking.open:
            again = [self._asking.again(number) for number in dict.fromkeys(self._asking.open)]
            self._asking.open.clear()
            await self._serve(0, again)

    def kill(self, choice: int) -> None:
        """Kill -9 one of them."""
        process = self._processes[choice % len(self._processes)]
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            self.killed += 1

    def is_over(self, asks_max: int) -> bool:
        return self._is_stopping or len(self._asking.book.asks) >= asks_max

    async def _keep(self, index: int, asks_max: int) -> None:
        while not self.is_over(asks_max):
            await self._serve(index, None, asks_max)

    async def _serve(self, index: int, given: list[Ask] | None, asks_max: int = 0) -> None:
        """Run one process until it dies or there is nothing left to ask."""
        with self._log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.faults.writer",
                cwd=CHECKOUT,
                env={**os.environ, "DATABASE_URL": self._url},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        self._processes[index] = process
        try:
            await _Talk(self, self._asking, process, given, asks_max).talk()
        except BaseException:
            process.kill()
            raise
        finally:
            await process.wait()


class _Talk:
    """What goes to and comes from one process while it lives."""

    def __init__(
        self,
        writers: Writers,
        asking: Asking,
        process: asyncio.subprocess.Process,
        given: list[Ask] | None,
        asks_max: int,
    ) -> None:
        self._writers = writers
        self._asking = asking
        self._process = process
        self._given = given
        self._asks_max = asks_max
        self._flying: Counter[int] = Counter()
        self._asks: dict[int, Ask] = {}
        self._free = asyncio.Semaphore(IN_FLIGHT_MAX)

    async def talk(self) -> None:
        sending = asyncio.create_task(self._send())
        try:
            await self._listen()
        finally:
            sending.cancel()
            await asyncio.wait([sending])
            for number in self._flying.elements():
                self._asking.note(self._asks[number], Answer(number=number, said="lost"))

    async def _send(self) -> None:
        assert self._process.stdin
        with suppress(OSError):
            while (ask := self._next()) is not None:
                await self._free.acquire()
                self._flying[ask.number] += 1
                self._asks[ask.number] = ask
                self._process.stdin.write(msgspec.json.encode(ask) + b"\n")
                await self._process.stdin.drain()
            self._process.stdin.close()

    def _next(self) -> Ask | None:
        if self._given is not None:
            return self._given.pop() if self._given else None
        return None if self._writers.is_over(self._asks_max) else self._asking.next()

    async def _listen(self) -> None:
        assert self._process.stdout
        while (line := await self._process.stdout.readline()).endswith(b"\n"):
            answer = msgspec.json.decode(line, type=Answer)
            self._flying[answer.number] -= 1
            self._asking.note(self._asks[answer.number], answer)
            if answer.said == "failed":
                await asyncio.sleep(PAUSE_SECONDS)
            self._free.release()
