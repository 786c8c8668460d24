"""Webhooks as people and programs manage them: over REST, GraphQL and the command line."""

import subprocess
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import msgspec
import pytest
from msgspec.structs import replace

from adapters.postgres.projecting.projector import Projector
from adapters.runtime import Runtime
from adapters.settings import Settings
from adapters.webhooks.endpoints import Endpoints
from tests.cli.conftest import command_line
from tests.rest.api import Tenant, api_process, caller, free_port, make_tenant, projecting
from tests.webhooks.conftest import exported

URL = "https://example.com/hooks"
REGISTER = f"""
mutation {{ registerWebhook(input: {{url: "{URL}"}}) {{ position endpoint secret }} }}
"""


@pytest.fixture(scope="module")
def api(settings: Settings) -> Iterator[Settings]:
    serving = replace(settings, port=free_port(), webhook_allow_private=False)
    with api_process(serving, settings.data / "api.log"):
        yield serving


@pytest.fixture
async def tenant(settings: Settings) -> AsyncIterator[Tenant]:
    async with projecting(settings) as runtime:
        yield await make_tenant(runtime)


@pytest.fixture
async def client(api: Settings, tenant: Tenant) -> AsyncIterator[httpx.AsyncClient]:
    async with caller(api, tenant.key) as client:
        yield client


async def register(client: httpx.AsyncClient, **given: object) -> dict[str, Any]:
    answer = await client.post("/api/v1/webhooks", json={"url": URL, **given})
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_a_secret_is_shown_with_the_answer_and_nowhere_else(
    client: httpx.AsyncClient,
) -> None:
    made = await register(client, types=["InvoiceIssued"], description="Ours")
    assert made["secret"].startswith("whsec_")
    listed = await client.get("/api/v1/webhooks", params={"at_least": made["position"]})
    (row,) = listed.json()["items"]
    assert row == {
        "endpoint": made["endpoint"],
        "url": URL,
        "types": ["InvoiceIssued"],
        "description": "Ours",
        "status": "enabled",
        "reason": None,
    }
    one = await client.get(f"/api/v1/webhooks/{made['endpoint']}")
    assert one.json() == row


async def test_who_asks_again_under_the_same_key_is_shown_the_same_secret(
    client: httpx.AsyncClient,
) -> None:
    key = {"Idempotency-Key": "register-once"}
    answers = [
        (await client.post("/api/v1/webhooks", json={"url": URL}, headers=key)).json()
        for _ in range(2)
    ]
    assert answers[0] == answers[1]
    rotate = f"/api/v1/webhooks/{answers[0]['endpoint']}/rotate-secret"
    first = (await client.post(rotate)).json()["secret"]
    second = (await client.post(rotate)).json()["secret"]
    assert len({answers[0]["secret"], first, second}) == 3


async def test_an_endpoint_is_managed_over_rest(client: httpx.AsyncClient) -> None:
    endpoint = (await register(client))["endpoint"]
    place = f"/api/v1/webhooks/{endpoint}"
    for command, given, event in (
        ("change", {"description": "x"}, "WebhookChanged"),
        ("test", {}, "WebhookTestRequested"),
        ("replay", {"after": 0}, "WebhookReplayRequested"),
        ("retry", {}, "WebhookRetryRequested"),
        ("pause", {}, "WebhookPaused"),
        ("resume", {}, "WebhookResumed"),
        ("remove", {}, "WebhookRemoved"),
    ):
        answer = await client.post(f"{place}/{command}", json=given)
        assert answer.status_code == 200, answer.text
        assert [each["type"] for each in answer.json()["events"]] == [event]
    gone = await client.post(f"{place}/resume", json={})
    assert (gone.status_code, gone.json()["code"]) == (409, "webhooks.absent")


