"""The load: a process of its own that asks over raw sockets, and checks every answer.

It reads a ``Load`` from its first line of input, warms up and says ready, asks at the next line
until the time is up, and says what it did. Requests are bytes that were made beforehand, so that
the client takes as little as it can of the cores that it shares with the server.
"""

import asyncio
import re
import sys
from collections.abc import Callable, Iterator
from itertools import count
from time import perf_counter, process_time, time_ns
from typing import Final

import msgspec
import uvloop
from msgspec import Struct

from benchmarks.appending.load import did

MARK: Final = b"KEY-OF-THIS-REQUEST-0123456789AB"
"""Where a request has it, each request gets a name of its own, of the same length."""

HEAD_END: Final = b"\r\n\r\n"
LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
OK: Final = (b"200", b"201")
ANSWER_SECONDS_MAX: Final = 30.0
HEAD_BYTES_MAX: Final = 65_536


class Load(Struct, frozen=True, kw_only=True):
    """What is asked of whom.

    Attributes:
        first: How the first answer begins, to the byte, and how long all others are at least;
            empty: unknown.
        rest_bytes_max: What may come behind that, and differ: what the question cost.
        wanted: What every answer holds, where they differ.

    """

    port: int
    request: bytes
    connections: int
    seconds: float
    first: bytes = b""
    rest_bytes_max: int = 0
    wanted: bytes = b""
    warm_up_seconds: float = 0.5


class WrongAnswerError(Exception):
    """An answer is not what it should be."""


class Caller(asyncio.Protocol):
    """One connection, kept alive: a request, its answer, the next request."""

    transport: asyncio.Transport

    def __init__(self, load: Load, requests: Iterator[bytes]) -> None:
        self._load = load
        self._requests = requests
        self._received = bytearray()
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._deadline = self._begun = 0.0
        self._known = load.first
        self.latencies: list[float] = []

    async def ask_until(self, deadline: float) -> None:
        """Ask one after the other until then.

        Raises:
            WrongAnswerError: Which it was is in the message.

        """
        self.latencies = []
        self._deadline = deadline
        self._ended = asyncio.get_running_loop().create_future()
        self._ask()
        async with asyncio.timeout(deadline - perf_counter() + ANSWER_SECONDS_MAX):
            await self._ended

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(HEAD_END)
        if end < 0:
            if len(self._received) > HEAD_BYTES_MAX:
                self._fail("it has no end of its head")
            return None
        length = LENGTH.search(self._received, 0, end + 2)
        if length is None:
            return self._fail("it has no length")
        begin = end + len(HEAD_END)
        missing = begin + int(length[1]) - len(self._received)
        if missing > 0:
            return None
        now = perf_counter()
        self.latencies.append(now - self._begun)
        if reason := self._wrong(begin, missing):
            return self._fail(reason)
        self._received.clear()
        if now < self._deadline:
            self._ask()
        else:
            self._ended.set_result(None)
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._ended.done():
            self._ended.set_exception(exc or ConnectionResetError("The server hung up."))

    def _ask(self) -> None:
        self._begun = perf_counter()
        self.transport.write(next(self._requests))

    def _wrong(self, begin: int, missing: int) -> str:
        if missing < 0:
            return "there is more than one"
        if bytes(self._received[9:12]) not in OK:
            return "of its status"
        rest_bytes = len(self._received) - begin - len(self._load.first)
        if self._load.first and not 0 <= rest_bytes <= self._load.rest_bytes_max:
            return "of its length"
        if self._known and not self._received.startswith(self._known, begin):
            return "of its content"
        self._known = b""
        if self._load.wanted and self._load.wanted not in self._received:
            return f"{self._load.wanted.decode()} is not in it"
        return ""

    def _fail(self, reason: str) -> None:
        if not self._ended.done():
            shown = bytes(self._received[:600]).decode(errors="replace")
            self._ended.set_exception(WrongAnswerError(f"Wrong answer, as {reason}: {shown}"))


async def main() -> None:
    load = msgspec.json.decode(sys.stdin.readline(), type=Load)
    loop = asyncio.get_running_loop()
    requests = _requests(load.request)
    made: Callable[[], Caller] = lambda: Caller(load, requests)  # noqa: E731 - typed so.
    callers: list[Caller] = []
    for _ in range(load.connections):
        transport, caller = await loop.create_connection(made, "127.0.0.1", load.port)
        caller.transport = transport
        callers.append(caller)
    await _ask(callers, load.warm_up_seconds)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    begun, cpu = perf_counter(), process_time()
    await _ask(callers, load.seconds)
    took, cpu = perf_counter() - begun, process_time() - cpu
    latencies = [each for caller in callers for each in caller.latencies]
    told = did(latencies, seconds=took, cpu_seconds=cpu)
    print(msgspec.json.encode(told).decode(), flush=True)


async def _ask(callers: list[Caller], seconds: float) -> None:
    deadline = perf_counter() + seconds
    await asyncio.gather(*(caller.ask_until(deadline) for caller in callers))


def _requests(request: bytes) -> Iterator[bytes]:
    before, mark, after = request.partition(MARK)
    names = count(time_ns() << 16)  # Of two runs none is the same.
    while True:
        yield b"%b%032x%b" % (before, next(names), after) if mark else request


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
