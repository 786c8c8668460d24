"""Subscribers: a process of many WebSockets that notes when each message came.

It reads a ``Listen`` from its first line of input, subscribes, says ready when everybody has been
told something, counts from the next line on, and says what was heard. A message holds the time at
which it was sent; all processes are on one machine, and its clock is theirs.
"""

import asyncio
import sys
from statistics import quantiles
from time import perf_counter, perf_counter_ns, process_time
from typing import Final

import msgspec
import uvloop
from msgspec import Struct

STAMP: Final = b"at "
"""What leads the time in a message: nanoseconds, of so many digits."""

DIGITS: Final = 19
HEAD_END: Final = b"\r\n\r\n"
SWITCHED: Final = b"HTTP/1.1 101"
TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
FIN: Final = 0x80
MASKED: Final = 0x80
NO_MASK: Final = bytes(4)
"""A mask of zeros leaves a frame as it is."""

SHORT_MAX: Final = 125
MEDIUM: Final = 126
MEDIUM_MAX: Final = 0xFFFF
READY_SECONDS_MAX: Final = 60.0
CONNECTING_MAX: Final = 50


class Subscriber(Struct, frozen=True):
    """Where it connects, and what it says."""

    path: str
    says: tuple[str, ...] = ()


class Listen(Struct, frozen=True, kw_only=True):
    """Who listens to whom, and for how long it is counted."""

    port: int
    subscribers: list[Subscriber]
    seconds: float
    protocol: str = ""


class Heard(Struct, frozen=True, kw_only=True):
    """What was heard while it was counted; the least is that of one subscriber."""

    deliveries: int
    least: int
    seconds: float
    cpu_seconds: float
    p50_ms: float
    p99_ms: float


class Listener(asyncio.Protocol):
    """One WebSocket."""

    transport: asyncio.Transport

    def __init__(self, subscriber: Subscriber, listen: Listen) -> None:
        self._subscriber = subscriber
        self._listen = listen
        self._received = bytearray()
        self._switched = False
        self.told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.latencies: list[int] = []

    def begin(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        protocol = self._listen.protocol
        lines = [
            f"GET {self._subscriber.path} HTTP/1.1",
            f"Host: 127.0.0.1:{self._listen.port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
            *([f"Sec-WebSocket-Protocol: {protocol}"] if protocol else []),
        ]
        transport.write("\r\n".join([*lines, "", ""]).encode())

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._switched and not self._switch():
            return
        received, at = self._received, 0
        while (end := _frame_end(received, at)) <= len(received):
            self._take(received[at] & 0xF, received, at, end)
            at = end
        del received[:at]

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.told.done():
            self.told.set_exception(exc or ConnectionResetError("The server hung up."))

    def _switch(self) -> bool:
        end = self._received.find(HEAD_END)
        if end < 0:
            return False
        if not self._received.startswith(SWITCHED):
            raise RuntimeError(f"No WebSocket: {bytes(self._received[:200])!r}")
        del self._received[: end + len(HEAD_END)]
        self._switched = True
        for text in self._subscriber.says:
            self.transport.write(frame(TEXT, text.encode()))
        return True

    def _take(self, kind: int, received: bytearray, begin: int, end: int) -> None:
        if kind == PING:
            self.transport.write(frame(PONG, b""))
        elif kind == CLOSE:
            self.transport.close()
        elif (at := received.find(STAMP, begin, end)) >= 0:
            at += len(STAMP)
            self.latencies.append(perf_counter_ns() - int(received[at : at + DIGITS]))
            if not self.told.done():
                self.told.set_result(None)
        elif b'"error"' in received[begin:end]:
            raise RuntimeError(f"Told an error: {bytes(received[begin:end])!r}")
        elif b'"next"' in received[begin:end] and not self.told.done():
            self.told.set_result(None)


def frame(kind: int, payload: bytes) -> bytes:
    """Write a frame as a client sends it (RFC 6455, section 5.2)."""
    size = len(payload)
    if size <= SHORT_MAX:
        return bytes([FIN | kind, MASKED | size]) + NO_MASK + payload
    assert size <= MEDIUM_MAX, "Nobody says so much here."
    return bytes([FIN | kind, MASKED | MEDIUM]) + size.to_bytes(2) + NO_MASK + payload


def _frame_end(received: bytearray, at: int) -> int:
    """Return where a server's frame ends; beyond what is there, while it isn't complete."""
    if len(received) < at + 2:
        return at + 2
    size = received[at + 1]
    if size <= SHORT_MAX:
        return at + 2 + size
    assert size == MEDIUM, "No message is so long here."
    if len(received) < at + 4:
        return at + 4
    return at + 4 + int.from_bytes(received[at + 2 : at + 4])


async def main() -> None:
    listen = msgspec.json.decode(sys.stdin.readline(), type=Listen)
    listeners = await _subscribed(listen)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    for listener in listeners:
        listener.latencies.clear()
    begun, cpu = perf_counter(), process_time()
    await asyncio.sleep(listen.seconds)
    took, cpu = perf_counter() - begun, process_time() - cpu
    heard = _heard([listener.latencies for listener in listeners], took, cpu)
    print(msgspec.json.encode(heard).decode(), flush=True)
    await asyncio.to_thread(sys.stdin.read)


async def _subscribed(listen: Listen) -> list[Listener]:
    """Connect a few at a time, and wait until each one was told something."""
    loop, room = asyncio.get_running_loop(), asyncio.Semaphore(CONNECTING_MAX)
    listeners = [Listener(subscriber, listen) for subscriber in listen.subscribers]

    async def subscribe(listener: Listener) -> None:
        async with room:
            transport, _ = await loop.create_connection(lambda: listener, "127.0.0.1", listen.port)
            listener.begin(transport)
            await listener.told

    async with asyncio.timeout(READY_SECONDS_MAX):
        await asyncio.gather(*map(subscribe, listeners))
    return listeners


def _heard(latencies: list[list[int]], seconds: float, cpu_seconds: float) -> Heard:
    all_of_them = [each for one in latencies for each in one]
    cuts = quantiles(all_of_them, n=100) if len(all_of_them) > 1 else [0.0] * 99
    return Heard(
        deliveries=len(all_of_them),
        least=min(map(len, latencies)),
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        p50_ms=cuts[49] / 1e6,
        p99_ms=cuts[98] / 1e6,
    )


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
