"""What changed in a read model between two moments: which rows, and which fields of them.

Both rows are folded from the log, so that no table needs to be as it was. A row that was made and
unmade in between did not change.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TypeAlias

from msgspec import Struct

from adapters.postgres.models.conditions import Model
from adapters.postgres.models.moments import Log, events_of_row, read_events
from adapters.postgres.models.shown import shown
from application.history import FieldChange, changes
from projections.kernel import Row

Pair: TypeAlias = tuple[Row | None, Row | None]


class ChangedRow(Struct, frozen=True, kw_only=True):
    """A row, and its fields before and after."""

    id: str
    changes: tuple[FieldChange, ...]


class Differences(Struct, frozen=True, kw_only=True):
    """A part of the rows that changed, in the order in which events first touched them.

    Attributes:
        next: The position behind which there may be more; None: there is no more.

    """

    rows: tuple[ChangedRow, ...]
    next: int | None


class Span(Struct, frozen=True):
    """Two moments of a log, by the last positions that they hold."""

    before: int
    after: int


async def differences(
    log: Log, model: Model, span: Span, *, first: int, behind: int = 0
) -> Differences:
    """Compare rows at two moments: about *first* of them, touched behind a position.

    Raises:
        UnknownEvent: An event that may concern a row can't be read here.

    """
    found: list[ChangedRow] = []
    reached = max(span.before, behind)
    keys: list[str] = []
    async for position, new in _touched(log, model, span, reached):
        keys += new
        reached = position
        if len(found) + len(keys) >= first:
            found += await _compared(log, model, keys, span)
            keys = []
        if len(found) >= first:
            return Differences(rows=tuple(found), next=reached)
    found += await _compared(log, model, keys, span)
    return Differences(rows=tuple(found), next=None)


async def _touched(
    log: Log, model: Model, span: Span, behind: int
) -> AsyncIterator[tuple[int, list[str]]]:
    """Name the keys that an event is the first of the span to touch, event by event."""
    seen: set[str] = set()
    async for stored, event in read_events(log, model, (), after=behind, until=span.after):
        new: list[str] = []
        for key in model.keys(event):
            if key not in seen:
                seen.add(key)
                if not await _is_touched(log, model, key, Span(span.before, behind)):
                    new.append(key)
        if new:
            yield stored.position, new


async def _is_touched(log: Log, model: Model, key: str, span: Span) -> bool:
    """Tell whether a row belongs to what was told before."""
    if span.before == span.after:
        return False
    async for _ in events_of_row(log, model, key, after=span.before, until=span.after):
        return True
    return False


async def _compared(log: Log, model: Model, keys: Iterable[str], span: Span) -> list[ChangedRow]:
    pairs = await _folded(log, model, dict.fromkeys(keys, None), span)
    compared = ((key, changes(before, after)) for key, (before, after) in pairs.items())
    return [ChangedRow(id=key, changes=changed) for key, changed in compared if changed]


async def _folded(log: Log, model: Model, keys: Mapping[str, None], span: Span) -> dict[str, Pair]:
    """Fold the rows of *keys*, all in one reading, as they were and as they became."""
    if not keys:
        return {}
    rows: dict[str, Row | None] = dict(keys)
    before: dict[str, Row | None] | None = None
    tags = [model.tags(key) for key in keys]
    every = () if () in tags else tuple(tag for some in tags for tag in some)
    async for stored, event in read_events(log, model, every, until=span.after):
        if before is None and stored.position > span.before:
            before = dict(rows)
        for key in model.keys(event):
            if key in rows:
                rows[key] = model.fold(rows[key], event, key)
    before = rows if before is None else before
    return {key: (_shown(before[key]), _shown(row)) for key, row in rows.items()}


def _shown(row: Row | None) -> Row | None:
    return None if row is None else shown(row)
