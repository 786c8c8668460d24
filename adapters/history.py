"""The history of one row of any read model, folded from its events a step at a time.

A row that gathers from many, such as a balance, has the events of all of them in its history.
"""

from collections.abc import AsyncIterator
from typing import Final, LiteralString

from msgspec import Struct

from adapters.postgres.connections import tenant_transaction
from adapters.postgres.models.conditions import Model, owner_column, storage_tenant
from adapters.postgres.models.moments import events_of_row, open_log
from adapters.postgres.models.paging import checked_first
from adapters.postgres.models.queries import get_row
from adapters.postgres.models.shown import shown
from adapters.postgres.models.sight import hidden, limits, may_read, require_some, veiled
from adapters.runtime import Runtime
from application.codec import check_tag, decode, stored_names
from application.errors import NotFound
from application.history import (
    HistoryEntry,
    HistoryPage,
    ImportSource,
    changes,
    command_of,
)
from application.kernel import EVERYTHING, Context
from application.ports import QueryItem, StoredEvent
from domain.ids import TenantId
from domain.kernel import Event, key_fields
from projections.access import ApiKeyRow, ApiKeys, UserRow, Users
from projections.imports import ImportBatches, ImportBatchRow
from projections.jobs import JobRow, Jobs
from projections.kernel import Row, events_of, read_models

LINES: LiteralString = """
SELECT lines FROM import_row
WHERE tenant_id = %s AND batch = %s AND document = %s ORDER BY line
"""


class Step(Struct, frozen=True):
    """An event, and the row before and after it."""

    stored: StoredEvent
    event: Event
    before: Row | None
    after: Row | None


def find_model(name: str, context: Context) -> Model:
    """Find a public read model by its name or its singular, in any spelling.

    Raises:
        NotFound: There is none of this name.
        Forbidden: The caller may not read it.

    """
    for model in read_models().values():
        if model.public and _spelled(name) in {_spelled(model.name), _spelled(_singular(model))}:
            require_some(model, context)
            return model
    raise NotFound(
        "history.unknown_model",
        f"There is no read model {name[:60]!r}.",
        hint=f"Ask for one of {', '.join(readable_models(context))}.",
    )


def readable_models(context: Context) -> list[str]:
    """Name the public read models that the caller may read."""
    return [
        model.name for model in read_models().values() if model.public and may_read(model, context)
    ]


async def read_history(
    runtime: Runtime,
    context: Context,
    name: str,
    key: str,
    *,
    first: int | None = None,
    after: int = 0,
) -> HistoryPage:
    """Tell the history of a row: up to *first* events after the position *after*.

    The row goes by its id, or by anything else that tags its events and those of no other row,
    such as the number of an invoice.

    Raises:
        NotFound: There is no such read model, or no row of this key for the caller.
        Forbidden: The caller may not read it.
        Malformed: The key can't be one, or *first* is too much.

    """
    model, first = find_model(name, context), checked_first(first)
    check_tag(f"{model.key}:{key}")
    found = await _found(runtime, context, model, key, limit=first + 1, after=after)
    if found is None:
        key = await _id_of(runtime, context, model, key)
        found = await _found(runtime, context, model, key, limit=first + 1, after=after) or []
    telling = _Telling(runtime, context)
    entries = [await telling.entry(step) for step in found[:first]]
    return HistoryPage(id=key, entries=tuple(entries), has_next=len(found) > first)


async def _found(
    runtime: Runtime, context: Context, model: Model, key: str, *, limit: int, after: int
) -> list[Step] | None:
    """Fold a row, and return its steps after a position; None where there is no such row."""
    # Who sees some rows alone sees the history of those that are such now.
    if limits(model, context) is not None and not await get_row(runtime.pool, model, context, key):
        return None
    found: list[Step] | None = None
    async for step in _steps(runtime, context, model, key):
        found = found or []
        if step.stored.position > after:
            found.append(step)
        if len(found) == limit:
            break
    return found


async def _id_of(runtime: Runtime, context: Context, model: Model, value: str) -> str:
    """Find the one row of the caller whose events are tagged with *value*, by any name."""
    names = _tag_names(model)
    found: list[str] = []
    async for key in _tagged(runtime, storage_tenant(model, context), model, names, value):
        if key not in found and await _found(runtime, context, model, key, limit=1, after=0):
            found.append(key)
        if len(found) > 1:
            break
    if len(found) == 1:
        return found[0]
    said = f"Several {model.name} go by" if found else f"There is no {_singular(model)}"
    where = f"; `asiento events --tag NAME:VALUE` shows it, by {' or '.join(names)}"
    raise NotFound(
        "query.absent", f"{said} {value[:60]}.", hint=f"Give its id{where if names else ''}."
    )


