"""What the surface refuses before it does anything, and what it says of its own failures."""

import time
from functools import reduce
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

JSON = "application/json"
NESTED: object = reduce(lambda inner, _: [inner], range(400), cast("Any", 1))
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
    ("query", "code", "number"),
    [
        ("{ " + "tenant { " * 20 + "id" + " }" * 20 + " }", "too_deep", "21"),
        (
            "{ tenant { " + " ".join(f"a{n}: id" for n in range(101)) + " } }",
            "too_many_aliases",
            "101",
        ),
        ("{ " + "tenant { id } " * 51 + "}", "too_many_root_fields", "51"),
        ("{ tenant { " + "id " * 201 + "} }", "too_many_selections", "201"),
        ("{ tenant { id " + "@include(if: true) " * 5 + "} }", "too_many_directives", "5"),
        (
            "{ tenant { id @skip(if: false) " + "name @skip(if: false) " * 100 + "} }",
            "too_many_directives",
            "101",
        ),
        ("{ " + "tenant { id } " * 2_000 + "}", "too_many_tokens", "8,002"),
        ("{ " + "tenant { id } " * 5_000 + "}", "too_many_tokens", "more than 10,000"),
        ("{ tenant { id } }" + " " * 100_000, "document_too_long", "100,017"),
        (
            "{ ...F0 } "
            + " ".join(f"fragment F{n} on Query {{ a: __typename }}" for n in range(101)),
            "too_many_fragments",
            "101",
        ),
        (" ".join(f"query Q{n} {{ __typename }}" for n in range(21)), "too_many_operations", "21"),
    ],
)
async def test_a_document_past_a_limit_is_refused_with_the_numbers(
    client: Client, query: str, code: str, number: str
) -> None:
    error = await client.error(query)
    assert error["code"] == f"graphql.{code}"
    assert number in error["message"]
    assert error["hint"]


@pytest.mark.parametrize(
    "query",
    [
        "query A { ...F } fragment F on Query { ...F }",
        "query A { ...F } fragment F on Query { ...G } fragment G on Query { ...F }",
        "query A { ...Missing }",
        "fragment F on Query { __typename }",
        "{ tenant { nothing } }",
        "{ tenant { id }",
        "{ a(x: " + "[" * 2_000 + "]" * 2_000 + ") }",
        "{ " + "a { " * 1_000 + "b" + " }" * 1_000 + " }",
        "{ __schema { types { " + "fields { type { " * 3 + "name" + " } }" * 3 + " } } }",
    ],
)
async def test_a_document_that_is_not_valid_is_refused(client: Client, query: str) -> None:
    error = await client.error(query)
    assert error["code"] == "graphql.invalid"
    assert error["hint"]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ([1] * 50_001, "graphql.list_too_long"),
        ([[1] * 30_000] * 2, "graphql.list_too_long"),
        (NESTED, "graphql.too_deep"),
    ],
)
async def test_variables_past_a_limit_are_refused(client: Client, value: object, code: str) -> None:
    query = 'mutation ($x: [JSON!]!) { ingestRows(input: {batch: "b", rows: $x}) { job } }'
    error = await client.error(query, x=value)
    assert error["code"] == code
    assert error["hint"]


async def test_the_largest_documents_are_validated_in_bounded_time(client: Client) -> None:
    wide = "{ invoices { nodes { " + "customer { name } " * 199 + "} } }"
    began = time.perf_counter()
    for query in (
        wide,
        "{ invoices { nodes { " + ("lines { " + "amount " * 199 + "} ") * 20 + "} } }",
    ):
        await client.ask(query)
    assert time.perf_counter() - began < 10


async def test_fragments_that_double_each_other_cost_nothing(client: Client) -> None:
    spreads = "".join(
        f"fragment F{n} on Query {{ a: tenant {{ id }} ...F{n + 1} ...F{n + 1} }} "
        for n in range(90)
    )
    began = time.perf_counter()
    error = await client.error(f"{{ ...F0 }} {spreads} fragment F90 on Query {{ tenant {{ id }} }}")
    assert error["code"] == "graphql.too_many_aliases"
    assert "more than 200" in error["message"]
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        ("{", JSON, 400),
        ("[]", JSON, 400),
        ("{}", JSON, 400),
        ('{"query": 1}', JSON, 400),
        (b'{"query": "\xff"}', JSON, 400),
        ('{"query": "{ __typename }"}', "text/plain", 400),
        ('{"query": "subscription { events { type } }"}', JSON, 400),
        ('{"query": ""}', JSON, 400),
        ('{"query": "{ __typename }", "variables": {"a": NaN}}', JSON, 400),
        ('{"query": "{ __typename }", "variables": {"a": 1e9999999999999999999}}', JSON, 400),
        ('{"query": "{ __typename }", "variables": {"a": ' + "9" * 5_000 + "}}", JSON, 400),
        ('{"variables": {"a": ' + "[" * 5_000 + "]" * 5_000 + "}}", JSON, 400),
        (b" " * (BODY_BYTES_MAX + 1), JSON, 413),
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
            if name == "read_pool":
                raise ZeroDivisionError("a secret")
            return getattr(runtime, name)

    app = Litestar([*graphql_handlers()], state=State({"runtime": Broken()}), openapi_config=None)
    transport = httpx.ASGITransport(app=cast("Any", app))
    async with httpx.AsyncClient(transport=transport, headers=client.headers) as http:
        query = {"query": "{ tenant { id } }"}
        answer = (await http.post("http://x/graphql", json=query)).json()
    error = answer["errors"][0]
    assert error["extensions"]["code"] == "internal"
    assert "secret" not in str(answer)


async def test_the_same_document_is_answered_from_the_caches(client: Client) -> None:
    assert await client.data(PING) == await client.data(PING)


def test_the_committed_schema_is_current() -> None:
    committed = (ROOT / "docs" / "schema.graphql").read_text(encoding="utf-8")
    assert committed == sdl(), "Run python -m adapters.graphql.sdl docs/schema.graphql."
