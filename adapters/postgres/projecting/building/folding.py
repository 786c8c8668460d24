"""A part of a log folded into the rows that it makes, in memory and then in bulk.

The rows of a model that gathers from everywhere may be more than memory holds: then those touched
so far are put into the table, and fetched again when they are touched again.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from adapters.postgres.connections import Connection
from adapters.postgres.models.rows import Table, load_rows, write_rows
from adapters.postgres.projecting.news import FoldingFailed
from domain.ids import TenantId
from domain.kernel import Event
from projections.kernel import ReadModel, Row


def fold_rows(
    model: type[ReadModel[Any]],  # Any: of any row.
    events: Sequence[tuple[int, Event]],
) -> tuple[dict[str, Row], list[int]]:
    """Fold all events of some rows; return these, and the position that made each what it is.

    Each event touches the row that one of its fields names.

    Raises:
        FoldingFailed: One of them can't be folded.

    """
    apply, name = model.apply, model.key
    rows: dict[str, Row] = {}
    positions: dict[str, int] = {}
    position = 0
    try:
        for position, event in events:
            key = getattr(event, name)
            row = apply(rows.get(key), event)
            if row is None:
                rows.pop(key, None)
            else:
                rows[key] = row
                positions[key] = position
    except Exception as error:
        raise FoldingFailed(position, error) from error
    return rows, [positions[key] for key in rows]


class GatheredRows:
    """The rows of a log that gather from its entities, some of them in the table meanwhile."""

    def __init__(
        self, connection: Connection, table: Table, tenant: TenantId, held_max: int
    ) -> None:
        self._connection = connection
        self._table = table
        self._tenant = tenant
        self._held_max = held_max
        self._put_away = False
        self.rows: dict[str, Row | None] = {}
        self.positions: dict[str, int] = {}
        self.events = 0

    async def fold(self, events: Sequence[tuple[int, Event]]) -> None:
        """Fold events of any kind.

        Raises:
            FoldingFailed: One of them can't be folded.

        """
        model, rows, positions = self._table.model, self.rows, self.positions
        position = 0
        try:
            touches = [(position, event, model.keys(event)) for position, event in events]
            if self._put_away:
                await self._fetch(key for *_, keys in touches for key in keys)
            for position, event, keys in touches:
                for key in keys:
                    rows[key] = model.fold(rows.get(key), event, key)
                    positions[key] = position
        except Exception as error:
            raise FoldingFailed(position, error) from error
        self.events += len(events)
        if len(rows) > self._held_max:
            await self.put_away()

    async def put_away(self) -> None:
        """Write what is held into the table."""
        await write_rows(self._connection, self._table, self._tenant, self.rows, self.positions)
        self._put_away = True
        self.rows.clear()
        self.positions.clear()

    async def _fetch(self, keys: Iterable[str]) -> None:
        missing = {key for key in keys if key not in self.rows}
        if missing:
            self.rows |= await load_rows(self._connection, self._table, self._tenant, missing)
