"""A TCP proxy before PostgreSQL that breaks off connections at a chosen point of an append."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import Final, Self

CHUNK_BYTES: Final = 1 << 16
APPEND: Final = b"append_events"
SETTLE: Final = b"settle_writer"
CUT_SECONDS: Final = 0.1
SILENCE_SECONDS: Final = 2.0
"""How long a client is kept waiting until the network tells it that nobody is there."""


class Point(StrEnum):
    """Where in an append its connection breaks."""

    BEFORE_SEND = "before it is sent"
    MID_SEND = "half sent"
    BEFORE_REPLY = "sent, and not yet answered"
    MID_REPLY = "half answered"
    SILENCE = "sent, and the answer never comes"


class _Link:
    """One connection of a client, and ours to the server."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client = client
        self.server = server
        self.sent: set[bytes] = set()
        self.breaks_at: Point | None = None

    def cut(self) -> None:
        for writer in (self.client, self.server):
            writer.transport.abort()


class Proxy:
    """Stands where clients take the server to be. Open it with ``async with``."""

    def __init__(
        self,
        target_port: int,
        *,
        target_host: str = "127.0.0.1",
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        self.target_port = target_port
        self._target_host = target_host
        self._silence_seconds = silence_seconds
        self.port = 0
        self.broken: dict[Point, int] = dict.fromkeys(Point, 0)
        self._armed: list[tuple[Point, bytes]] = []
        self._links: set[_Link] = set()
        self._serving: set[asyncio.Task[None] | None] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server:
            self._server.close()
        while serving := [task for task in self._serving if task]:
            self.cut_all()
            await asyncio.wait(serving, timeout=CUT_SECONDS)

    def arm(self, point: Point, call: bytes = APPEND) -> None:
        """Break the next *call* at *point*, on a connection that has made or makes one."""
        self._armed.append((point, call))

    def disarm(self) -> None:
        """Break nothing more."""
        self._armed.clear()

    def cut_all(self) -> None:
        """Break every connection, whatever it is doing."""
        for link in tuple(self._links):
            link.cut()

    def cut_one(self, choice: int) -> None:
        """Break one of the connections."""
        links = tuple(self._links)
        if links:
            links[choice % len(links)].cut()

    async def _serve(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        self._serving.add(task := asyncio.current_task())
        try:
            await self._connect(reader, client)
        finally:
            self._serving.discard(task)

    async def _connect(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        try:
            answers, server = await asyncio.open_connection(self._target_host, self.target_port)
        except OSError:
            client.transport.abort()
            return
        with self._linked(client, server) as link, suppress(OSError):
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._up(reader, link))
                pumps.create_task(self._down(answers, link))

    @contextmanager
    def _linked(
        self, client: asyncio.StreamWriter, server: asyncio.StreamWriter
    ) -> Iterator[_Link]:
        link = _Link(client, server)
        self._links.add(link)
        try:
            yield link
        finally:
            self._links.discard(link)
            link.cut()

    async def _up(self, reader: asyncio.StreamReader, link: _Link) -> None:
        with suppress(OSError):
            while chunk := await reader.read(CHUNK_BYTES):
                self._take_aim(link, chunk)
                if link.breaks_at is Point.BEFORE_SEND:
                    break
                if link.breaks_at is Point.MID_SEND:
                    chunk = chunk[: len(chunk) // 2]
                link.server.write(chunk)
                await link.server.drain()
                if link.breaks_at is Point.MID_SEND:
                    # An abort would take back what the kernel has not sent.
                    link.server.write_eof()
                    break
        self._break(link)

    async def _down(self, answers: asyncio.StreamReader, link: _Link) -> None:
        with suppress(OSError):
            while chunk := await answers.read(CHUNK_BYTES):
                if link.breaks_at is Point.BEFORE_REPLY:
                    break
                if link.breaks_at is Point.SILENCE:
                    continue
                if link.breaks_at is Point.MID_REPLY:
                    link.client.write(chunk[: len(chunk) // 2])
                    await link.client.drain()
                    await asyncio.sleep(0)
                    break
                link.client.write(chunk)
                await link.client.drain()
        self._break(link)

    def _take_aim(self, link: _Link, chunk: bytes) -> None:
        # Once a statement is prepared its name is sent no more, so what was sent is remembered.
        link.sent |= {call for call in (APPEND, SETTLE) if call in chunk}
        if self._armed and link.breaks_at is None and self._armed[0][1] in link.sent:
            link.breaks_at, _ = self._armed.pop(0)
            if link.breaks_at is Point.SILENCE:
                asyncio.get_running_loop().call_later(self._silence_seconds, self._break, link)

    def _break(self, link: _Link) -> None:
        if link in self._links:
            self._links.discard(link)
            if link.breaks_at:
                self.broken[link.breaks_at] += 1
            link.client.close()
            link.server.close()
