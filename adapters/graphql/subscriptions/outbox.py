"""What waits to be sent to one reader: bounded, so that a reader who is slow holds little.

Whoever has much to say waits for room; and a reader that takes nothing in for long is found out.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from time import monotonic
from typing import Any, Final, TypeAlias

CHARACTERS_MAX: Final = 131_072
"""What may wait before one more message, which has no limit of its own."""

END: Final = ""
"""Taken last: nothing comes behind it."""

Sending: TypeAlias = Coroutine[Any, Any, None]  # Any: what a loop makes of it.


class Outbox:
    """Texts on their way to one reader, in order.

    Attributes:
        since: When the reader began to take in the last text; None where it waits for one.

    """

    __slots__ = ("_begun", "_characters", "_ended", "_room", "_send", "_taker", "_texts", "since")

    def __init__(self) -> None:
        self.since: float | None = None
        self._texts: deque[str] = deque()
        self._characters = 0
        self._taker: asyncio.Future[None] | None = None
        self._room: asyncio.Event | None = None
        self._ended = False
        self._send: Callable[[str], Sending] | None = None
        self._begun: _Begun | None = None

    @property
    def full(self) -> bool:
        return self._characters >= CHARACTERS_MAX

    def put(self, text: str) -> None:
        """Add a text; behind the end nothing is added."""
        if self._ended or (self._send is not None and self._sent(self._send, text)):
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

    async def pass_on(self, send: Callable[[str], Sending]) -> None:
        """Send what is put, until the end. *send* waits for the reader, and for nothing else."""
        self._send = send
        while (text := await self.take()) is not END:
            await send(text)

    async def take(self) -> str:
        """Return the next text, when there is one; asking for it says that the last was sent."""
        while self._begun is not None or not self._texts:
            if self._begun is not None:
                await self._begun
                self._begun = None
                continue
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

    def _sent(self, send: Callable[[str], Sending], text: str) -> bool:
        """Send a text at once to a reader that waits for one: no task has to wake up for it.

        Where the reader does not take it in at once, the rest of the sending is the taker's.
        """
        if self._taker is None or self._taker.done():
            return False
        sending = send(text)
        try:
            waited = sending.send(None)
        except StopIteration:
            return True
        except Exception:  # noqa: BLE001 - it is gone, as whoever hears it learns by itself.
            self.drop()
            return True
        self._begun, self.since = _Begun(sending, waited), monotonic()
        self._taker.set_result(None)
        return True

    def _wake(self) -> None:
        if self._taker is not None and not self._taker.done():
            self._taker.set_result(None)
        if self._ended and self._room is not None:
            self._room.set()


class _Begun:
    """A coroutine that was begun outside of a task, to be awaited to its end in one."""

    def __init__(self, coroutine: Sending, waited: Any) -> None:  # noqa: ANN401 - as above.
        self._coroutine = coroutine
        self._waited = waited

    def __await__(self) -> Generator[Any, Any, None]:
        with suppress(StopIteration):  # By which a coroutine says that it has ended.
            while True:
                try:
                    result = yield self._waited
                except BaseException as error:  # noqa: BLE001 - it is the coroutine's to handle.
                    self._waited = self._coroutine.throw(error)
                else:
                    self._waited = self._coroutine.send(result)
