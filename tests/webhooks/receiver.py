"""A receiver of webhooks that behaves as it is told: well, badly, or not at all."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct
from standardwebhooks import Webhook

SECONDS_MAX = 30.0
Behaviour: TypeAlias = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Heard(Struct, frozen=True):
    """A request as it came."""

    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON.
        return msgspec.json.decode(self.body)

    @property
    def position(self) -> int:
        position: int = self.json["data"]["position"]
        return position

    def verified(self, secret: str) -> Any:  # noqa: ANN401 - as above.
        """Verify the signature as a receiver would, and return the body."""
        return Webhook(secret).verify(self.body, self.headers)


class Receiver:
    """Listens on a port of its own. It does what is next in *script*, and then *always*."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.script: list[Behaviour] = []
        self.always: Behaviour = answers(204)
        self.port = 0
        self._more = asyncio.Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks?of=asiento"

    @property
    def positions(self) -> list[int]:
        return [each.position for each in self.heard]

    async def hears(self, many: int) -> None:
        """Wait until so many requests came."""
        async with asyncio.timeout(SECONDS_MAX), self._more:
            await self._more.wait_for(lambda: len(self.heard) >= many)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *lines = head.strip().split("\r\n")
                headers = {
                    name.lower(): value for name, value in (line.split(": ", 1) for line in lines)
                }
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.heard.append(Heard(first.split(" ")[1], headers, body))
                async with self._more:
                    self._more.notify_all()
                await (self.script.pop(0) if self.script else self.always)(writer)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def receiving(tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """Run a receiver."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()


def answers(status: int, body: bytes = b"", **headers: str) -> Behaviour:
    """Answer as HTTP has it."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        head = f"HTTP/1.1 {status} Odd\r\n{more}content-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)

    return behave


def says(text: bytes) -> Behaviour:
    """Send these bytes, whatever they mean, and hang up."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(text)
        await writer.drain()
        writer.close()

    return behave


async def hangs(writer: asyncio.StreamWriter) -> None:
    """Take the message in, and say nothing until the sender gives up."""
    while not writer.is_closing():  # noqa: ASYNC110 - there is no event for it.
        await asyncio.sleep(0.05)


async def drips(writer: asyncio.StreamWriter) -> None:
    """Answer a byte at a time, without an end."""
    with suppress(ConnectionError):
        for sign in b"HTTP/1.1 200 OK\r\n" + b"x-slow: 1\r\n" * 1_000:
            writer.write(bytes([sign]))
            await writer.drain()
            await asyncio.sleep(0.05)
