"""Fakes of the ports, for tests: they keep everything in memory and obey the same contracts."""

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from secrets import token_bytes
from typing import Final, Self

from msgspec.structs import asdict, replace

from application import ports
from application.errors import NotFound, Unavailable
from application.ports import (
    Append,
    AppendConflict,
    BoundaryQuery,
    Clock,
    KeyedResult,
    KeyRepeated,
    Look,
    QueryItem,
    Snapshot,
    StagedError,
    StagedRow,
    StoredEvent,
    SubjectKey,
)
from domain.ids import BatchId, JobId, TenantId
from domain.privacy import FORGETTINGS, SubjectForgotten


class FixedClock:
    """Implements ``application.ports.Clock``: it stands still until it is told to go."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at

    def advance(self, by: timedelta) -> None:
        self._at += by


QUEUE_MAX: Final = 10_000


class MemoryEventStore:
    """Implements ``application.ports.EventStore``."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._logs: dict[TenantId, list[StoredEvent]] = {}
        self._results: dict[tuple[TenantId, str], KeyedResult] = {}
        self.snapshots: dict[tuple[TenantId, str, str], Snapshot] = {}
        self._waiting = 0
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closed = True

    async def append(self, tenant: TenantId, append: Append) -> int:
        if self._closed or self._waiting >= QUEUE_MAX:
            raise Unavailable("store.busy", "Too many wait.", hint="Ask again in a moment.")
        base = self._append(tenant, append)
        self._waiting += 1
        try:
            # Where a real store waits for its disk; the caller may be cancelled, the append not.
            await asyncio.sleep(0)
        finally:
            self._waiting -= 1
        return base

    async def look(
        self, tenant: TenantId, boundaries: Sequence[BoundaryQuery], keys: Sequence[str] = ()
    ) -> Look:
        log = self._log(tenant)
        found = [self._snapshot(tenant, boundary) for boundary in boundaries]
        rests = [
            replace(b, after=s.position) if s else b for b, s in zip(boundaries, found, strict=True)
        ]
        inside = [[e for e in log[b.after :] if _is_inside(e, b)] for b in rests]
        short = (events for events in inside if len(events) <= ports.LOOK_EVENTS_MAX)
        wanted = {event.position for events in short for event in events}
        look = Look(
            head=len(log),
            events=tuple(log[position - 1] for position in sorted(wanted)),
            long=tuple(n for n, e in enumerate(inside) if len(e) > ports.LOOK_EVENTS_MAX),
            results=tuple(
                self._results[tenant, key] for key in keys if (tenant, key) in self._results
            ),
            snapshots=tuple(snapshot for snapshot in found if snapshot),
            erased=max((e.position for e in log if FORGETTINGS in e.tags), default=0),
        )
        await asyncio.sleep(0)  # What happens from now on was not seen.
        return look

    async def save(self, tenant: TenantId, snapshot: Snapshot) -> None:
        place = (tenant, snapshot.state, snapshot.tag)
        old = self.snapshots.get(place)
        newer = not old or old.version != snapshot.version or old.position <= snapshot.position
        if newer and 0 < snapshot.position <= len(self._log(tenant)):
            self.snapshots[place] = snapshot

    async def read(
        self,
        tenant: TenantId,
        query: Sequence[QueryItem] = (),
        *,
        after: int = 0,
        until: int | None = None,
        limit: int | None = None,
        backwards: bool = False,
    ) -> AsyncIterator[StoredEvent]:
        span = self._log(tenant)[after:until]
        found = [e for e in span if not query or any(_matches(e, item) for item in query)]
        for event in (found[::-1] if backwards else found)[:limit]:
            yield event

    async def head(self, tenant: TenantId) -> int:
        return len(self._log(tenant))

    def take_back(self, tenant: TenantId, position: int) -> None:
        """Be as an older backup would be."""
        del self._log(tenant)[position:]

    def _snapshot(self, tenant: TenantId, boundary: BoundaryQuery) -> Snapshot | None:
        found = self.snapshots.get((tenant, boundary.state, boundary.tag))
        fits = (
            found
            and boundary.version == found.version
            and boundary.after < found.position <= len(self._log(tenant))
        )
        return found if fits else None

    def _log(self, tenant: TenantId) -> list[StoredEvent]:
        return self._logs.get(tenant, [])

    def _append(self, tenant: TenantId, append: Append) -> int:
        for event in append.events:
            _check_text("".join((event.type, *event.tags, event.data)))
        if any((tenant, key.key) in self._results for key in append.keys):
            raise KeyRepeated
        news = self._log(tenant)[append.after :]
        if any(_matches(event, item) for event in news for item in append.boundary):
            raise AppendConflict
        log = self._logs.setdefault(tenant, [])
        base, now = len(log), self._clock.now()
        log.extend(
            StoredEvent(position=position, recorded_at=now, **asdict(event))
            for position, event in enumerate(append.events, base + 1)
        )
        self._results |= {(tenant, key.key): replace(key, base=base) for key in append.keys}
        return base


def _check_text(text: str) -> None:
    """Take no text that a database can't hold either."""
    text.encode()
    if "\0" in text:
        raise ValueError("No text holds U+0000.")


def _matches(event: StoredEvent, item: QueryItem) -> bool:
    return (not item.types or event.type in item.types) and set(item.tags) <= set(event.tags)


