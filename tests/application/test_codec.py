"""Events are stored as JSON under the name of their class."""

import pytest

from application import codec
from application.errors import Malformed
from application.ports import NewEvent
from domain.ids import JobId
from domain.jobs import JobStarted
from domain.tenants import TenantCreated


def encode(job: str) -> NewEvent:
    return codec.encode(
        JobStarted(job=JobId(job)), actor="system", correlation_id="c", causation_id="7"
    )


def test_an_event_is_stored_under_its_name_with_its_tags() -> None:
    assert encode("j1") == NewEvent(
        type="JobStarted",
        tags=("job:j1",),
        data='{"job":"j1"}',
        actor="system",
        correlation_id="c",
        causation_id="7",
    )


@pytest.mark.parametrize("job", ["a\x1fb", "a\nb", "a\x00", "x" * codec.TAG_LENGTH_MAX])
def test_what_cannot_identify_anything_is_no_key(job: str) -> None:
    with pytest.raises(Malformed) as malformed:
        encode(job)
    assert malformed.value.code == "event.bad_key"


def test_events_are_found_by_name() -> None:
    assert codec.event_types()["TenantCreated"] is TenantCreated


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("NeverHeardOf", "{}", "event.unknown_type"),
        ("JobStarted", "{}", "event.unreadable"),
        ("JobStarted", '{"job":7}', "event.unreadable"),
        ("JobStarted", "{", "event.unreadable"),
    ],
)
def test_an_event_that_cannot_be_read_says_where(name: str, data: str, code: str) -> None:
    with pytest.raises(codec.UnknownEvent, match="Event 12") as unknown:
        codec.decode_data(name, data, 12)
    assert (unknown.value.code, unknown.value.status) == (code, 500)


def test_a_field_of_a_newer_version_is_passed_over() -> None:
    event = codec.decode_data("JobStarted", '{"job":"j1","priority":3}', 1)
    assert event == JobStarted(job=JobId("j1"))
