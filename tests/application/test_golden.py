"""An event is a stored format: what was written once is read for ever.

Each event has one file, ``tests/<module>/golden/<Event>.json``. Such a file is never edited:
a field is added with a default, and a change of meaning is a new event.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec import Struct
from msgspec.json import decode as read_json

from application import codec
from application.ports import StoredEvent
from domain.kernel import Event, Retired, target_of

TESTS = Path(__file__).parents[1]
FILES = sorted(TESTS.glob("*/golden/*.json"))
RECORDED_AT = datetime(2026, 5, 2, 9, 30, tzinfo=UTC)


class Golden(Struct, frozen=True, forbid_unknown_fields=True):
    """An event as it lies in the log: its name, its tags, its data."""

    type: str
    tags: list[str]
    data: dict[str, object]


def golden(path: Path) -> tuple[Golden, StoredEvent]:
    kept = read_json(path.read_bytes(), type=Golden)
    return kept, StoredEvent(
        position=1,
        type=kept.type,
        tags=tuple(kept.tags),
        data=json.dumps(kept.data),
        recorded_at=RECORDED_AT,
        actor="user:ana",
        correlation_id="request-1",
        causation_id="",
    )


def written(stored: StoredEvent) -> Event:
    return codec.decode_written(stored.type, stored.data, stored.position)


def test_every_event_has_one_golden_file_in_its_module() -> None:
    kept = {(path.parents[1].name, path.stem) for path in FILES}
    modules = {name: event.__module__.split(".")[1] for name, event in codec.event_types().items()}
    assert kept == {(module, name) for name, module in modules.items()}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_golden_event_is_read_and_written_again_as_it_was(path: Path) -> None:
    kept, stored = golden(path)
    assert kept.type == path.stem
    event = written(stored)
    again = codec.encode(event, actor="user:ana", correlation_id="request-1", causation_id="")
    assert (again.type, list(again.tags)) == (kept.type, kept.tags)
    assert codec.decode_written(again.type, again.data, 1) == event
    assert json.loads(again.data).items() >= kept.data.items()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_golden_event_holds_more_than_defaults(path: Path) -> None:
    kept, stored = golden(path)
    assert set(kept.data) == set(written(stored).__struct_fields__)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_golden_event_reads_as_an_event_of_today(path: Path) -> None:
    _, stored = golden(path)
    event = codec.decode(stored)
    assert not isinstance(event, Retired)
    assert type(event) is target_of(type(written(stored)))