def _is_inside(event: StoredEvent, query: BoundaryQuery) -> bool:
    return event.type in query.types and query.tag in event.tags


class _BatchRows:
    """What is staged of one batch."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, int], StagedRow] = {}
        self.errors: dict[int, StagedError] = {}

    @property
    def in_order(self) -> Iterable[StagedRow]:
        return (self.rows[place] for place in sorted(self.rows))


class MemoryStaging:
    """Implements ``application.ports.Staging``."""

    def __init__(self) -> None:
        self._batches: dict[tuple[TenantId, BatchId], _BatchRows] = {}

    async def add(self, tenant: TenantId, batch: BatchId, rows: Sequence[StagedRow]) -> None:
        kept = self._of(tenant, batch).rows
        for row in rows:
            place = (row.document, row.line)
            if place in kept:
                raise ValueError(f"Line {row.line} is kept already.")
            kept[place] = StagedRow(row.document, row.line, list(row.cells))

    async def drop_after(self, tenant: TenantId, batch: BatchId, line: int) -> None:
        staged = self._of(tenant, batch)
        staged.rows = {place: row for place, row in staged.rows.items() if row.line <= line}

    async def rows(
        self, tenant: TenantId, batch: BatchId, *, after: tuple[str, int], limit: int
    ) -> list[StagedRow]:
        staged = self._of(tenant, batch).in_order
        return [row for row in staged if (row.document, row.line) > after][:limit]

    async def documents(
        self, tenant: TenantId, batch: BatchId, *, after: str, rows: int
    ) -> list[StagedRow]:
        staged = self._of(tenant, batch)
        bad = {error.document for error in staged.errors.values()}
        good = (r for r in staged.in_order if r.document > after and r.document not in bad)
        found: list[StagedRow] = []
        for _, document in groupby(good, lambda row: row.document):
            whole = list(document)
            if found and len(found) + len(whole) >= rows:
                break
            found += whole
        return found

    async def reject(self, tenant: TenantId, batch: BatchId, errors: Sequence[StagedError]) -> None:
        kept = self._of(tenant, batch).errors
        for error in errors:
            kept.setdefault(error.line, error)

    async def hold(self, tenant: TenantId, batch: BatchId) -> int:
        staged = self._of(tenant, batch)
        causes: dict[str, int] = {}
        for line, error in sorted(staged.errors.items()):
            if error.document and error.code != "imports.held":
                causes.setdefault(error.document, line)
        for row in staged.rows.values():
            if row.document in causes:
                staged.errors.setdefault(row.line, _held(row, causes[row.document]))
        return sum(error.code == "imports.held" for error in staged.errors.values())

    async def clear_errors(self, tenant: TenantId, batch: BatchId) -> None:
        self._of(tenant, batch).errors.clear()

    def errors_of(self, tenant: TenantId, batch: BatchId) -> list[StagedError]:
        """Return why rows are rejected, by line."""
        return [error for _, error in sorted(self._of(tenant, batch).errors.items())]

    def _of(self, tenant: TenantId, batch: BatchId) -> _BatchRows:
        return self._batches.setdefault((tenant, batch), _BatchRows())


def _held(row: StagedRow, cause: int) -> StagedError:
    return StagedError(
        document=row.document,
        line=row.line,
        code="imports.held",
        column="number",
        value=row.document,
        reason=f"Line {cause} of the same invoice was rejected.",
    )


class MemoryBlobs:
    """Implements ``application.ports.Blobs`` in a folder that the test owns."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, tenant: TenantId, source: Path) -> str:
        return await asyncio.to_thread(self._put, tenant, source)

    def path(self, tenant: TenantId, sha256: str) -> Path:
        place = self._place(tenant, sha256)
        if not place.exists():
            raise NotFound("blob.absent", f"There is no file {sha256}.", hint="Send it again.")
        return place

    def _put(self, tenant: TenantId, source: Path) -> str:
        sha256 = hashlib.sha256(source.read_bytes()).hexdigest()
        shutil.copyfile(source, self._place(tenant, sha256))
        return sha256

    def _place(self, tenant: TenantId, sha256: str) -> Path:
        return self._folder / f"{tenant}-{sha256}"


class SilentProgress:
    """Implements ``application.ports.Progress``. Nobody watches."""

    async def tick(
        self, tenant: TenantId, job: JobId, *, done: int, total: int | None, message: str
    ) -> None:
        """Say nothing."""


class MemorySubjectKeys:
    """Implements ``application.ports.SubjectKeys`` over what a store says is forgotten."""

    def __init__(self, store: MemoryEventStore) -> None:
        self._store = store
        self._keys: dict[tuple[TenantId, str], dict[int, bytes]] = {}

    async def find(
        self, tenant: TenantId, subjects: Collection[str], *, make: bool = False
    ) -> list[SubjectKey]:
        found: list[SubjectKey] = []
        for subject in sorted(subjects):
            asked = [QueryItem(types=(SubjectForgotten.__name__,), tags=(subject,))]
            times = len([event async for event in self._store.read(tenant, asked)])
            keys = self._keys.setdefault((tenant, subject), {})
            if make:
                keys.setdefault(times, token_bytes(32))
            found += [
                SubjectKey(subject=subject, generation=n, key=key if n >= times else None)
                for n, key in sorted(keys.items())
            ]
        return found

    async def last_generation(self, tenant: TenantId, subject: str) -> int | None:
        return max(self._keys.get((tenant, subject), ()), default=None)
