"""A tenant's log as the library's ``DCBRecorder``: synchronous, and bound to that tenant.

Reads stream in pages; a read without a limit ends at the head it began with.
"""

from collections.abc import Sequence
from typing import Final, Self

from eventsourcing.dcb.api import (
    DCBAppendCondition,
    DCBEvent,
    DCBQuery,
    DCBReadResponse,
    DCBRecorder,
    DCBSequencedEvent,
)
from eventsourcing.dcb.persistence import DCBListenNotifySubscription
from eventsourcing.persistence import ProgrammingError

from adapters.dcb.background import BackgroundStore
from adapters.dcb.errors import as_the_library_says
from adapters.dcb.mapping import from_stored, to_append, to_query
from application.ports import QueryItem, StoredEvent
from domain.ids import TenantId

PAGE_EVENTS: Final = 500
ACTOR: Final = "system"


class TenantRecorder(DCBRecorder):
    """Use it in a ``with`` block, or close it. Threads may share it."""

    def __init__(self, url: str, tenant: TenantId, *, actor: str = ACTOR) -> None:
        """Serve the database at *url*, writing events in the name of *actor*."""
        self.tenant = tenant
        self._actor = actor
        self._subscriptions: set[TenantSubscription] = set()
        self.background = BackgroundStore(url)
        self.background.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the subscriptions, append what was taken, and disconnect."""
        for subscription in tuple(self._subscriptions):
            subscription.end()
        self.background.close()

    def read(
        self,
        query: DCBQuery | None = None,
        *,
        after: int | None = None,
        limit: int | None = None,
    ) -> "TenantReadResponse":
        """Stream the events that match an item of the query, all where it has none.

        Raises:
            DataError: A type or a tag of the query is empty, too long or not printable.
            OperationalError: PostgreSQL is away.

        """
        with as_the_library_says():
            asked = to_query(query)
        return TenantReadResponse(self, asked, after=after or 0, limit=limit)

    def append(
        self, events: Sequence[DCBEvent], condition: DCBAppendCondition | None = None
    ) -> int:
        """Append the events together and return the position of the last.

        Raises:
            ProgrammingError: There is no event.
            IntegrityError: An event meets the condition.
            DataError: A type or a tag is empty, too long or not printable.
            OperationalError: PostgreSQL is away, the store is busy, or the log is closed.

        """
        if not events:
            raise ProgrammingError("There is no event to append.")
        with as_the_library_says():
            append = to_append(events, condition, self._actor)
        return self.background.run(self.background.store.append(self.tenant, append)) + len(events)

    def subscribe(
        self, query: DCBQuery | None = None, *, after: int | None = None
    ) -> "TenantSubscription":
        """Yield the events, those there are and those to come, until it is stopped."""
        subscription = TenantSubscription(self, query, after)
        self._subscriptions.add(subscription)
        return subscription

    def forget(self, subscription: "TenantSubscription") -> None:
        """Let go of a subscription that is stopped."""
        self._subscriptions.discard(subscription)

    def head(self) -> int:
        """Return the last position, 0 where nothing happened."""
        return self.background.run(self.background.store.head(self.tenant))

    def page(
        self, query: tuple[QueryItem, ...], *, after: int, until: int | None, limit: int
    ) -> list[StoredEvent]:
        """Read at most *limit* events; nothing stays open on the server between two pages."""
        return self.background.run(self._page(query, after, until, limit))

    async def _page(
        self, query: tuple[QueryItem, ...], after: int, until: int | None, limit: int
    ) -> list[StoredEvent]:
        found = self.background.store.read(
            self.tenant, query, after=after, until=until, limit=limit
        )
        return [stored async for stored in found]


class TenantReadResponse(DCBReadResponse):
    """Events in order, a page at a time.

    Without a limit ``head`` is the log's head as the read began, and nothing after it is
    read: who appends after ``head`` has seen all there was. With a limit it is the position
    of the last event that was read, None where there was none.
    """

    def __init__(
        self,
        recorder: TenantRecorder,
        query: tuple[QueryItem, ...],
        *,
        after: int,
        limit: int | None,
    ) -> None:
        self._recorder = recorder
        self._query = query
        self._after = after
        self._left = limit
        self._until = recorder.head() if limit is None else None
        self._head = self._until or None
        self._page: list[StoredEvent] = []
        self._at = 0
        self._is_last = self._until is not None and after >= self._until

    @property
    def head(self) -> int | None:
        return self._head

    def __next__(self) -> DCBSequencedEvent:
        if self._at == len(self._page):
            self._turn()
        stored = self._page[self._at]
        self._at += 1
        if self._until is None:
            self._head = stored.position
        return from_stored(stored)

    def _turn(self) -> None:
        most = PAGE_EVENTS if self._left is None else min(self._left, PAGE_EVENTS)
        if self._is_last or most <= 0:
            raise StopIteration
        self._page = self._recorder.page(
            self._query, after=self._after, until=self._until, limit=most
        )
        self._at = 0
        self._is_last = len(self._page) < most
        if not self._page:
            raise StopIteration
        self._after = self._page[-1].position
        self._left = None if self._left is None else self._left - len(self._page)


class TenantSubscription(DCBListenNotifySubscription[TenantRecorder]):
    """Is told of each append of this process at once, and looks for those of others."""

    def __init__(self, recorder: TenantRecorder, query: DCBQuery | None, after: int | None) -> None:
        super().__init__(recorder=recorder, query=query, after=after)
        recorder.background.listen(self._has_been_notified)

    def stop(self) -> None:
        super().stop()
        self._recorder.background.unlisten(self._has_been_notified)
        self._recorder.forget(self)

    def end(self) -> None:
        """Stop, and wait until it reads no more."""
        self.stop()
        self._pull_thread.join()