@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        ({"url": "http://127.0.0.1/"}, 409, "webhooks.private_address"),
        ({"url": "https://me:word@example.com/"}, 409, "webhooks.bad_url"),
        ({"url": URL, "types": ["Nothing"]}, 400, "webhooks.unknown_type"),
        ({"url": "https://e.com/" + "x" * 2_000}, 400, "input.invalid"),
        ({"url": URL, "endpoint": "a:b"}, 400, "input.invalid"),
        ({"url": URL, "endpoint": "a\n"}, 400, "input.invalid"),
        ({"url": URL, "types": ["x"] * 101}, 400, "input.invalid"),
    ],
)
async def test_what_can_not_be_an_endpoint_is_refused(
    client: httpx.AsyncClient, given: dict[str, object], status: int, code: str
) -> None:
    answer = await client.post("/api/v1/webhooks", json=given)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_nothing_is_sent_again_from_where_the_log_has_not_come_to(
    client: httpx.AsyncClient,
) -> None:
    made = await register(client)
    place, head = f"/api/v1/webhooks/{made['endpoint']}/replay", made["position"]
    beyond = await client.post(place, json={"after": head + 1})
    assert (beyond.status_code, beyond.json()["code"]) == (400, "query.beyond_head")
    assert (await client.post(place, json={"after": head})).status_code == 200


async def test_an_endpoint_that_is_not_there_has_no_dead_letters(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    absent = await client.get("/api/v1/webhooks/nothing/dead-letters")
    assert (absent.status_code, absent.json()["code"]) == (404, "webhooks.absent")
    endpoint = (await register(client))["endpoint"]
    await begun(runtime)
    there = await client.get(f"/api/v1/webhooks/{endpoint}/dead-letters")
    assert (there.status_code, there.json()["items"]) == (200, [])


async def test_the_sending_is_for_those_who_may_look_at_it(
    api: Settings, settings: Settings, client: httpx.AsyncClient
) -> None:
    endpoint = (await register(client))["endpoint"]
    async with projecting(settings) as runtime:
        stranger = await make_tenant(runtime)
        powerless = await make_tenant(runtime, ("jobs.job.read",))
    for key, status in ((stranger.key, 404), (powerless.key, 403)):
        async with caller(api, key) as other:
            answer = await other.get(f"/api/v1/webhooks/{endpoint}/delivery")
            assert answer.status_code == status
            letters = await other.get(f"/api/v1/webhooks/{endpoint}/dead-letters")
            assert letters.status_code == status


async def test_endpoints_are_managed_over_graphql(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    async def ask(query: str) -> Any:  # noqa: ANN401 - JSON.
        told = (await client.post("/graphql", json={"query": query})).json()
        assert "errors" not in told, told
        return told["data"]

    told = await ask(REGISTER)
    made = told["registerWebhook"]
    assert made["secret"].startswith("whsec_")
    rotated = await ask(
        'mutation { rotateWebhookSecret(input: {endpoint: "' + made["endpoint"] + '"}) { secret } }'
    )
    assert rotated["rotateWebhookSecret"]["secret"] != made["secret"]
    told = await ask(
        f'{{ webhooks(first: 9, atLeast: "{made["position"]}")'
        " { nodes { id url types status } } }"
    )
    assert told["webhooks"]["nodes"] == [
        {"id": made["endpoint"], "url": URL, "types": [], "status": "enabled"}
    ]
    await begun(runtime)
    told = await ask(
        f'{{ webhookDelivery(endpoint: "{made["endpoint"]}") {{ position head active deadLetters }}'
        f' webhookDeadLetters(endpoint: "{made["endpoint"]}") {{ position }} }}'
    )
    assert told["webhookDelivery"]["position"] == made["position"]
    assert told["webhookDelivery"]["active"] is True
    assert told["webhookDeadLetters"] == []


async def test_endpoints_are_managed_on_the_command_line(
    settings: Settings, runtime: Runtime, tenant: Tenant
) -> None:
    def output(*arguments: str) -> bytes:
        done = subprocess.run(
            command_line(*arguments, "--tenant", tenant.slug),
            env=exported(settings),
            capture_output=True,
            check=True,
            timeout=60,
        )
        return done.stdout

    def asiento(*arguments: str) -> Any:  # noqa: ANN401 - JSON.
        return msgspec.json.decode(output(*arguments, "--json"))

    made = asiento("register-webhook", "--url", URL)
    assert made["secret"].startswith("whsec_")
    await begun(runtime)
    (listed,) = asiento("webhooks", "list")
    assert (listed["endpoint"], listed["url"]) == (made["endpoint"], URL)
    assert listed["delivery"]["dead_letters"] == 0
    assert asiento("webhooks", "dead-letters", made["endpoint"]) == []
    assert b"NEXT ATTEMPT" in output("webhooks", "list")


async def begun(runtime: Runtime) -> None:
    """Let the sending begin."""
    await Projector(runtime.pool, runtime.vault, [Endpoints()]).catch_up()
