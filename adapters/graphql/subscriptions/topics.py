"""Topics: a feed that many follow is read once, and each message of it is written once.

A subscriber first follows the feed alone. Once it has been told as much as the topic has, it
joins; when it takes in too little, it leaves and follows alone again, at its own pace.
"""

import asyncio
from collections.abc import Callable, Hashable, Iterator
from contextlib import aclosing
from typing import Any, Final, Protocol

import structlog

from adapters.graphql.subscriptions.feeds import AnyFeed, Told
from adapters.graphql.subscriptions.outbox import Outbox
from application.errors import Unavailable

RETRY_SECONDS: Final = 0.5
"""A database that was away is asked again after so long."""

AnyTold = Told[Any]  # Any: of whatever is told.
log = structlog.get_logger()


class Line(Protocol):
    """How a subscriber is told: the text of a message, and that it is over."""

    def write(self, told: AnyTold) -> str: ...
    def complete(self) -> None: ...
    def fail(self, error: Exception) -> None: ...


class Topic:
    """A feed that is read for all who have come as far."""

    def __init__(self, feed: AnyFeed, cursor: int, forget: Callable[["Topic"], None]) -> None:
        self.key = feed.key
        self.cursor = cursor
        self.members: set[Subscription] = set()
        self._forget = forget
        self._reading = asyncio.create_task(self._read(feed))

    def leave(self, member: "Subscription") -> None:
        self.members.discard(member)
        if not self.members:
            self._forget(self)
            self._reading.cancel()

    async def _read(self, feed: AnyFeed) -> None:
        error: Exception | None = None
        try:
            while True:
                try:
                    async with aclosing(feed.follow(self.cursor)) as coming:
                        async for told in coming:
                            self._tell(told)
                    break
                except Unavailable:
                    await asyncio.sleep(RETRY_SECONDS)
        except Exception as failure:  # noqa: BLE001 - whoever is told decides what to say of it.
            error = failure
        self._forget(self)
        for member in list(self.members):
            member.end(error)

    def _tell(self, told: AnyTold) -> None:
        if told.value is not None:
            for member in list(self.members):
                member.hear(told)
        self.cursor = max(self.cursor, told.cursor)


class Topics:
    """The topics of a process, each there as long as somebody follows it."""

    def __init__(self) -> None:
        self._topics: dict[tuple[Hashable, ...], Topic] = {}

    def __len__(self) -> int:
        return len(self._topics)

    def __iter__(self) -> Iterator[Topic]:
        return iter(list(self._topics.values()))

    def join(self, member: "Subscription") -> Topic | None:
        """Let a subscriber in that has come as far as the topic; None: it has not."""
        topic = self._topics.get(member.feed.key)
        if topic is None:
            topic = Topic(member.feed, member.cursor, self._forget)
            self._topics[topic.key] = topic
        elif member.cursor < topic.cursor:
            return None
        topic.members.add(member)
        return topic

    def _forget(self, topic: Topic) -> None:
        if self._topics.get(topic.key) is topic:
            del self._topics[topic.key]


class Subscription:
    """One subscriber's place in a feed. It is told every message behind its cursor once."""

    __slots__ = ("_alone", "_line", "_outbox", "_passing", "_topic", "_topics", "cursor", "feed")

    def __init__(self, feed: AnyFeed, line: Line, outbox: Outbox, topics: Topics) -> None:
        self.feed = feed
        self.cursor = feed.after
        self._line = line
        self._outbox = outbox
        self._topics = topics
        self._topic: Topic | None = None
        self._passing: AnyTold | None = None
        self._alone: asyncio.Task[None] | None = asyncio.create_task(self._follow())

    def stop(self) -> None:
        """Tell no more."""
        if self._alone is not None:
            self._alone.cancel()
        elif self._topic is not None:
            self._topic.leave(self)
        self._alone = self._topic = None

    def hear(self, told: AnyTold) -> None:
        """Take a message of the topic; with an outbox that is full, go on alone."""
        if not self._outbox.full:
            self._tell(told)
        elif self._topic is not None and not told.passing:
            self._topic.leave(self)
            self._topic, self._alone = None, asyncio.create_task(self._follow())

    def end(self, error: Exception | None) -> None:
        self._alone = self._topic = None
        if error is None:
            self._line.complete()
        else:
            self._line.fail(error)

    async def _follow(self) -> None:
        while True:
            try:
                joined = await self._follow_to_the_topic()
            except Unavailable:
                await asyncio.sleep(RETRY_SECONDS)
            except Exception as error:  # noqa: BLE001 - the line decides what to say of it.
                return self.end(error)
            else:
                return None if joined else self.end(None)

    async def _follow_to_the_topic(self) -> bool:
        """Return whether it joined; otherwise what the feed tells of has ended."""
        async with aclosing(self.feed.follow(self.cursor)) as coming:
            async for told in coming:
                if told.value is not None:
                    await self._outbox.room()
                    self._tell(told)
                    continue
                self.cursor = max(self.cursor, told.cursor)
                self._topic = self._topics.join(self)
                if self._topic is not None:
                    self._alone = None
                    return True
        return False

    def _tell(self, told: AnyTold) -> None:
        if told.passing:
            if told.cursor < self.cursor or told.repeats(self._passing):
                return
            self._passing = told
        elif told.cursor <= self.cursor:
            return
        self.cursor = told.cursor
        self._outbox.put(self._line.write(told))
