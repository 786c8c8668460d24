"""What the application asks of the world outside. Adapters answer; fakes live in adapters/memory.

The event store mirrors ``eventsourcing.dcb.api`` (dynamic consistency boundaries), natively
async and bound to a tenant in each call.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from domain.ids import BatchId, JobId, TenantId


class QueryItem(Struct, frozen=True, kw_only=True):
    """Events of one of these types (none named: any) that have all of these tags."""

    types: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


class BoundaryQuery(Struct, frozen=True, kw_only=True):
    """What a decision still has to read of one tag."""

    tag: str
    types: tuple[str, ...]
    after: int = 0


class NewEvent(Struct, frozen=True, kw_only=True):
    """An event on its way in. The data is JSON text; tags are sorted."""

    type: str
    tags: tuple[str, ...]
    data: str
    actor: str
    correlation_id: str
    causation_id: str


class StoredEvent(Struct, frozen=True, kw_only=True):
    """An event as the log holds it."""

    position: int
    type: str
    tags: tuple[str, ...]
    data: str
    recorded_at: datetime
    actor: str
    correlation_id: str
    causation_id: str


class KeyedResult(Struct, frozen=True, kw_only=True):
    """The result kept under an idempotency key. Positions in it count from the base."""

    key: str
    fingerprint: str
    result: str
    base: int = 0


class Append(Struct, frozen=True, kw_only=True):
    """Events to append together, unless one more appeared in the boundary after *after*."""

    events: tuple[NewEvent, ...]
    boundary: tuple[QueryItem, ...] = ()
    after: int = 0
    keys: tuple[KeyedResult, ...] = ()


class Snapshot(Struct, frozen=True, kw_only=True):
    """One consistent look at a log: its head, the events asked for, the results of known keys."""

    head: int
    events: tuple[StoredEvent, ...]
    results: tuple[KeyedResult, ...] = ()


class AppendConflict(Exception):
    """One more event appeared inside the boundary. Read what is new and decide again."""


class KeyRepeated(Exception):
    """An idempotency key of the append is known. Its first result is the answer."""


class EventStore(Protocol):
    """One log a tenant, positions 1, 2, 3 … without a gap."""

    async def append(self, tenant: TenantId, append: Append) -> int:
        """Append and return the base: the first event's position is one more.

        Raises:
            AppendConflict: The boundary is not what it was.
            KeyRepeated: One of the keys has a result.
            Unavailable: The queue is full, or PostgreSQL is away; nothing was written.

        """
        ...

    async def look(
        self, tenant: TenantId, boundaries: Sequence[BoundaryQuery], keys: Sequence[str] = ()
    ) -> Snapshot:
        """Read boundaries and keys in one round trip, events in order."""
        ...

    def read(
        self,
        tenant: TenantId,
        query: Sequence[QueryItem] = (),
        *,
        after: int = 0,
        until: int | None = None,
        limit: int | None = None,
        backwards: bool = False,
    ) -> AsyncIterator[StoredEvent]:
        """Stream the events that match any item (none: all), never whole in memory."""
        ...

    async def head(self, tenant: TenantId) -> int:
        """Return the last position, 0 where nothing happened."""
        ...


class Clock(Protocol):
    """Tells the time. Tests hold it."""

    def now(self) -> datetime:
        """Return the time, aware, in UTC."""
        ...


class Blobs(Protocol):
    """Files by content, a tenant's apart from another's."""

    async def put(self, tenant: TenantId, source: Path) -> str:
        """Keep a copy of *source* and return its SHA-256 in hex."""
        ...

    def path(self, tenant: TenantId, sha256: str) -> Path:
        """Return where the file can be read.

        Raises:
            NotFound: It is not there.

        """
        ...


class Progress(Protocol):
    """Tells watchers how far a job is, between the milestones in the log. May be lost."""

    async def tick(
        self, tenant: TenantId, job: JobId, *, done: int, total: int | None, message: str
    ) -> None: ...


class StagedRow(Struct, frozen=True):
    """A row of a file on its way in. The line counts from 1, as in the file."""

    document: str  # The invoice it belongs to; empty where the row does not tell.
    line: int
    cells: Sequence[str]  # None of them holds U+0000, U+001E or U+001F.


class StagedError(Struct, frozen=True, kw_only=True):
    """Why a row is rejected."""

    document: str
    line: int
    code: str
    column: str
    value: str
    reason: str


class Staging(Protocol):
    """Where the rows of files wait, as they came."""

    async def add(self, tenant: TenantId, batch: BatchId, rows: Sequence[StagedRow]) -> None:
        """Keep a chunk of rows."""
        ...

    async def drop_after(self, tenant: TenantId, batch: BatchId, line: int) -> None:
        """Forget the rows after *line*: a chunk that was kept and not noted."""
        ...

    async def rows(
        self, tenant: TenantId, batch: BatchId, *, after: tuple[str, int], limit: int
    ) -> list[StagedRow]:
        """Return about *limit* rows after (document, line), by document, then line."""
        ...

    async def documents(
        self, tenant: TenantId, batch: BatchId, *, after: str, rows: int
    ) -> list[StagedRow]:
        """Return the rows of whole documents without an error, about *rows* of them."""
        ...

    async def reject(self, tenant: TenantId, batch: BatchId, errors: Sequence[StagedError]) -> None:
        """Keep why rows are rejected; said again of a row, the first holds."""
        ...

    async def hold(self, tenant: TenantId, batch: BatchId) -> int:
        """Hold back the good rows of documents that have a rejected one; return how many."""
        ...

    async def clear_errors(self, tenant: TenantId, batch: BatchId) -> None:
        """Forget why rows were rejected, before they are read again."""
        ...
