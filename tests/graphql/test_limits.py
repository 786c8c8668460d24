"""What the surface refuses before it does anything, and what it says of its own failures."""

import time
from typing import Any, cast

import httpx
import pytest
from graphql import get_introspection_query
from litestar import Litestar
from litestar.datastructures import State

from adapters.graphql.http import BODY_BYTES_MAX, graphql_handlers
from adapters.graphql.sdl import sdl
from adapters.runtime import Runtime
from tests.graphql.client import Client
from tests.house.source import ROOT
from tests.rest.api import make_tenant

PING = "{ tenant { id } }"


async def test_nobody_passes_without_a_credential(url: str) -> None:
    async with httpx.AsyncClient() as http:
        for headers in ({}, {"Authorization": "Bearer ask_nonsense"}, {"Authorization": "Basic x"}):
            answer = await http.post(url, json={"query": "{ __typename }"}, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.json()["errors"][0]["extensions"]["code"] == "access.unauthenticated"


async def test_the_schema_is_told_to_those_who_are_known(client: Client) -> None:
    answer = await client.data(get_introspection_query())
    assert answer["__schema"]["queryType"]["name"] == "Query"


async def test_a_reader_needs_the_permission_of_what_it_reads(runtime: Runtime, url: str) -> None:
    tenant = await make_tenant(runtime, ("jobs.job.read",))
    async with Client(url, tenant) as client:
        assert (await client.data("{ jobs { totalCount } }"))["jobs"]["totalCount"] == 0
        for query in ("{ invoices { totalCount } }", '{ invoice(id: "x", asOf: "1") { id } }'):
            assert (await client.error(query))["code"] == "access.forbidden"


@pytest.mark.parametrize(
    "query",
    [
        "{ " + "tenant { " * 20 + "id" + " }" * 20 + " }",
        "{ " + " ".join(f"a{n}: __typename" for n in range(101)) + " }",
        "{ " + "tenant { id } " * 2_000 + "}",
        "query A { ...F } fragment F on Query { ...F }",
        "query A { ...Missing }",
        "{ tenant { nothing } }",
        "{ tenant { id }",
        "{ __schema { types { " + "fields { type { " * 3 + "name" + " } }" * 3 + " } } }",
    ],
)
async def test_a_document_past_the_limits_is_refused(client: Client, query: str) -> None:
    error = await client.error(query)
    assert error["code"] == "graphql.invalid"
    assert error["hint"]


async def test_fragments_that_double_each_other_cost_nothing(client: Client) -> None:
    spreads = "".join(
        f"fragment F{n} on Query {{ a: tenant {{ id }} ...F{n + 1} ...F{n + 1} }} "
        for n in range(200)
    )
    began = time.perf_counter()
    error = await client.error(
        f"{{ ...F0 }} {spreads} fragment F200 on Query {{ tenant {{ id }} }}"
    )
    assert error["code"] == "graphql.invalid"
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        ("{", "application/json", 400),
        ("[]", "application/json", 400),
        ("{}", "application/json", 400),
        ('{"query": 1}', "application/json", 400),
        (b'{"query": "\xff"}', "application/json", 400),
        ('{"query": "{ __typename }"}', "text/plain", 400),
        ('{"query": "subscription { events { type } }"}', "application/json", 400),
        ('{"query": ""}', "application/json", 400),
        ('{"query": "fragment F on Query { __typename }"}', "application/json", 400),
        (b" " * (BODY_BYTES_MAX + 1), "application/json", 413),
    ],
)
async def test_a_request_of_another_shape_is_refused(
    client: Client, content: str | bytes, content_type: str, status: int
) -> None:
    headers = {"content-type": content_type}
    answer = await client.http.post(client.url, content=content, headers=headers)
    assert answer.status_code == status, answer.text


async def test_a_bug_says_nothing_of_itself(runtime: Runtime, client: Client) -> None:
    class Broken:
        """A runtime whose database can't even be asked."""

        def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - anything of the runtime.
            if name == "settings":
                raise ZeroDivisionError("a secret")
            return getattr(runtime, name)

    app = Litestar([*graphql_handlers()], state=State({"runtime": Broken()}), openapi_config=None)
    transport = httpx.ASGITransport(app=cast("Any", app))
    async with httpx.AsyncClient(transport=transport, headers=client.headers) as http:
        query = {"query": '{ tenant(atLeast: "1") { id } }'}
        answer = (await http.post("http://x/graphql", json=query)).json()
    error = answer["errors"][0]
    assert error["extensions"]["code"] == "internal"
    assert "secret" not in str(answer)


async def test_the_same_document_is_answered_from_the_caches(client: Client) -> None:
    assert await client.data(PING) == await client.data(PING)


def test_the_committed_schema_is_current() -> None:
    committed = (ROOT / "docs" / "schema.graphql").read_text(encoding="utf-8")
    assert committed == sdl(), "Run python -m adapters.graphql.sdl docs/schema.graphql."
