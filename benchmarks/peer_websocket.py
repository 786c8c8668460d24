"""The peer: a bare WebSocket server on uvloop that sends bytes which were made before.

A frame is made once a message, with the time in it, and written to every socket of its topic as
it is: nobody is asked who they are, nothing is kept, nobody comes late. The path is the topic.
"""

import asyncio
import os
from base64 import b64encode
from hashlib import sha1
from itertools import count
from time import perf_counter_ns
from typing import Final

import uvloop

from benchmarks.serving.listeners import DIGITS, HEAD_END, STAMP

TEXT_OF_126: Final = bytes([0x81, 126])
ACCEPT: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3.
KEY: Final = b"sec-websocket-key:"
MESSAGE: Final = (
    b'{"id":"1","type":"next","payload":{"data":{"jobProgress":{"cursor":"2","status":"running",'
    b'"done":%d,"total":1000000,"message":"' + STAMP + b"%0" + str(DIGITS).encode() + b'd"}}}}'
)

_topics: dict[bytes, set[asyncio.Transport]] = {}


class Server(asyncio.Protocol):
    """One socket: it is let in, and what it says is not heard."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._topic: bytes | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # uvloop's own.
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._topic is not None:
            return
        self._received += data
        if HEAD_END not in self._received:
            return
        lines = bytes(self._received).split(b"\r\n")
        key = next(line for line in lines if line.lower().startswith(KEY))[len(KEY) :].strip()
        # What the protocol asks for, and no secret.
        accept = b64encode(sha1(key + ACCEPT, usedforsecurity=False).digest())
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept
        )
        self._topic = lines[0].split()[1]
        _topics.setdefault(self._topic, set()).add(self._transport)

    def connection_lost(self, _exc: Exception | None) -> None:
        if self._topic is not None:
            _topics[self._topic].discard(self._transport)


async def main() -> None:
    loop = asyncio.get_running_loop()
    await loop.create_server(Server, "127.0.0.1", int(os.environ["PORT"]), backlog=2048)
    topics, pause = int(os.environ["TOPICS"]), 1 / float(os.environ["PER_SECOND"])
    begun = loop.time()
    for number in count():
        await asyncio.sleep(begun + number * pause - loop.time())
        message = MESSAGE % (number, perf_counter_ns())
        frame = TEXT_OF_126 + len(message).to_bytes(2) + message
        for transport in _topics.get(b"/%d" % (number % topics), ()):
            transport.write(frame)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
