"""The rules of webhooks."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from domain.kernel import Command
from domain.webhooks import (
    ENDPOINTS_MAX,
    ChangeWebhook,
    EndpointId,
    Endpoints,
    PauseWebhook,
    RegisterWebhook,
    RemoveWebhook,
    ReplayWebhook,
    ResumeWebhook,
    RetryWebhook,
    RotateWebhookSecret,
    SecretId,
    SendWebhookTest,
    StopWebhook,
    Webhook,
    WebhookChanged,
    WebhookPaused,
    WebhookRegistered,
    WebhookRemoved,
    WebhookReplayRequested,
    WebhookResumed,
    WebhookRetryRequested,
    WebhookSecretRotated,
    WebhookTestRequested,
)
from projections.kernel import project
from projections.webhooks import WebhookRow, Webhooks
from tests.kernel import given, history_of

HOOK, OTHER = EndpointId("e1"), EndpointId("e2")
FIRST, SECOND = SecretId("s1"), SecretId("s2")
URL = "https://example.com/hooks"
NOON = datetime(2026, 5, 2, 12, tzinfo=UTC)

register = RegisterWebhook(
    endpoint=HOOK, secret_id=FIRST, url=URL, types=("B", "A", "B"), description="Ours"
)
registered = WebhookRegistered(
    endpoint=HOOK, url=URL, types=("A", "B"), description="Ours", secret_id=FIRST
)
paused = WebhookPaused(endpoint=HOOK, reason="asked")
resumed = WebhookResumed(endpoint=HOOK)
removed = WebhookRemoved(endpoint=HOOK)
rotate = RotateWebhookSecret(endpoint=HOOK, secret_id=SECOND, at=NOON)
rotated = WebhookSecretRotated(
    endpoint=HOOK, secret_id=SECOND, former_until=NOON + timedelta(hours=24)
)
OF_THOSE_THERE: list[Command] = [
    ChangeWebhook(endpoint=HOOK, description="x"),
    PauseWebhook(endpoint=HOOK),
    ResumeWebhook(endpoint=HOOK),
    rotate,
    ReplayWebhook(endpoint=HOOK, after=0),
    RetryWebhook(endpoint=HOOK),
    SendWebhookTest(endpoint=HOOK),
]


def test_an_endpoint_is_registered_with_its_types_in_order() -> None:
    given().when(register).then(registered)


def test_an_id_is_given_once_and_never_again() -> None:
    given(registered).when(register).then_refused("webhooks.endpoint_taken")
    given(registered, removed).when(register).then_refused("webhooks.endpoint_taken")


def test_a_tenant_has_so_many_endpoints_and_no_more() -> None:
    some = [
        WebhookRegistered(
            endpoint=EndpointId(f"x{n}"), url=URL, types=(), description="", secret_id=FIRST
        )
        for n in range(ENDPOINTS_MAX)
    ]
    given(*some).when(register).then_refused("webhooks.too_many")
    gone = WebhookRemoved(endpoint=EndpointId("x3"))
    given(*some, gone).when(register).then(registered)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com:70/",
        "https://",
        "https:///hooks",
        "https://user:word@example.com/",
        "https://user@example.com/",
        "https://example.com:99999/",
        "https://example.com:port/",
        "https://[::1/",
        "https://example.com/#part",
        "https://example.com/a b",
        "https://example.com/\n",
        "https://example.com\\@inside/",
        "https://ejémplo.com/",
    ],
)
def test_what_is_no_address_or_holds_a_password_is_refused(url: str) -> None:
    command = RegisterWebhook(endpoint=HOOK, secret_id=FIRST, url=url)
    given().when(command).then_refused("webhooks.bad_url")
    change = ChangeWebhook(endpoint=HOOK, url=url)
    given(registered).when(change).then_refused("webhooks.bad_url")


def test_what_is_left_out_of_a_change_stays() -> None:
    changed = WebhookChanged(endpoint=HOOK, url=URL, types=(), description="Ours")
    given(registered).when(ChangeWebhook(endpoint=HOOK, types=())).then(changed)


def test_a_change_that_changes_nothing_is_none() -> None:
    given(registered).when(ChangeWebhook(endpoint=HOOK, url=URL, types=("B", "A"))).then_nothing()


def test_an_endpoint_is_paused_once_and_resumed_once() -> None:
    pause, resume = PauseWebhook(endpoint=HOOK), ResumeWebhook(endpoint=HOOK)
    given(registered).when(resume).then_nothing()
    given(registered).when(pause).then(paused)
    given(registered, paused).when(pause).then_nothing()
    given(registered, paused).when(resume).then(resumed)


def test_an_endpoint_that_gives_cause_is_stopped_and_the_reason_is_kept() -> None:
    stop = StopWebhook(endpoint=HOOK, reason="gone")
    given(registered).when(stop).then(WebhookPaused(endpoint=HOOK, reason="gone"))
    for history in ((), (registered, paused), (registered, removed)):
        given(*history).when(stop).then_nothing()


def test_a_new_secret_signs_and_the_former_one_signs_along_for_a_day() -> None:
    given(registered).when(rotate).then(rotated)
    webhook = Webhook.at(endpoint=HOOK).fold([registered, rotated])
    assert webhook.signing(NOON + timedelta(hours=23)) == (SECOND, FIRST)
    assert webhook.signing(NOON + timedelta(hours=24)) == (SECOND,)


def test_a_secret_that_became_known_stops_signing_at_once() -> None:
    at_once = RotateWebhookSecret(endpoint=HOOK, secret_id=SECOND, at=NOON, former_hours=0)
    expired = WebhookSecretRotated(endpoint=HOOK, secret_id=SECOND, former_until=NOON)
    given(registered).when(at_once).then(expired)
    assert Webhook.at(endpoint=HOOK).fold([registered, expired]).signing(NOON) == (SECOND,)


def test_however_often_it_rotates_few_secrets_sign() -> None:
    history: list[WebhookRegistered | WebhookSecretRotated] = [registered]
    for number in range(9):
        secret = SecretId(f"n{number}")
        until = NOON + timedelta(hours=24)
        history.append(WebhookSecretRotated(endpoint=HOOK, secret_id=secret, former_until=until))
    assert Webhook.at(endpoint=HOOK).fold(history).signing(NOON) == ("n8", "n6", "n7")


def test_rotating_to_the_secret_that_signs_changes_nothing() -> None:
    given(registered, rotated).when(rotate).then_nothing()


def test_an_endpoint_is_removed_once() -> None:
    remove = RemoveWebhook(endpoint=HOOK)
    given(registered).when(remove).then(removed)
    given(registered, removed).when(remove).then_nothing()
    given().when(remove).then_refused("webhooks.absent")


@pytest.mark.parametrize("command", OF_THOSE_THERE, ids=lambda each: type(each).__name__)
def test_what_is_not_there_can_be_told_nothing(command: Command) -> None:
    given().when(command).then_refused("webhooks.absent")
    given(registered, removed).when(command).then_refused("webhooks.absent")


def test_each_replay_retry_and_test_is_one_more() -> None:
    replayed = WebhookReplayRequested(endpoint=HOOK, after=7)
    replay = ReplayWebhook(endpoint=HOOK, after=7)
    given(registered, replayed).when(replay).then(replayed)
    retried = WebhookRetryRequested(endpoint=HOOK)
    given(registered, retried).when(RetryWebhook(endpoint=HOOK)).then(retried)
    tested = WebhookTestRequested(endpoint=HOOK)
    given(registered, tested).when(SendWebhookTest(endpoint=HOOK)).then(tested)


def test_a_paused_endpoint_takes_no_test() -> None:
    given(registered, paused).when(SendWebhookTest(endpoint=HOOK)).then_refused("webhooks.paused")


endpoints = st.sampled_from([HOOK, OTHER])
secrets = st.sampled_from([FIRST, SECOND, SecretId("s3")])
commands: st.SearchStrategy[Command] = st.one_of(
    st.builds(RegisterWebhook, endpoint=endpoints, secret_id=secrets, url=st.just(URL)),
    st.builds(ChangeWebhook, endpoint=endpoints, types=st.sampled_from([None, (), ("A",)])),
    st.builds(PauseWebhook, endpoint=endpoints),
    st.builds(StopWebhook, endpoint=endpoints, reason=st.sampled_from(["gone", "failing"])),
    st.builds(ResumeWebhook, endpoint=endpoints),
    st.builds(RotateWebhookSecret, endpoint=endpoints, secret_id=secrets, at=st.just(NOON)),
    st.builds(RemoveWebhook, endpoint=endpoints),
    st.builds(ReplayWebhook, endpoint=endpoints, after=st.just(1)),
)


@settings(max_examples=60)
@for_all(st.lists(commands, max_size=20))
def test_rows_rules_and_counts_agree_after_any_sequence(sequence: list[Command]) -> None:
    history = history_of(sequence)
    rows = project(Webhooks, history)
    states = {each: Webhook.at(endpoint=each).fold(history) for each in (HOOK, OTHER)}
    there = {name: e for name, e in states.items() if e.status not in {"absent", "removed"}}
    assert rows.keys() == there.keys()
    for name, webhook in there.items():
        row = rows[name]
        assert isinstance(row, WebhookRow)
        assert (row.url, row.types, row.status) == (webhook.url, webhook.types, webhook.status)
        assert (row.reason is None) == (webhook.status == "enabled")
    assert Endpoints.at(webhooks="endpoints").fold(history).many == len(there)
