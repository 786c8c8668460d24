"""Clients that listen over WebSockets, are cut off at any moment, and come back with their cursor.

Each keeps what it was told to the end, in order, over all its connections.
"""

import asyncio
from contextlib import suppress
from random import Random
from typing import Any, Final

import msgspec
from msgspec import Struct, field
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

PROTOCOL: Final = Subprotocol("graphql-transport-ws")
AGAIN_SECONDS: Final = 0.3
AGAIN_SECONDS_MAX: Final = 5.0
"""Who finds nobody comes back later each time, as clients do; or the API could hardly start."""

ANSWER_SECONDS_MAX: Final = 20.0
NEVER: Final = 1e9
BROKEN: Final = (OSError, WebSocketException, TimeoutError, EOFError)

Message = dict[str, Any]  # JSON.


class Asked(Struct, frozen=True, kw_only=True):
    """What a client subscribes to: a field, and which of its values is the cursor."""

    field: str
    cursor: str
    query: str
    variables: dict[str, object] = {}
    start: str | None = None


class Heard(Struct, kw_only=True):
    """What one client was told.

    Attributes:
        messages: Those that have a place of their own, in order.
        passing: How many stood between two of them, and may be lost.
        cuts: How often it came back.
        codes: With which codes it was closed.
        ended: It was told that there is no more.

    """

    asked: Asked
    messages: list[Message] = field(default_factory=list)
    passing: int = 0
    cuts: int = 0
    codes: set[int] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)
    ended: bool = False

    @property
    def cursor(self) -> str | None:
        """The cursor to come back with."""
        return self.messages[-1][self.asked.cursor] if self.messages else self.asked.start

    @property
    def position(self) -> int:
        return int(self.cursor or 0)


class Listener:
    """One client."""

    def __init__(self, url: str, key: str, asked: Asked, random: Random, cut: float) -> None:
        """Prepare it; it is cut off about every *cut* seconds."""
        self.heard = Heard(asked=asked)
        self._url = url
        self._authorization = f"Bearer {key}"
        self._random = random
        self._cut = cut
        self.calm = asyncio.Event()

    async def listen(self) -> None:
        """Listen until it is told that there is no more, or until cancelled."""
        again = AGAIN_SECONDS
        while not self.heard.ended:
            again = min(2 * again, AGAIN_SECONDS_MAX)
            with suppress(*BROKEN):
                async with self._connected() as talk:
                    again = AGAIN_SECONDS
                    await self._hear(talk)
                self.heard.cuts += 1
            await asyncio.sleep(self._random.uniform(0, again))

    def _connected(self) -> connect:
        return connect(
            self._url,
            subprotocols=[PROTOCOL],
            compression=None,
            ping_interval=None,
            close_timeout=0.1,
            open_timeout=ANSWER_SECONDS_MAX,
        )

    async def _hear(self, talk: ClientConnection) -> None:
        cut = NEVER if self.calm.is_set() else self._random.uniform(0, 2 * self._cut)
        try:
            async with asyncio.timeout(cut):
                await self._subscribe(talk)
                async for text in talk:
                    if self._take(msgspec.json.decode(text)):
                        return
        except TimeoutError:
            if self._random.random() < 0.5:
                talk.transport.abort()  # As a network does, with no word to either side.
        finally:
            if talk.close_code is not None:
                self.heard.codes.add(talk.close_code)

    async def _subscribe(self, talk: ClientConnection) -> None:
        shown = {"type": "connection_init", "payload": {"Authorization": self._authorization}}
        await talk.send(_json(shown), text=True)
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            await talk.recv()
        asked = self.heard.asked
        variables = asked.variables | {"after": self.heard.cursor}
        payload = {"query": asked.query, "variables": variables}
        await talk.send(_json({"type": "subscribe", "id": "1", "payload": payload}), text=True)

    def _take(self, message: Message) -> bool:
        """Note a message; return whether it is the last."""
        match message["type"]:
            case "next" if message["payload"].get("data"):
                told = message["payload"]["data"][self.heard.asked.field]
                if told.get("message") == "passing":
                    self.heard.passing += 1
                else:
                    self.heard.messages.append(told)
            case "complete":
                self.heard.ended = True
            case "next" | "error":
                self.heard.errors.append(str(message["payload"]))
        return self.heard.ended


def _json(message: object) -> bytes:
    return msgspec.json.encode(message)
