"""One batch of a read model: read what is new, fold it, write what it touched, all in bulk."""

from collections.abc import Sequence
from typing import Any, Final, LiteralString

from msgspec import Struct

from adapters.postgres.connections import Connection
from adapters.postgres.read_models import Table, load_rows, write_rows
from application import codec
from domain.ids import TenantId
from domain.kernel import Event
from projections.kernel import ReadModel, Row, events_of

BATCH_EVENTS: Final = 1_000

NEWS: LiteralString = """
SELECT position, type, data FROM event
WHERE tenant_id = %s AND position > %s AND position <= %s AND type = ANY (%s)
ORDER BY position LIMIT %s
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
    connection: Connection, table: Table, tenant: TenantId, *, after: int, until: int
) -> Folded:
    """Fold the next events after *after*, up to *until*, inside the caller's transaction."""
    names = [event.__name__ for event in events_of(table.model)]
    cursor = await connection.execute(NEWS, (tenant, after, until, names, BATCH_EVENTS))
    records = await cursor.fetchall()
    reached = records[-1][0] if len(records) == BATCH_EVENTS else until
    events, failure = _decoded(records)
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
    if failure is not None:
        reached = failure.position - 1
    return Folded(position=reached, events=folded, failure=failure)


def _decoded(
    records: Sequence[tuple[Any, ...]],  # Any: columns of several types.
) -> tuple[list[tuple[int, Event]], FoldingFailed | None]:
    events: list[tuple[int, Event]] = []
    for position, name, data in records:
        try:
            events.append((position, codec.decode_data(name, data, position)))
        except codec.UnknownEvent as error:
            return events, FoldingFailed(position, error)
    return events, None


def _apply(model: type[ReadModel[Any]], rows: dict[str, Row | None], event: Event) -> str:
    key: str = getattr(event, model.key)
    rows[key] = model.apply(rows.get(key), event)
    return key
