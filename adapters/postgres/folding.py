"""One batch of a read model: read what is new, fold it, write what it touched, all in bulk.

Where somebody was forgotten, the rows that their events touched are folded again from the start.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final, LiteralString

from msgspec import Struct

from adapters.postgres.connections import Connection
from adapters.postgres.read_models import Table, load_rows, write_rows
from application import codec
from application.vault import Opener, SealBroken, Vault
from domain.ids import TenantId
from domain.kernel import Event
from domain.privacy import SubjectForgotten
from projections.kernel import ReadModel, Row, events_of, fold

BATCH_EVENTS: Final = 1_000
FORGETTING: Final = SubjectForgotten.__name__

NEWS: LiteralString = """
SELECT position, type, data FROM event
WHERE tenant_id = %s AND position > %s AND position <= %s AND type = ANY (%s)
ORDER BY position LIMIT %s
"""

# The rows that a subject's events touched, by the tag of each row, some at a time.
TOUCHED: LiteralString = """
SELECT DISTINCT row_tag COLLATE "C" FROM event_tag AS t
JOIN event AS e USING (tenant_id, position)
CROSS JOIN LATERAL unnest(e.tags) AS row_tag
WHERE t.tenant_id = %s AND t.tag = %s AND t.type = ANY (%s) AND t.position <= %s
  AND starts_with(row_tag, %s) AND row_tag COLLATE "C" > %s
ORDER BY 1 LIMIT %s
"""
HISTORY: LiteralString = """
SELECT DISTINCT e.position, e.type, e.data
FROM event_tag AS t JOIN event AS e USING (tenant_id, position)
WHERE t.tenant_id = %s AND t.tag = ANY (%s) AND t.type = ANY (%s) AND t.position <= %s
ORDER BY e.position
"""


class FoldingFailed(Exception):
    """An event could not be folded; those before it could."""

    def __init__(self, position: int, cause: Exception) -> None:
        super().__init__(f"Event {position}: {type(cause).__name__}: {cause}")
        self.position = position
        self.code: str = cause.code if isinstance(cause, SealBroken | FoldingFailed) else ""


class Folded(Struct, frozen=True, kw_only=True):
    """How far a batch came, and how many events it held."""

    position: int
    events: int
    failure: FoldingFailed | None = None


async def fold_batch(
    connection: Connection, table: Table, tenant: TenantId, *, after: int, until: int, vault: Vault
) -> Folded:
    """Fold the next events after *after*, up to *until*, inside the caller's transaction."""
    names = stored_names(table.model)
    asked = (tenant, after, until, [*names, FORGETTING], BATCH_EVENTS)
    records = await (await connection.execute(NEWS, asked)).fetchall()
    reached = records[-1][0] if len(records) == BATCH_EVENTS else until
    # A forgetting is a batch of its own, so that it is done or not, whatever comes after it.
    cut = next((n for n, (_, name, _) in enumerate(records) if name == FORGETTING), None)
    if cut is not None:
        reached = records[cut][0] - (1 if cut else 0)
        records = records[: cut or 1]
    written, failure = _decoded(records)
    if cut == 0 and written:
        failure = await _forget(connection, table, tenant, written[0], vault)
        written = written if FORGETTING in names and failure is None else []
    opener = await vault.opener(tenant, (event for _, event in written), erased=0)
    events, failure = _opened(written, opener, failure)
    folded, failure = await fold_events(connection, table, tenant, events, failure)
    if failure is not None:
        reached = failure.position - 1
    return Folded(position=reached, events=folded, failure=failure)


def stored_names(model: type[ReadModel[Any]]) -> tuple[str, ...]:  # Any: of any row.
    """Name the events that *model* understands, as the log may hold them."""
    return codec.stored_names(events_of(model))


async def fold_events(
    connection: Connection,
    table: Table,
    tenant: TenantId,
    events: Sequence[tuple[int, Event]],
    failure: FoldingFailed | None,
) -> tuple[int, FoldingFailed | None]:
    """Fold events into the rows there are; return how many, and why no more."""
    keys = {getattr(event, table.model.key) for _, event in events}
    rows: dict[str, Row | None] = {}
    if keys:
        rows |= await load_rows(connection, table, tenant, keys)
    positions: dict[str, int] = {}
    folded = 0
    for position, event in events:
        try:
            key = _apply(table.model, rows, event)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is recorded and shown.
            failure = FoldingFailed(position, error)
            break
        positions[key] = position
        folded += 1
    touched = {key: rows[key] for key in positions}
    await write_rows(connection, table, tenant, touched, positions)
    return folded, failure


async def _forget(
    connection: Connection,
    table: Table,
    tenant: TenantId,
    forgetting: tuple[int, Event],
    vault: Vault,
) -> FoldingFailed | None:
    """Write anew every row that holds what an event about a forgotten subject said."""
    position, event = forgetting
    assert isinstance(event, SubjectForgotten), "It was found by its name."
    prefix, last = f"{table.model.key}:", ""
    names = list(stored_names(table.model))
    while True:
        asked = (tenant, event.subject, names, position, prefix, last, BATCH_EVENTS)
        tags = [tag for (tag,) in await (await connection.execute(TOUCHED, asked)).fetchall()]
        if not tags:
            return None
        found = await connection.execute(HISTORY, (tenant, tags, names, position))
        written, failure = _decoded(await found.fetchall())
        opener = await vault.opener(tenant, (event for _, event in written))
        opened, failure = _opened(written, opener, failure)
        keys = {tag.removeprefix(prefix) for tag in tags}
        failure = failure or await _fold_anew(connection, table, tenant, keys, opened)
        if failure is not None:
            return FoldingFailed(position, failure)
        last = tags[-1]


async def _fold_anew(
    connection: Connection,
    table: Table,
    tenant: TenantId,
    keys: Collection[str],
    opened: Iterable[tuple[int, Event]],
) -> FoldingFailed | None:
    """Write the rows of *keys* as their whole history makes them."""
    rows: dict[str, Row] = {}
    positions: dict[str, int] = {}
    for position, event in opened:
        if getattr(event, table.model.key) not in keys:
            continue
        try:
            positions[fold(table.model, rows, event)] = position
        except Exception as error:  # noqa: BLE001 - as where events are folded the first time.
            return FoldingFailed(position, error)
    touched = {key: rows.get(key) for key in positions}
    await write_rows(connection, table, tenant, touched, positions)
    return None


def _decoded(
    records: Iterable[tuple[Any, ...]],  # Any: columns of several types.
) -> tuple[list[tuple[int, Event]], FoldingFailed | None]:
    events: list[tuple[int, Event]] = []
    for position, name, data in records:
        try:
            events.append((position, codec.decode_written(name, data, position)))
        except codec.UnknownEvent as error:
            return events, FoldingFailed(position, error)
    return events, None


def _opened(
    written: Iterable[tuple[int, Event]], opener: Opener, failure: FoldingFailed | None
) -> tuple[list[tuple[int, Event]], FoldingFailed | None]:
    events: list[tuple[int, Event]] = []
    for position, event in written:
        try:
            events.append((position, opener(event)))
        except SealBroken as error:
            return events, FoldingFailed(position, error)
    return events, failure


def _apply(model: type[ReadModel[Any]], rows: dict[str, Row | None], event: Event) -> str:
    key: str = getattr(event, model.key)
    rows[key] = model.apply(rows.get(key), event)
    return key
