"""Rows in time: wait until one's own writes show, or see a row as it was.

A row of the past is folded from its events alone, some at a time, however long its history is.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final, LiteralString, Protocol

import msgspec
from msgspec import Struct

from adapters.postgres.connections import Pool, tenant_transaction
from adapters.postgres.models.conditions import Model, owner_column, storage_tenant
from adapters.postgres.models.shown import shown
from adapters.postgres.models.sight import hidden, require_some, sees, veiled
from adapters.postgres.models.versions import consumer_of, read_consumer, serving_version
from adapters.postgres.projecting.skipping import skipped_positions
from application import codec
from application.errors import Malformed, Unavailable
from application.kernel import Context
from application.moments import check_moment, check_position
from application.ports import EventStore, QueryItem, StoredEvent
from application.vault import Vault
from domain.ids import TenantId
from domain.kernel import Event
from projections.kernel import Row, events_of

POLL_SECONDS: Final = 0.01
POLL_SECONDS_MAX: Final = 0.2
POSITION_DIGITS_MAX: Final = 18
PAGE_EVENTS: Final = 500
PAGE_CHARACTERS: Final = 4_000_000
"""What is held of a history at once, so that large events stream as well."""

REACHED: LiteralString = """
SELECT position, failed_position FROM projection_cursor WHERE tenant_id = %s AND projection = %s
"""
POSITION_AT: LiteralString = "SELECT position_at_v1(%s, %s), clock_timestamp()"
# For how long the first event that is not folded yet has been in the log.
LAG: LiteralString = """
SELECT extract(epoch FROM clock_timestamp() - recorded_at)::float FROM event
WHERE tenant_id = %s AND position = %s
"""


class Sources(Protocol):
    """What the past is read from, as every process has it."""

    @property
    def pool(self) -> Pool: ...
    @property
    def store(self) -> EventStore: ...
    @property
    def vault(self) -> Vault: ...


class Log(Struct, frozen=True):
    """A log as a read model reads it: where it is, what opens it, what an operator left out."""

    tenant: TenantId
    store: EventStore
    vault: Vault
    skipped: frozenset[int] = frozenset()


async def open_log(sources: Sources, model: Model, tenant: TenantId) -> Log:
    """Find the log of *tenant* as *model* reads it."""
    async with tenant_transaction(sources.pool, tenant) as connection:
        skipped = await skipped_positions(connection, tenant, model.name)
    return Log(tenant, sources.store, sources.vault, skipped)


async def wait_for_rows(
    pool: Pool,
    model: Model,
    context: Context,
    position: int | None,
    seconds_max: float,
    *,
    store: EventStore,
) -> None:
    """Wait until the rows that the caller is shown hold what its log held at *position*.

    Raises:
        Forbidden: The caller lacks the permission of the model.
        Malformed: The log of *store* has no such position, so that nobody was told of it.
        Unavailable: They are still behind after *seconds_max*, or stand still.

    """
    require_some(model, context)
    if not position:
        return
    tenant, waited_for = storage_tenant(model, context), 0
    # The rows may be those of a replica, which learns of the head later than who asks.
    check_position(position, await store.head(tenant))
    # Another version may come to serve meanwhile.
    while waited_for != (version := await serving_version(pool, model)):
        await wait_for(pool, tenant, consumer_of(model, version), position, seconds_max)
        waited_for = version


async def wait_for(
    pool: Pool, tenant: TenantId, consumer: str, position: int, seconds_max: float
) -> None:
    """Wait until *consumer* has come to *position* in the log of *tenant*.

    Raises:
        Unavailable: It is still behind after *seconds_max*, or stands still.

    """
    loop = asyncio.get_running_loop()
    until, rest = loop.time() + seconds_max, POLL_SECONDS
    while True:
        reached, failed = at = await _place_of(pool, tenant, consumer)
        if reached >= position:
            return
        if failed is not None or loop.time() + rest > until:
            raise await _behind(pool, tenant, consumer, position, at)
        await asyncio.sleep(rest)
        rest = min(rest * 2, POLL_SECONDS_MAX)


async def reached(pool: Pool, model: Model, tenant: TenantId) -> int:
    """Return up to which position the rows of *model* show the log of *tenant*.

    Raises:
        Unavailable: It is being built for the first time, or PostgreSQL is away.

    """
    consumer = consumer_of(model, await serving_version(pool, model))
    position, _ = await _place_of(pool, tenant, consumer)
    return position


async def _place_of(pool: Pool, tenant: TenantId, consumer: str) -> tuple[int, int | None]:
    """Tell how far *consumer* is, and at which event it failed."""
    async with tenant_transaction(pool, tenant) as connection:
        cursor = await connection.execute(REACHED, (tenant, consumer))
        return await cursor.fetchone() or (0, None)


async def _behind(
    pool: Pool, tenant: TenantId, consumer: str, position: int, at: tuple[int, int | None]
) -> Unavailable:
    """Say how far behind *consumer* is, in events and in seconds."""
    reached, failed = at
    async with tenant_transaction(pool, tenant) as connection:
        cursor = await connection.execute(LAG, (tenant, reached + 1))
        (seconds,) = await cursor.fetchone() or (None,)
    events = f"{position - reached:,} event{'' if position - reached == 1 else 's'}"
    lag = events if seconds is None else f"{events} and {seconds:.1f} s"
    name, _ = read_consumer(consumer)
    return Unavailable(
        "projection.behind",
        f"{name} is at position {reached}, {lag} behind {position}.",
        hint="Ask again in a moment."
        if failed is None
        else f"It stopped at event {failed}: tell an operator.",
    )


async def row_as_of(
    sources: Sources, model: Model, context: Context, key: str, as_of: int | datetime
) -> Row | None:
    """Fold one row as it was after a position or at a time; None where it was not there.

    What is forgotten by now is forgotten of then.

    Raises:
        Forbidden: The caller lacks the permission of the model.
        Malformed: The key can't be one.
        UnknownEvent: An event that may concern the row can't be read here.

    """
    require_some(model, context)
    log = await open_log(sources, model, storage_tenant(model, context))
    row = await fold_row(log, model, key, await position_at(sources, log.tenant, as_of))
    owner = owner_column(model, context)
    if row is None or (owner is not None and getattr(row, owner) != context.tenant):
        return None
    return veiled(shown(row), hidden(model, context)) if sees(model, context, row) else None


async def fold_row(log: Log, model: Model, key: str, until: int) -> Row | None:
    """Fold one row of a log from its events up to a position."""
    row: Row | None = None
    async for _, event in events_of_row(log, model, key, until=until):
        row = model.fold(row, event, key)
    return row


def read_as_of(text: str) -> int | datetime:
    """Read a position, or a moment with its offset.

    Raises:
        Malformed: It is neither.

    """
    if text.isascii() and text.isdecimal() and len(text) <= POSITION_DIGITS_MAX:
        return int(text)
    with suppress(msgspec.ValidationError, UnicodeEncodeError):
        moment = msgspec.convert(text, datetime)
        if moment.tzinfo is not None:
            return moment
    raise Malformed(
        "query.bad_moment",
        f"{text[:60]!r} is neither a position nor a moment.",
        hint="Write a position, such as 42, or a moment, such as 2026-01-31T12:00:00Z.",
    )


async def position_at(sources: Sources, tenant: TenantId, as_of: int | datetime) -> int:
    """Return the last position of a log as of a position or a time.

    Raises:
        Malformed: The log has not come to it yet.

    """
    if isinstance(as_of, int):
        check_position(as_of, await sources.store.head(tenant))
        return as_of
    async with tenant_transaction(sources.pool, tenant) as connection:
        row = await (await connection.execute(POSITION_AT, (tenant, as_of))).fetchone()
    assert row is not None, "A SELECT without FROM has one row."
    check_moment(as_of, row[1])
    return int(row[0])


async def events_of_row(
    log: Log, model: Model, key: str, *, after: int = 0, until: int | None = None
) -> AsyncIterator[tuple[StoredEvent, Event]]:
    """Read and open the events that touch a row.

    Raises:
        Malformed: The key can't be one.
        UnknownEvent: One that may concern the row can't be read here.
        SealBroken: A text can't be opened, and not because it is forgotten.

    """
    codec.check_tag(f"{model.key}:{key}")
    async for stored, event in read_events(log, model, model.tags(key), after=after, until=until):
        if key in model.keys(event):
            yield stored, event


async def read_events(
    log: Log, model: Model, tags: Sequence[str], *, after: int = 0, until: int | None = None
) -> AsyncIterator[tuple[StoredEvent, Event]]:
    """Read and open what *model* understands of the events with one of *tags*; none: of all."""
    async for some in _pages(log, model, tags, after, until):
        for stored, event in zip(some, await _opened(log, model, some), strict=True):
            yield stored, event


async def _pages(
    log: Log, model: Model, tags: Sequence[str], after: int, until: int | None
) -> AsyncIterator[list[StoredEvent]]:
    """Hold some events at a time, as the keys that open them come together."""
    names, known = frozenset(codec.stored_names(events_of(model))), codec.event_types()
    some: list[StoredEvent] = []
    size = 0
    # Of any type, so that one of a newer version is met, and not passed over in silence.
    query = [QueryItem(tags=(tag,)) for tag in tags]
    async for stored in log.store.read(log.tenant, query, after=after, until=until):
        if stored.position in log.skipped:
            continue
        if stored.type not in known:
            codec.decode(stored)  # It raises what is to be said of it.
        if stored.type in names:
            some.append(stored)
            size += len(stored.data)
        if len(some) == PAGE_EVENTS or size > PAGE_CHARACTERS:
            yield some
            some, size = [], 0
    yield some


async def _opened(log: Log, model: Model, some: Sequence[StoredEvent]) -> Sequence[Event]:
    """Decode events; where no row holds anything of a person, none has to be opened for it."""
    if not model.personal:
        return [codec.decode(stored) for stored in some]
    return await log.vault.read(log.tenant, some)
