"""Several requests in one body, and queries in an address."""

import json

import pytest

from adapters.runtime import Runtime
from tests.graphql.client import Client
from tests.graphql.served import served

MUTATION = 'mutation { cancelJob(input: {job: "x"}) { position } }'


async def test_requests_in_an_array_are_answered_in_an_array(client: Client) -> None:
    asked = [
        {"query": "{ tenant { slug } }"},
        {"query": "{ nothing }"},
        {"query": "query A { __typename } query B { __typename }"},
        {
            "query": "query ($n: Int) { invoices(first: $n) { nodes { id } } }",
            "variables": {"n": 2},
        },
    ]
    answer = await client.http.post(client.url, json=asked)
    assert answer.status_code == 200
    slug, invalid, nameless, page = answer.json()
    assert slug["data"] == {"tenant": {"slug": client.tenant.slug}}
    assert invalid["errors"][0]["extensions"]["code"] == "graphql.invalid"
    assert nameless["errors"][0]["extensions"]["code"] == "graphql.bad_operation"
    assert page["extensions"]["cost"]["requested"] == 4


async def test_an_array_holds_no_more_than_it_may(runtime: Runtime, client: Client) -> None:
    async with served(runtime, client.tenant, graphql_batch_max=2) as bounded:
        body = [{"query": "{ __typename }"}] * 3
        answer = await bounded.http.post(bounded.url, json=body)
        assert answer.status_code == 400
        error = answer.json()["errors"][0]
        assert error["extensions"]["code"] == "graphql.batch_too_large"
        assert "3" in error["message"]
        assert (await bounded.http.post(bounded.url, json=body[:2])).is_success


async def test_each_request_of_an_array_is_paid_for(runtime: Runtime, client: Client) -> None:
    of = {"graphql_budget_per_second": 1, "graphql_cost_max": 10}
    async with served(runtime, client.tenant, **of) as poor:
        body = [{"query": "{ tenant { id name slug } }"}] * 4
        answers = (await poor.http.post(poor.url, json=body)).json()
    assert ["errors" in each for each in answers] == [False, False, True, True]
    assert answers[3]["errors"][0]["extensions"]["code"] == "graphql.budget_spent"


async def test_a_query_may_stand_in_the_address(client: Client) -> None:
    asked = {
        "query": "query Q($n: Int) { invoices(first: $n) { nodes { id } } } query R { __typename }",
        "operationName": "Q",
        "variables": json.dumps({"n": 3}),
    }
    answer = await client.http.get(client.url, params=asked)
    assert answer.json()["data"] == {"invoices": {"nodes": []}}
    assert answer.json()["extensions"]["cost"]["requested"] == 5
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("query", [MUTATION, "subscription { events { type } }"])
async def test_nothing_is_changed_by_an_address(client: Client, query: str) -> None:
    answer = await client.http.get(client.url, params={"query": query})
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert answer.json()["errors"][0]["extensions"]["code"] == "graphql.not_by_get"


@pytest.mark.parametrize(
    "given", [{}, {"query": ""}, {"query": "{ __typename }", "variables": "["}]
)
async def test_an_address_of_another_shape_is_refused(
    client: Client, given: dict[str, str]
) -> None:
    answer = await client.http.get(client.url, params=given)
    assert answer.status_code == 400


async def test_an_address_needs_a_credential_too(client: Client) -> None:
    headers = {"Authorization": ""}
    answer = await client.http.get(client.url, params={"query": "{ __typename }"}, headers=headers)
    assert answer.status_code == 401
