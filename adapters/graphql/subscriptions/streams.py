"""Operations answered as server-sent events, in the distinct connections mode of graphql-sse.

Each message has its cursor as its id; whoever comes back with it in ``Last-Event-ID`` goes on
behind it, whatever its document says.
"""

import asyncio
from collections.abc import AsyncGenerator
from collections.abc import Set as AbstractSet
from http import HTTPStatus
from time import monotonic
from typing import Final

import msgspec
from litestar.response import Stream
from strawberry.types.graphql import OperationType

from adapters.access.door import Admission
from adapters.graphql.answering import ANY, run
from adapters.graphql.asked import Asked
from adapters.graphql.asking import Asking
from adapters.graphql.scalars import POSITION
from adapters.graphql.subscriptions.audience import Audience, audience_of
from adapters.graphql.subscriptions.operations import let_in
from adapters.graphql.subscriptions.outbox import END, Outbox
from adapters.graphql.subscriptions.selecting import Selection, open_feed, read_operation, told_of
from adapters.graphql.subscriptions.topics import AnyTold, Subscription
from application.errors import Malformed, TooMany

EVENT_STREAM: Final = "text/event-stream"
HEARTBEAT_SECONDS: Final = 12.0
HEARTBEAT: Final = ":\n\n"
RETRY: Final = "retry: 1000\n\n"
"""The process ends: come back after so many milliseconds, with the last id."""

COMPLETE: Final = "event: complete\ndata:\n\n"


def stream(
    admission: Admission,
    asking: Asking,
    asked: Asked,
    last_event_id: str,
    kinds: AbstractSet[OperationType] = ANY,
) -> Stream:
    """Answer what is asked as server-sent events, where it is of these *kinds*.

    Raises:
        Malformed: ``Last-Event-ID`` is no cursor.

    """
    asking.resume_after = _cursor(last_event_id)
    told = _told(admission, asking, asked, kinds)
    return Stream(told, media_type=EVENT_STREAM, status_code=HTTPStatus.OK)


class Reader:
    """Somebody who reads server-sent events."""

    def __init__(self) -> None:
        self.outbox = Outbox()
        self.since = monotonic()
        self.admission: Admission | None = None

    def be_late(self) -> None:
        """Do nothing: who it is was known before it was let in."""

    def be_stuck(self) -> None:
        """Do nothing: what it can't be sent, the server gives up on by itself."""

    def be_shut_out(self) -> None:
        self.outbox.drop()

    def be_sent_away(self) -> None:
        self.outbox.put(RETRY)
        self.outbox.end()


class _Line:
    """Tells a reader by events."""

    def __init__(self, outbox: Outbox, selection: Selection) -> None:
        self._outbox = outbox
        self._selection = selection

    def write(self, told: AnyTold) -> str:
        return f"event: next\nid: {told.cursor}\ndata: {self._selection.write(told)}\n\n"

    def complete(self) -> None:
        self._outbox.put(COMPLETE)
        self._outbox.end()

    def fail(self, error: Exception) -> None:
        self._outbox.put(_next({"errors": told_of(error)}))
        self.complete()


async def _told(
    admission: Admission, asking: Asking, asked: Asked, kinds: AbstractSet[OperationType]
) -> AsyncGenerator[bytes, None]:
    reader, audience = Reader(), audience_of(asking.runtime)
    outbox = reader.outbox
    audience.enter(reader)
    answering = asyncio.create_task(_answer(outbox, audience, asking, asked, kinds))
    coming = asyncio.create_task(outbox.take())
    try:
        audience.admit(reader, admission)
        while True:
            done, _ = await asyncio.wait({coming}, timeout=HEARTBEAT_SECONDS)
            if not done:
                yield HEARTBEAT.encode()
            elif (text := coming.result()) is END:
                return
            else:
                yield text.encode()
                coming = asyncio.create_task(outbox.take())
    except TooMany as error:
        yield _next({"errors": told_of(error)}).encode()
        yield COMPLETE.encode()
    finally:
        audience.leave(reader)
        coming.cancel()
        answering.cancel()
        if answering.done() and not answering.cancelled() and (running := answering.result()):
            running.stop()


async def _answer(
    outbox: Outbox,
    audience: Audience,
    asking: Asking,
    asked: Asked,
    kinds: AbstractSet[OperationType],
) -> Subscription | None:
    """Put what is answered into the outbox; return what goes on telling."""
    try:
        prepared = await let_in(asking, asked, kinds)
        asked = prepared.asked
        operation = read_operation(asked.query, asked.operation_name)
        if operation.subscribes:
            feed, selection = await open_feed(operation, asked.variables, asking)
            return Subscription(feed, _Line(outbox, selection), outbox, audience.topics)
        answer = await run(asking, prepared)
    except Exception as error:  # noqa: BLE001 - a bug is logged, and told as one.
        answer = {"errors": told_of(error)}
    outbox.put(_next(answer))
    outbox.put(COMPLETE)
    outbox.end()
    return None


def _next(answer: dict[str, object]) -> str:
    return f"event: next\ndata: {msgspec.json.encode(answer).decode()}\n\n"


def _cursor(text: str) -> int | None:
    """Read the id of the last event that a reader was sent.

    Raises:
        Malformed: No event had it.

    """
    if not text:
        return None
    if POSITION.fullmatch(text):
        return int(text)
    raise Malformed(
        "subscriptions.bad_cursor",
        "Last-Event-ID is no cursor.",
        hint="Send the id of the last event that came, or leave the header out.",
    )
