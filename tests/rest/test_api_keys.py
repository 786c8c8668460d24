"""Owners make keys for programs themselves, over REST and GraphQL."""

from datetime import datetime
from typing import Any

import httpx
import pytest

from adapters.runtime import Runtime
from adapters.settings import Settings
from domain.ids import SYSTEM_TENANT
from tests.rest.api import Tenant, caller, make_tenant, until_projected

KEYS, READ = "/api/v1/api-keys", "invoicing.invoice.read"
NOBODYS = "0196bd2f-0000-7123-b456-789abcdef012"
TILL = {"name": "till", "permissions": [READ]}


async def post(client: httpx.AsyncClient, path: str, body: object, status: int = 201) -> Any:  # noqa: ANN401 - JSON.
    answer = await client.post(path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def opens(api: Settings, key: str) -> int:
    async with caller(api, key) as program:
        return (await program.get("/api/v1/invoices")).status_code


async def asked(client: httpx.AsyncClient, query: str) -> Any:  # noqa: ANN401 - JSON.
    answer = await client.post("/graphql", json={"query": query})
    assert "errors" not in answer.json(), answer.text
    return answer.json()["data"]


async def test_a_key_is_made_used_rotated_and_revoked(
    api: Settings, runtime: Runtime, client: httpx.AsyncClient
) -> None:
    made = await post(client, KEYS, {**TILL, "networks": ["127.0.0.0/8"]})
    assert await opens(api, made["secret"]) == 200
    one = f"{KEYS}/{made['key']}"
    rotated = await post(client, f"{one}/rotate", {"overlap_hours": 1})
    assert [await opens(api, each["secret"]) for each in (made, rotated)] == [200, 200]
    await until_projected(runtime, SYSTEM_TENANT, rotated["position"])
    listed = (await client.get(one)).json()
    assert listed["name"] == "till"
    assert listed["networks"] == ["127.0.0.0/8"]
    assert datetime.fromisoformat(listed["former_until"])
    assert made["secret"].rpartition("_")[2] not in str(listed)
    late = {"If-Match": f'"{made["position"]}-{"0" * 32}"'}
    assert (await client.post(f"{one}/revoke", headers=late)).status_code == 412
    revoked = await post(client, f"{one}/revoke", {}, 200)
    assert [each["type"] for each in revoked["events"]] == ["ApiKeyRevoked"]
    assert (await post(client, f"{one}/revoke", {}, 200))["events"] == []
    await until_projected(runtime, SYSTEM_TENANT, revoked["position"])
    assert (await client.get(one)).json()["revoked"] is True


async def test_a_key_of_another_network_opens_nothing(
    api: Settings, client: httpx.AsyncClient
) -> None:
    made = await post(client, KEYS, {**TILL, "networks": ["192.0.2.0/24"]})
    assert await opens(api, made["secret"]) == 401


async def test_a_key_is_made_and_rotated_over_graphql(
    api: Settings, runtime: Runtime, client: httpx.AsyncClient
) -> None:
    given = f'{{name: "till", permissions: ["{READ}"], neverExpires: true}}'
    fields = "{ key secret secretId position }"
    made = (await asked(client, f"mutation {{ createApiKey(input: {given}) {fields} }}"))[
        "createApiKey"
    ]
    again = f'mutation {{ rotateApiKey(input: {{key: "{made["key"]}"}}) {fields} }}'
    rotated = (await asked(client, again))["rotateApiKey"]
    assert [await opens(api, each["secret"]) for each in (made, rotated)] == [200, 200]
    await until_projected(runtime, SYSTEM_TENANT, int(rotated["position"]))
    keys = "apiKeys(first: 9) { nodes { id name expiresAt secretId } }"
    found = await asked(client, f"{{ {keys} apiKeyUses(first: 9) {{ key address }} }}")
    known = {each["id"]: each for each in found["apiKeys"]["nodes"]}
    assert known[made["key"]]["secretId"] == rotated["secretId"]


async def test_a_key_is_shown_to_whoever_asked_first(client: httpx.AsyncClient) -> None:
    once = {"Idempotency-Key": "make a till"}
    first = await client.post(KEYS, json=TILL, headers=once)
    again = await client.post(KEYS, json=TILL, headers=once)
    assert first.json()["key"] == again.json()["key"]
    assert first.json()["secret"].startswith(f"ask_{first.json()['key']}_")
    assert "secret" not in again.json()


async def test_a_program_acts_by_the_roles_of_its_account(
    api: Settings, client: httpx.AsyncClient
) -> None:
    accounts = "/api/v1/service-accounts"
    account = (await post(client, accounts, {"name": "till", "roles": ["auditor"]}))[
        "service_account"
    ]
    made = await post(client, KEYS, {"name": "till", "service_account": account})
    assert await opens(api, made["secret"]) == 200
    suspended = await post(client, f"{accounts}/{account}/suspend", {}, 200)
    listed = await client.get(f"{accounts}/{account}?at_least={suspended['position']}")
    assert (listed.json()["roles"], listed.json()["suspended"]) == (["auditor"], True)


@pytest.mark.parametrize("act", ["rotate", "revoke"])
async def test_the_key_of_another_company_is_as_one_that_is_not_there(
    api: Settings, client: httpx.AsyncClient, other: Tenant, act: str
) -> None:
    answers = [
        await post(client, f"{KEYS}/{key}/{act}", {}, 409) for key in (other.key_id, NOBODYS)
    ]
    for answer, key in zip(answers, (other.key_id, NOBODYS), strict=True):
        answer["detail"] = answer["detail"].replace(key, "")
        answer["instance"] = ""
    assert answers[0] == answers[1]
    assert answers[0]["code"] == "access.key_absent"
    assert await opens(api, other.key) == 200
    assert other.key_id not in (await client.get(KEYS)).text


async def test_nobody_gives_by_a_key_what_they_lack(api: Settings, runtime: Runtime) -> None:
    lesser = await make_tenant(runtime, ("access.key.create", READ))
    async with caller(api, lesser.key) as client:
        assert (await post(client, KEYS, TILL))["secret"]
        greater = {"name": "x", "permissions": ["invoicing.invoice.issue"]}
        refused = await post(client, KEYS, greater, 409)
        assert refused["code"] == "access.not_yours_to_give"


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": NOBODYS},
        {"secret": "mine"},
        {"secret_id": NOBODYS},
        {"permissions": ["invoicing"]},
        {"permissions": [f"{READ}\n"]},
        {"name": "x" * 101},
        {"name": ""},
        {"networks": ["192.0.2.0/24"] * 21},
        {"expires_at": "2099-01-01T00:00:00"},
        {"expires_at": "tomorrow"},
        {"issue": {}},
    ],
    ids=lambda wrong: next(iter(wrong)) if isinstance(wrong, dict) else None,
)
async def test_what_can_not_be_a_key_is_said_to_be_wrong(
    client: httpx.AsyncClient, wrong: dict[str, object]
) -> None:
    refused = await post(client, KEYS, {**TILL, **wrong}, 400)
    assert refused["code"] in {"input.invalid", "http.bad_request", "input.control_character"}
