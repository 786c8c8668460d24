"""One batch of a read model: read what is new, fold it, write what it touched, all in bulk.

Where somebody was forgotten, the rows that their events touched are folded again from the start.
"""

from collections.abc import Iterable, Sequence
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
    written, failure = _decoded(records)
    forgotten = {at: event for at, event in written if isinstance(event, SubjectForgotten)}
    if FORGETTING not in names:
        written = [(at, event) for at, event in written if at not in forgotten]
    # A key that was kept before the last of these forgettings is not to be trusted.
    opener = await vault.opener(
        tenant, (event for _, event in written), erased=max(forgotten, default=0)
    )
    events, failure = _opened(written, opener, failure)
    folded, failure = await _fold(connection, table, tenant, events, failure)
    if failure is not None:
        reached = failure.position - 1
    for subject in {event.subject for at, event in forgotten.items() if at <= reached}:
        await _fold_again(connection, table, tenant, subject, until=reached, vault=vault)
    return Folded(position=reached, events=folded, failure=failure)


def stored_names(model: type[ReadModel[Any]]) -> tuple[str, ...]:  # Any: of any row.
    """Name the events that *model* understands, as the log may hold them."""
    return codec.stored_names(events_of(model))


async def _fold(
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


async def _fold_again(
    connection: Connection,
    table: Table,
    tenant: TenantId,
    subject: str,
    *,
    until: int,
    vault: Vault,
) -> None:
    """Write anew every row that holds what an event about *subject* said."""
    prefix, last = f"{table.model.key}:", ""
    names = list(stored_names(table.model))
    while True:
        asked = (tenant, subject, names, until, prefix, last, BATCH_EVENTS)
        tags = [tag for (tag,) in await (await connection.execute(TOUCHED, asked)).fetchall()]
        if not tags:
            return
        history = await (await connection.execute(HISTORY, (tenant, tags, names, until))).fetchall()
        written = [(at, codec.decode_written(name, data, at)) for at, name, data in history]
        opened = await vault.open(tenant, [event for _, event in written])
        keys = {tag.removeprefix(prefix) for tag in tags}
        rows: dict[str, Row] = {}
        positions: dict[str, int] = {}
        for (position, _), event in zip(written, opened, strict=True):
            if getattr(event, table.model.key) in keys:
                positions[fold(table.model, rows, event)] = position
        touched = {key: rows.get(key) for key in positions}
        await write_rows(connection, table, tenant, touched, positions)
        last = tags[-1]


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
