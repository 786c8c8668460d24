"""The judge of webhooks finds each way in which messages can be wrong, and nothing else."""

import pytest

from domain.ids import JobId
from domain.jobs import JobWaiting
from domain.kernel import Event
from domain.webhooks import (
    EndpointId,
    SecretId,
    WebhookPaused,
    WebhookRegistered,
    WebhookResumed,
)
from tests.soak.hooks import Taken
from tests.soak.messages import delivered, endpoints_of

ENDPOINT = EndpointId("e")
WAITS = JobWaiting(job=JobId("j"), reason="soak")
PAUSED = WebhookPaused(endpoint=ENDPOINT, reason="failing")
RESUMED = WebhookResumed(endpoint=ENDPOINT)


def registered(*types: str) -> WebhookRegistered:
    return WebhookRegistered(
        endpoint=ENDPOINT, url="", types=types, description="", secret_id=SecretId("s")
    )


HISTORY: list[Event] = [WAITS, registered("JobWaiting"), WAITS, WAITS]


def taken(*positions: int, kind: str = "JobWaiting") -> list[Taken]:
    return [Taken(f"m{position}", position, kind) for position in positions]


def found(messages: list[Taken], history: list[Event] = HISTORY) -> list[str]:
    endpoints = endpoints_of(enumerate(history, start=1))
    return [each.kind for each in delivered(endpoints, {ENDPOINT: messages})]


@pytest.mark.parametrize("positions", [(3, 4), (3, 3, 4), (3, 4, 3, 4)])
def test_what_comes_in_order_and_perhaps_again_is_no_finding(positions: tuple[int, ...]) -> None:
    assert found(taken(*positions)) == []


@pytest.mark.parametrize(
    ("kinds", "messages"),
    [
        (["never"], taken(3)),
        (["never", "never"], []),
        (["disordered"], taken(4, 3)),
        (["invented"], taken(1, 3, 4)),
        (["invented"], taken(3, 4, 9)),
        (["invented", "invented"], taken(3, 4, kind="JobQueued")),
        (["renamed"], [*taken(3, 4), Taken("other", 4, "JobWaiting")]),
    ],
)
def test_a_wrong_message_is_found(kinds: list[str], messages: list[Taken]) -> None:
    assert found(messages) == kinds


def test_what_is_for_nobody_is_found() -> None:
    assert [each.kind for each in delivered({}, {ENDPOINT: taken(1)})] == ["invented"]


def test_of_an_endpoint_that_rests_nothing_is_missed() -> None:
    assert found(taken(3), [*HISTORY, PAUSED]) == []
    assert found(taken(3), [*HISTORY, PAUSED, RESUMED]) == ["never"]


def test_an_endpoint_is_for_its_own_types() -> None:
    assert found([], [registered("JobQueued"), WAITS]) == []
