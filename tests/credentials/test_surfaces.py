"""Credentials over REST and GraphQL: they go in, and all but the secret comes out."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from adapters.settings import Settings
from tests.rest.api import Tenant, api_process, caller, free_port, make_tenant, projecting

MARK = "c4nary-5ecret"
LIST = """
query ($before: DateTime, $position: Position) {
  credentials(first: 10, filter: {expiresAt: {lt: $before}}, atLeast: $position) {
    nodes { id kind version fingerprint expiresAt status lastUsedAt lastUsedFor }
  }
}
"""


@pytest.fixture(scope="module")
def api(settings: Settings) -> Iterator[Settings]:
    chosen = replace(settings, port=free_port())
    with api_process(chosen, chosen.data / "api.log"):
        yield chosen


@pytest.fixture
async def tenant(settings: Settings) -> AsyncIterator[Tenant]:
    async with projecting(settings) as runtime:
        yield await make_tenant(runtime)


@pytest.fixture
async def client(api: Settings, tenant: Tenant) -> AsyncIterator[httpx.AsyncClient]:
    async with caller(api, tenant.key) as client:
        yield client


async def store(client: httpx.AsyncClient, name: str, **given: object) -> dict[str, Any]:
    about = {"credential": name, "kind": "generic", "secret": MARK, **given}
    answer = await client.post("/api/v1/credentials", json=about)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_all_but_the_secret_is_read_back(client: httpx.AsyncClient) -> None:
    made = await store(client, "word")
    listed = await client.get("/api/v1/credentials", params={"at_least": made["position"]})
    (row,) = listed.json()["items"]
    assert row.pop("fingerprint")
    assert row == {
        "credential": "word",
        "kind": "generic",
        "version": 1,
        "expires_at": None,
        "status": "active",
        "last_used_at": None,
        "last_used_for": None,
    }


async def test_graphql_lists_what_expires(client: httpx.AsyncClient) -> None:
    now = datetime.now(UTC)
    await store(client, "later", expires_at=(now + timedelta(days=90)).isoformat())
    made = await store(client, "soon", expires_at=(now + timedelta(days=5)).isoformat())
    before = (now + timedelta(days=30)).isoformat()
    variables = {"before": before, "position": str(made["position"])}
    answer = await client.post("/graphql", json={"query": LIST, "variables": variables})
    (node,) = answer.json()["data"]["credentials"]["nodes"]
    assert (node["id"], node["version"]) == ("soon", 1)


async def test_a_credential_is_rotated_and_revoked_over_rest(client: httpx.AsyncClient) -> None:
    await store(client, "word")
    place = "/api/v1/credentials/word"
    for path, given, event in (
        ("rotate", {"kind": "generic", "secret": "another"}, "CredentialRotated"),
        ("revoke", {}, "CredentialRevoked"),
    ):
        answer = await client.post(f"{place}/{path}", json=given)
        assert [each["type"] for each in answer.json()["events"]] == [event], answer.text
    gone = await client.post(f"{place}/rotate", json={"kind": "generic", "secret": "x"})
    assert (gone.status_code, gone.json()["code"]) == (409, "credentials.revoked")


async def test_nobody_says_that_a_credential_was_used(client: httpx.AsyncClient) -> None:
    await store(client, "word")
    answer = await client.post("/api/v1/credentials/word/use", json={"purpose": "x"})
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"kind": "smtp"}, "credentials.bad_secret"),
        ({"kind": "nothing"}, "input.invalid"),
        ({"credential": "A name"}, "input.invalid"),
        ({"credential": "a\n"}, "input.invalid"),
        ({"secret": ""}, "input.invalid"),
        ({"secret": MARK * 10_000}, "input.invalid"),
        ({"secret": f"{MARK}\x01"}, "credentials.bad_secret"),
        ({"secret": {"word": MARK}}, "input.invalid"),
    ],
)
async def test_what_can_not_be_a_credential_is_refused_without_being_shown(
    client: httpx.AsyncClient, given: dict[str, object], code: str
) -> None:
    about = {"credential": "word", "kind": "generic", "secret": MARK, **given}
    answer = await client.post("/api/v1/credentials", json=about)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert MARK not in answer.text


async def test_another_tenant_neither_sees_nor_changes_it(
    api: Settings, client: httpx.AsyncClient, settings: Settings
) -> None:
    await store(client, "word")
    async with projecting(settings) as runtime:
        stranger = await make_tenant(runtime)
    async with caller(api, stranger.key) as other:
        assert (await other.get("/api/v1/credentials/word")).status_code == 404
        assert (await other.get("/api/v1/credentials")).json()["items"] == []
        answer = await other.post("/api/v1/credentials/word/revoke", json={})
        assert answer.json()["code"] == "credentials.absent"


async def test_metrics_count_what_expires(api: Settings, client: httpx.AsyncClient) -> None:
    await store(client, "counted")
    async with caller(api) as nobody:
        text = (await nobody.get("/metrics")).text
    assert 'asiento_credentials{expiry="soon"}' in text
    assert "counted" not in text
