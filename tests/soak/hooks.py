"""A receiver of webhooks that notes what it takes; now and then it refuses, or says nothing.

What it takes without an answer comes again: nobody can know that it was taken.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Final

import msgspec
from msgspec import Struct

from domain.webhooks import EndpointId

REFUSED_SHARE: Final = 0.01
SILENT_SHARE: Final = 0.01
REFUSAL: Final = b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n"
THANKS: Final = b"HTTP/1.1 204 Taken\r\n\r\n"


class Taken(Struct, frozen=True):
    """A message as it came: its id, and the event that it tells of."""

    id: str
    position: int
    type: str


class Hooks:
    """Listens for all endpoints, each at a path of its own.

    Attributes:
        taken: What each endpoint was sent and took, in its order.

    """

    def __init__(self, random: Random) -> None:
        self.taken: defaultdict[EndpointId, list[Taken]] = defaultdict(list)
        self.port = 0
        self._random = random

    @property
    def count(self) -> int:
        """How many messages were taken."""
        return sum(map(len, self.taken.values()))

    def url_of(self, endpoint: EndpointId) -> str:
        return f"http://127.0.0.1:{self.port}/{endpoint}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                answer = self._take(*await _request(reader))
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
        writer.close()

    def _take(self, path: str, id_: str, body: bytes) -> bytes | None:
        chance = self._random.random()
        if chance < REFUSED_SHARE:
            return REFUSAL
        told = msgspec.json.decode(body, type=_Body)
        endpoint = EndpointId(path.strip("/"))
        self.taken[endpoint].append(Taken(id_, told.data.position, told.type))
        return None if chance < REFUSED_SHARE + SILENT_SHARE else THANKS


class _Data(Struct):
    position: int


class _Body(Struct):
    type: str
    data: _Data


async def _request(reader: asyncio.StreamReader) -> tuple[str, str, bytes]:
    """Read a request: its path, the id of the message, and its body."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers["content-length"]))
    return first.split(" ")[1], headers["webhook-id"], body


@asynccontextmanager
async def hooks(random: Random) -> AsyncIterator[Hooks]:
    """Run a receiver for the block."""
    made = Hooks(random)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