async def _tagged(
    runtime: Runtime, tenant: TenantId, model: Model, names: tuple[str, ...], value: str
) -> AsyncIterator[str]:
    types = stored_names(events_of(model))
    query = [QueryItem(types=types, tags=(f"{name}:{value}",)) for name in names]
    if query:  # No condition at all would be met by every event.
        async for stored in runtime.store.read(tenant, query):
            for key in model.keys(decode(stored)):
                yield key


def _tag_names(model: Model) -> tuple[str, ...]:
    """Name what tags the events of *model* beside the key of the row."""
    named = [name for event in events_of(model) for name in key_fields(event)]
    return tuple(name for name in dict.fromkeys(named) if name != model.key)


async def _steps(runtime: Runtime, context: Context, model: Model, key: str) -> AsyncIterator[Step]:
    owner, row = owner_column(model, context), None
    fields = hidden(model, context)
    before: Row | None = None
    log = await open_log(runtime, model, storage_tenant(model, context))
    async for stored, event in events_of_row(log, model, key):
        row = model.fold(row, event, key)
        after = None if row is None else veiled(shown(row), fields)
        if owner is not None and getattr(after or before, owner, None) != context.tenant:
            return  # Another tenant's: for this caller it is not there.
        yield Step(stored, event, before, after)
        before = after


class _Telling:
    """Says who and whence, each looked up once."""

    def __init__(self, runtime: Runtime, context: Context) -> None:
        self._pool = runtime.pool
        self._context = context
        self._names: dict[str, str | None] = {}
        self._batches: dict[str, ImportBatchRow | None] = {}

    async def entry(self, step: Step) -> HistoryEntry:
        stored = step.stored
        return HistoryEntry(
            position=stored.position,
            type=stored.type,
            recorded_at=stored.recorded_at,
            actor=stored.actor,
            actor_name=await self._name(stored.actor),
            command=command_of(stored.causation_id),
            correlation_id=stored.correlation_id,
            causation_id=stored.causation_id,
            source=await self._source(step.event),
            changes=changes(step.before, step.after),
        )

    async def _name(self, actor: str) -> str | None:
        if actor not in self._names:
            self._names[actor] = await self._look_up(actor)
        return self._names[actor]

    async def _look_up(self, actor: str) -> str | None:
        """Name a user, a key or a job of the caller's own tenant."""
        # Who may see a row may know who made it what it is.
        anyone = Context(
            tenant=self._context.tenant,
            actor=self._context.actor,
            permissions=frozenset({EVERYTHING}),
            correlation_id=self._context.correlation_id,
        )
        kind, _, id_ = actor.partition(":")
        model = ACTORS.get(kind)
        match None if model is None else await get_row(self._pool, model, anyone, id_):
            case UserRow(email=name) | ApiKeyRow(name=name) | JobRow(kind=name):
                return name
        return None

    async def _source(self, event: Event) -> ImportSource | None:
        batch: str | None = getattr(event, "batch", None)
        if batch is None:
            return None
        row = await self._batch(batch)
        return ImportSource(
            batch=batch,
            file_name=None if row is None else row.file_name,
            job=None if row is None else row.job,
            lines=() if row is None else await self._lines(batch, getattr(event, "number", None)),
        )

    async def _batch(self, batch: str) -> ImportBatchRow | None:
        if not self._context.may(ImportBatches.permission):
            return None
        if batch not in self._batches:
            row = await get_row(self._pool, ImportBatches, self._context, batch)
            self._batches[batch] = row if isinstance(row, ImportBatchRow) else None
        return self._batches[batch]

    async def _lines(self, batch: str, document: str | None) -> tuple[int, ...]:
        if document is None:
            return ()
        tenant = self._context.tenant
        async with tenant_transaction(self._pool, tenant) as connection:
            runs = await connection.execute(LINES, (tenant, batch, document))
            return tuple(line for (lines,) in await runs.fetchall() for line in lines)


ACTORS: Final[dict[str, Model]] = {"user": Users, "key": ApiKeys, "job": Jobs}


def _singular(model: Model) -> str:
    return model.row.__name__.removesuffix("Row")


def _spelled(name: str) -> str:
    return name.replace("_", "").replace("-", "").casefold()
