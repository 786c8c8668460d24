"""What waits to be sent to one reader: bounded, so that a reader who is slow holds little.

Whoever has much to say waits for room; and a reader that takes nothing in for long is found out.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final

CHARACTERS_MAX: Final = 131_072
"""What may wait before one more message, which has no limit of its own."""

END: Final = ""
"""Taken last: nothing comes behind it."""


class Outbox:
    """Texts on their way to one reader, in order.

    Attributes:
        since: When the reader began to take in the last text; None where it waits for one.

    """

    __slots__ = ("_at_once", "_characters", "_ended", "_room", "_taker", "_texts", "since")

    def __init__(self) -> None:
        self.since: float | None = None
        self._texts: deque[str] = deque()
        self._characters = 0
        self._taker: asyncio.Future[None] | None = None
        self._room: asyncio.Event | None = None
        self._ended = False
        self._at_once: Callable[[str], bool] | None = None

    @property
    def full(self) -> bool:
        return self._characters >= CHARACTERS_MAX

    def put(self, text: str) -> None:
        """Add a text; behind the end nothing is added."""
        if self._ended or self._sent(text):
            return
        self._texts.append(text)
        self._characters += len(text)
        self._wake()

    def end(self) -> None:
        """Let the reader take what there is, and no more."""
        self._ended = True
        self._wake()

    def drop(self) -> None:
        """Let the reader take nothing more, not even what waits."""
        self._texts.clear()
        self._characters = 0
        self.end()

    async def room(self) -> None:
        """Wait until there is room for one more."""
        while self.full and not self._ended:
            if self._room is None:
                self._room = asyncio.Event()
            self._room.clear()
            await self._room.wait()

    async def pass_on(
        self,
        send: Callable[[str], Awaitable[None]],
        at_once: Callable[[str], bool] | None = None,
    ) -> None:
        """Send what is put, until the end, by *send*, which waits for the reader.

        What *at_once* can send it says True to; no task has to wake up for that.
        """
        self._at_once = at_once
        while (text := await self.take()) is not END:
            await send(text)

    async def take(self) -> str:
        """Return the next text, when there is one; asking for it says that the last was sent."""
        while not self._texts:
            self.since = None
            if self._ended:
                return END
            self._taker = asyncio.get_running_loop().create_future()
            await self._taker
        text = self._texts.popleft()
        self.since = monotonic()
        self._characters -= len(text)
        if self._room is not None and not self.full:
            self._room.set()
        return text

    def _sent(self, text: str) -> bool:
        """Send a text at once to a reader that waits for one."""
        if self._at_once is None or self._taker is None or self._taker.done():
            return False
        try:
            return self._at_once(text)
        except OSError:  # It is gone, as whoever hears it learns by itself.
            self.drop()
            return True

    def _wake(self) -> None:
        if self._taker is not None and not self._taker.done():
            self._taker.set_result(None)
        if self._ended and self._room is not None:
            self._room.set()
