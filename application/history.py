"""Why is this so? Each event that touched a row: when, by whom, whence, and what it changed.

A row is nothing but its events folded one after another, so that the difference each of them
made is the whole explanation.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

COMMAND: Final = "command:"
"""How a causation begins where a command caused the event, and no event or job before it."""


class FieldChange(Struct, frozen=True, kw_only=True):
    """A field of the row before and after, as JSON; a field inside another is named `a.b`."""

    field: str
    before: object | None
    after: object | None


class ImportSource(Struct, frozen=True, kw_only=True):
    """Where imported data came from. Its lines, from 1 on, are known while they are kept."""

    batch: str
    file_name: str | None
    job: str | None
    lines: tuple[int, ...]


class HistoryEntry(Struct, frozen=True, kw_only=True):
    """One event of a row's history, and what it changed in the row."""

    position: int
    type: str
    recorded_at: datetime
    actor: str
    actor_name: str | None
    command: str | None
    correlation_id: str
    causation_id: str
    source: ImportSource | None
    changes: tuple[FieldChange, ...]


class HistoryPage(Struct, frozen=True, kw_only=True):
    """A part of the history of the row *id*, oldest first."""

    id: str
    entries: tuple[HistoryEntry, ...]
    has_next: bool


def changes(before: Struct | None, after: Struct | None) -> tuple[FieldChange, ...]:
    """Compare a row with itself, field by field; None where it is not there."""
    return tuple(_changes(_plain(before), _plain(after)))


def command_of(causation_id: str) -> str | None:
    """Name the command that caused an event, where nothing else did."""
    return causation_id.removeprefix(COMMAND) if causation_id.startswith(COMMAND) else None


def _plain(row: Struct | None) -> Mapping[str, object]:
    encoded = b"{}" if row is None else msgspec.json.encode(row)
    return msgspec.json.decode(encoded, type=dict[str, object])


def _changes(
    before: Mapping[str, object], after: Mapping[str, object], inside: str = ""
) -> Iterator[FieldChange]:
    for name in {**before, **after}:
        was, now = before.get(name), after.get(name)
        if isinstance(was, dict) and isinstance(now, dict):
            yield from _changes(was, now, f"{inside}{name}.")
        elif was != now:
            yield FieldChange(field=f"{inside}{name}", before=was, after=now)
