"""Documents by their hash: taught by clients, or listed by an operator."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from graphql import get_introspection_query
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from adapters.graphql.limits import persisted
from adapters.graphql.limits.persisted import Taught
from adapters.redis.connections import make_redis
from adapters.runtime import Runtime
from application.access import READ_SCHEMA, SEND_DOCUMENTS
from domain.ids import TenantId
from tests.graphql.client import Client, audited
from tests.graphql.served import served
from tests.rest.api import make_tenant

SLUG = "{ tenant { slug } }"
TRANSPORT_WS = Subprotocol("graphql-transport-ws")
NOT_FOUND = "PERSISTED_QUERY_NOT_FOUND"
ONE, TWO = TenantId(str(uuid4())), TenantId(str(uuid4()))


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def named(text: str) -> dict[str, Any]:
    return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest(text)}}}


async def told(client: Client, asked: dict[str, Any]) -> dict[str, Any]:
    answer = await client.http.post(client.url, json=asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_client_teaches_a_document_and_then_names_it_by_its_hash(client: Client) -> None:
    query = f"query Named{client.tenant.slug.replace('-', '')} {SLUG}"
    error = (await told(client, named(query)))["errors"][0]
    assert error["message"] == "PersistedQueryNotFound"
    assert error["extensions"]["code"] == NOT_FOUND
    slug = {"tenant": {"slug": client.tenant.slug}}
    assert (await told(client, {"query": query, **named(query)}))["data"] == slug
    assert (await told(client, named(query)))["data"] == slug
    extensions = json.dumps(named(query)["extensions"])
    by_address = await client.http.get(client.url, params={"extensions": extensions})
    assert by_address.json()["data"] == slug


async def test_a_stream_and_a_socket_take_documents_by_their_hash_too(client: Client) -> None:
    query = f"query Streamed{client.tenant.slug.replace('-', '')} {SLUG}"
    accept = {"Accept": "text/event-stream"}
    unknown = await client.http.post(client.url, json=named(query), headers=accept)
    assert NOT_FOUND in unknown.text
    await told(client, {"query": query, **named(query)})
    known = await client.http.post(client.url, json=named(query), headers=accept)
    assert client.tenant.slug in known.text
    assert '"cost":{"requested":2' in known.text
    async with connect(client.url.replace("http", "ws", 1), subprotocols=[TRANSPORT_WS]) as talk:
        await talk.send(json.dumps({"type": "connection_init", "payload": client.headers}))
        await talk.recv()
        await talk.send(json.dumps({"type": "subscribe", "id": "1", "payload": named(query)}))
        answer = json.loads(await talk.recv())
    assert answer["payload"]["data"] == {"tenant": {"slug": client.tenant.slug}}
    assert answer["payload"]["extensions"]["cost"]["requested"] == 2


async def test_what_one_process_was_taught_all_know(runtime: Runtime) -> None:
    text = f"{{ tenant {{ id }} }} # {runtime.clock.now()}"
    assert await Taught(runtime.redis).find(ONE, digest(text)) is None
    await Taught(runtime.redis).teach(ONE, digest(text), text)
    assert await Taught(runtime.redis).find(ONE, digest(text)) == text


async def test_what_one_tenant_taught_another_does_not_know(runtime: Runtime) -> None:
    text = f"{{ tenant {{ id }} }} # {runtime.clock.now()}"
    taught = Taught(runtime.redis)
    await taught.teach(ONE, digest(text), text)
    assert await taught.find(TWO, digest(text)) is None
    await taught.teach(TWO, digest(text), text)
    assert await Taught(runtime.redis).find(TWO, digest(text)) == text
    assert await Taught(runtime.redis).find(ONE, digest(text)) == text


async def test_a_document_that_may_not_run_is_not_taught(client: Client) -> None:
    wrong = f"{{ nothing }} # {client.tenant.slug}"
    await told(client, {"query": wrong, **named(wrong)})
    error = (await told(client, named(wrong)))["errors"][0]
    assert error["extensions"]["code"] == NOT_FOUND


async def test_a_hash_of_another_text_teaches_nothing(client: Client) -> None:
    answer = await client.http.post(client.url, json={"query": SLUG, **named("{ __typename }")})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"]["code"] == "graphql.wrong_hash"


@pytest.mark.parametrize("given", [1, {}, {"version": 2, "sha256Hash": "x"}, {"version": "1"}])
async def test_another_protocol_is_refused(client: Client, given: object) -> None:
    asked = {"query": SLUG, "extensions": {"persistedQuery": given}}
    answer = await client.http.post(client.url, json=asked)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"]["code"] == "graphql.bad_persisted_query"


async def test_the_longest_unused_is_forgotten_where_there_are_too_many(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(persisted, "TAUGHT", "asiento:test:documents")
    monkeypatch.setattr(persisted, "TAUGHT_AT", "asiento:test:documents:used")
    monkeypatch.setattr(persisted, "TAUGHT_OF", "asiento:test:documents:of")
    monkeypatch.setattr(persisted, "TAUGHT_MAX", 3)
    for text in "abcde":
        await Taught(runtime.redis).teach(ONE, digest(text), text)
    kept = [text for text in "abcde" if await Taught(runtime.redis).find(ONE, digest(text))]
    assert kept == ["c", "d", "e"]
    assert await runtime.redis.hlen(persisted.TAUGHT) == 3


async def test_without_redis_a_document_is_sent_whole() -> None:
    gone = make_redis("redis://127.0.0.1:1/0")
    taught = Taught(gone)
    assert await taught.find(ONE, digest(SLUG)) is None
    await taught.teach(ONE, digest(SLUG), SLUG)
    assert await taught.find(ONE, digest(SLUG)) == SLUG
    await gone.aclose()


@pytest.fixture(params=["folder", "file"])
def listing(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """List one document, in a folder or in a file."""
    if request.param == "folder":
        (tmp_path / "app").mkdir()
        (tmp_path / "app" / "slug.graphql").write_text(SLUG)
        return tmp_path
    (tmp_path / "documents.json").write_text(json.dumps({"any": SLUG}))
    return tmp_path / "documents.json"


async def test_only_what_is_listed_runs(runtime: Runtime, url: str, listing: Path) -> None:
    may = tuple(each for each in audited() if each != SEND_DOCUMENTS)
    tenant = await make_tenant(runtime, may)
    async with served(runtime, tenant, graphql_documents=listing) as client:
        assert (await told(client, named(SLUG)))["data"] == {"tenant": {"slug": tenant.slug}}
        assert (await client.data(SLUG))["tenant"]
        error = await client.error("{ tenant { id } }")
        assert error["code"] == "graphql.not_listed"
        assert SEND_DOCUMENTS in error["hint"]
        accept = {"Accept": "text/event-stream"}
        asked = {"query": "subscription { events { type } }"}
        streamed = await client.http.post(client.url, json=asked, headers=accept)
        assert "graphql.not_listed" in streamed.text
    async with Client(url, tenant) as elsewhere:
        assert await elsewhere.data("{ tenant { id } }")


async def test_who_has_the_permission_sends_any_document(
    runtime: Runtime, client: Client, listing: Path
) -> None:
    async with served(runtime, client.tenant, graphql_documents=listing) as free:
        assert await free.data("{ tenant { id } }")


async def test_a_list_that_cannot_be_read_is_told(runtime: Runtime, tmp_path: Path) -> None:
    tenant = await make_tenant(runtime, ())
    async with served(runtime, tenant, graphql_documents=tmp_path / "absent.json") as client:
        answer = await client.http.post(client.url, json={"query": SLUG})
    assert answer.status_code == 503
    assert answer.json()["errors"][0]["extensions"]["code"] == "graphql.bad_document_list"


async def test_the_schema_may_be_for_owners_alone(runtime: Runtime, client: Client) -> None:
    tenant = await make_tenant(runtime, ("jobs.job.read",))
    hidden = {"graphql_introspection": False}
    async with served(runtime, tenant, **hidden) as guest:
        for query in (get_introspection_query(), '{ ... { __type(name: "Job") { name } } }'):
            error = await guest.error(query)
            assert error["code"] == "graphql.introspection_off"
            assert READ_SCHEMA in error["hint"]
        assert await guest.data("{ __typename }")
    async with served(runtime, client.tenant, **hidden) as owner:
        assert (await owner.data(get_introspection_query()))["__schema"]
