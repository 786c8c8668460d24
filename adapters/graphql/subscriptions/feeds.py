"""Feeds: what happens, told in an order that never changes, so that a cursor is enough to go on.

A feed first listens, then tells what there is, then what comes; where no news is heard, it looks.
So whoever follows it after a cursor is told everything behind it once.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Hashable
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")


class Told(Generic[T]):
    """One message of a feed, shared by all who are told it.

    Attributes:
        cursor: Following after it misses nothing that comes behind this message.
        value: None: there is no more up to the cursor for now.
        passing: It stands between two cursors, and may be lost; the cursor is that before it.
        payloads: What was written of it, by selection, so that it is written once.

    """

    __slots__ = ("_before", "_same", "cursor", "passing", "payloads", "value")

    def __init__(self, cursor: int, value: T | None = None, *, passing: bool = False) -> None:
        self.cursor = cursor
        self.value = value
        self.passing = passing
        self.payloads: dict[object, str] = {}
        self._before: Told[T] | None = None
        self._same = False

    def repeats(self, before: "Told[T] | None") -> bool:
        """Tell whether it says the same as the one before; all who are told both ask this."""
        if before is not self._before:
            self._before, self._same = before, before is not None and before.value == self.value
        return self._same


class Feed(ABC, Generic[T]):
    """Tells without end, or until what it tells of has ended."""

    def __init__(self, after: int, *key: Hashable) -> None:
        """Start *after* a cursor; feeds of one key tell the same."""
        self.after = after
        self.key: tuple[Hashable, ...] = (type(self), *key)

    @abstractmethod
    def follow(self, after: int) -> AsyncGenerator[Told[T], None]:
        """Tell what is behind a cursor, then that there is no more for now, then what comes.

        Raises:
            Unavailable: PostgreSQL is away. Follow again after the last cursor.

        """

    async def __aiter__(self) -> AsyncIterator[T]:
        """Yield the values alone, as an executor of GraphQL asks for them."""
        async for told in self.follow(self.after):
            if told.value is not None:
                yield told.value


def as_generator(feed: Feed[T]) -> AsyncGenerator[T, None]:
    """Pass a feed for what a resolver of a subscription is to be annotated with."""
    return cast("AsyncGenerator[T, None]", feed)


AnyFeed = Feed[Any]  # Any: of whatever it tells.
