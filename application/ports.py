"""What the application asks of the world outside. Adapters answer; fakes live in adapters/memory.

The event store mirrors ``eventsourcing.dcb.api`` (dynamic consistency boundaries), natively
async and bound to a tenant in each call.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from msgspec import Struct

from domain.ids import BatchId, JobId, TenantId

LOOK_EVENTS_MAX: Final = 5_000
"""Events of one boundary that are held in memory at once."""


class QueryItem(Struct, frozen=True, kw_only=True):
    """Events of one of these types (none named: any) that have all of these tags."""

    types: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


class BoundaryQuery(Struct, frozen=True, kw_only=True):
    """What a decision still has to read of one tag, and the snapshot that would spare it some."""

    tag: str
    types: tuple[str, ...]
    after: int = 0
    state: str = ""
    version: str = ""  # Of the snapshot that can be read here; empty: of none.


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
    """A state as it was folded up to a position, by the code of one version. Derived."""

    state: str
    tag: str
    version: str
    position: int
    data: str


class Look(Struct, frozen=True, kw_only=True):
    """One consistent look at a log.

    Attributes:
        head: Its last position.
        events: Those asked for, in order, each once; a snapshot's own are left out.
        results: Those of the known keys.
        snapshots: The newest of the asked versions, where they are ahead of what was asked.
        long: The places of boundaries that hold more than ``LOOK_EVENTS_MAX`` events. None is
            brought for them; they are to be streamed by ``read``, until the head.
        erased: Where the log last says that a data subject is forgotten, or 0. When it
            changes, what was folded before may hold what nobody may read any more.

    """

    head: int
    events: tuple[StoredEvent, ...]
    results: tuple[KeyedResult, ...] = ()
    snapshots: tuple[Snapshot, ...] = ()
    long: tuple[int, ...] = ()
    erased: int = 0


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
    ) -> Look:
        """Read boundaries and keys in one round trip."""
        ...

    async def save(self, tenant: TenantId, snapshot: Snapshot) -> None:
        """Keep a snapshot instead of an older one, or of one by other code.

        Raises:
            Unavailable: PostgreSQL is away. Nothing but time is lost.

        """
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
        """Stream the events that match any item (no items: all), never whole in memory.

        Whatever is appended meanwhile, no matching event is missing between two that come.
        """
        ...

    async def head(self, tenant: TenantId) -> int:
        """Return the last position, 0 where nothing happened."""
        ...


class SubjectKey(Struct, frozen=True, kw_only=True):
    """A key that personal data of one subject is sealed with. The text of it is never shown.

    Attributes:
        subject: The tag of the person, such as ``customer_code:C7``.
        generation: How often the subject had been forgotten when the key was made.
        key: 32 bytes; None where what it sealed is forgotten.
        destroyed: There is no key, and yet the log does not say that the subject is forgotten.

    """

    subject: str
    generation: int
    key: bytes | None
    destroyed: bool = False

    def __repr__(self) -> str:
        return f"SubjectKey({self.subject!r}, {self.generation})"


class SubjectKeys(Protocol):
    """The keys of a tenant's data subjects, wrapped where they lie."""

    async def find(
        self, tenant: TenantId, subjects: Collection[str], *, make: bool = False
    ) -> list[SubjectKey]:
        """Return every key that these subjects ever had, each subject's in order.

        A key counts as forgotten from the moment that the log says so. With *make*, each
        subject's last one can be sealed with: it is made and durable where it was not there.

        Raises:
            Unavailable: The keys can't be reached, or the master key isn't the right one.

        """
        ...

    async def last_generation(self, tenant: TenantId, subject: str) -> int | None:
        """Return the generation of the last key of *subject*; None: it never had one.

        No key is opened for it, so that a subject can be forgotten without the master key.
        """
        ...


class Safe(Protocol):
    """Keeps the secrets of outside systems, a tenant's apart from another's."""

    async def keep(
        self,
        tenant: TenantId,
        *,
        credential: str,
        secret_id: str,
        secret: str,
        expires_at: datetime | None,
    ) -> str:
        """Keep a secret before the event that refers to it; return its fingerprint.

        Without the tenant's key a guess of the secret can't be tried against the fingerprint.

        Raises:
            Malformed: Another secret is kept under this id.
            Unavailable: The key of the tenant can't be reached.

        """
        ...

    def admit(self, addresses: Sequence[str]) -> None:
        """Let no secret be kept that would be sent where nothing may be sent to.

        Raises:
            Refused: One of the addresses is inside, or is not by TLS.

        """
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
