"""What a request costs is known before it runs, is told, and is bounded."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.graphql.limits.documents import Documents
from adapters.graphql.schema import documents, schema
from adapters.runtime import Runtime
from tests.graphql.client import Client
from tests.graphql.served import served

PAGE = "query ($n: Int) { invoices(first: $n) { nodes { number lines { amount } } } }"


def cost(query: str, variables: dict[str, object], name: str | None = None) -> int:
    document = documents().get(query)
    assert not document.errors, document.errors
    operation = document.operation(name)
    assert operation
    return operation.cost.of(variables)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{ __typename }", 1),
        ("{ tenant { id name } }", 3),
        # The list and `nodes` once, and then each row.
        ("{ invoices(first: 3) { nodes { id number } } }", 2 + 3 * 2),
        ("{ invoices(first: 3) { edges { cursor node { id } } } }", 2 + 3 * 3),
        ("{ invoices(first: 3) { pageInfo { endCursor } totalCount } }", 1 + 2 + 100),
        # A list that takes no `first` counts for 10.
        ("{ invoices(first: 3) { nodes { lines { amount } } } }", 2 + 3 * (1 + 10)),
        ("{ projections { name lag } }", 1 + 10 * 2),
        ('{ history(model: "Invoice", id: "x", first: 5) { nodes { type } } }', 2 + 5),
        ('{ webhookDeadLetters(endpoint: "x", first: 5) { position } }', 1 + 5),
        ('{ invoice(id: "x", asOf: "1") { id } }', 102),
        ('{ invoice(id: "x", asOf: null) { id } }', 2),
        ("{ tenant { id name @skip(if: true) } a: tenant @include(if: false) { id } }", 2),
        ("{ __schema { types { name fields { name } } } }", 10),
        ('mutation { cancelJob(input: {job: "x"}) { position events { type } } }', 10 + 2 + 10),
    ],
)
def test_an_operation_costs_rows_by_fields(query: str, expected: int) -> None:
    assert cost(query, {}) == expected


@pytest.mark.parametrize(
    ("variables", "rows"),
    [({"n": 3}, 3), ({"n": 0}, 0), ({}, 10), ({"n": None}, 10), ({"n": "x"}, 10)],
)
def test_a_variable_says_how_many_rows_there_are(variables: dict[str, object], rows: int) -> None:
    assert cost(PAGE, variables) == 2 + rows * (2 + 10)


def test_a_default_of_the_document_counts_where_a_variable_is_left_out() -> None:
    query = "query ($n: Int = 7, $all: Boolean = false) { invoices(first: $n) {"
    query += " nodes { id number @include(if: $all) due @skip(if: $all) } } }"
    assert cost(query, {}) == 2 + 7 * 2
    assert cost(query, {"n": 2, "all": True}) == 2 + 2 * 2


def test_a_fragment_costs_what_stands_where_it_is_spread() -> None:
    fragments = "fragment Page on InvoiceConnection { nodes { ...Row } totalCount }"
    fragments += " fragment Row on Invoice { number lines { ... { amount } } }"
    spread = f"query ($n: Int) {{ invoices(first: $n) {{ ...Page }} }} {fragments}"
    plain = "query ($n: Int) { invoices(first: $n) {"
    plain += " nodes { number lines { amount } } totalCount } }"
    assert cost(spread, {"n": 4}) == cost(plain, {"n": 4})


def test_each_operation_of_a_document_has_its_own_cost() -> None:
    query = "query A { ...F } query B($n: Int) { ...F invoices(first: $n) { nodes { id } } }"
    query += " fragment F on Query { tenant { id } }"
    assert cost(query, {}, "A") == 2
    assert cost(query, {"n": 5}, "B") == 2 + 7


@given(st.integers(0, 100), st.integers(1, 12))
def test_what_fragments_multiply_is_worked_out_in_one_pass(rows: int, depth: int) -> None:
    spreads = "".join(
        f"fragment F{n} on Query {{ ...F{n + 1} ... @include(if: $on) {{ ...F{n + 1} }} }} "
        for n in range(depth)
    )
    page = "invoices(first: $n) { nodes { id } }"
    query = f"query ($n: Int, $on: Boolean!) {{ ...F0 }} {spreads} fragment F{depth} on Query"
    query += f" {{ {page} }}"
    document = documents().get(query)
    if depth <= 5:  # Beyond, it has more root fields than a document may have.
        assert not document.errors, document.errors
        assert cost(query, {"n": rows, "on": True}) == 2**depth * (2 + rows)
        assert cost(query, {"n": rows, "on": False}) == 2 + rows


def test_a_document_that_is_known_costs_next_to_nothing_to_measure() -> None:
    cost(PAGE, {"n": 50})
    began = time.process_time()
    for _ in range(2_000):
        cost(PAGE, {"n": 50})
    assert (time.process_time() - began) / 2_000 < 100e-6


def test_documents_are_forgotten_where_they_are_too_many() -> None:
    known = Documents(schema()._schema, tokens_max=15)
    first = known.get("{ tenant { id } }")
    assert known.get(first.text) is first
    known.get("{ tenant { id name slug country } __typename }")
    known.get("{ __typename }")
    assert known.get(first.text) is not first


async def test_every_answer_says_what_it_cost(client: Client) -> None:
    told = await client.ask(PAGE, n=5)
    assert told["extensions"]["cost"]["requested"] == 62
    assert told["extensions"]["cost"]["limit"] == 200_000
    assert told["extensions"]["cost"]["remaining"] > 0


async def test_a_large_page_may_be_asked_for(client: Client) -> None:
    fields = " ".join(f"f{n}: number" for n in range(30))
    lines = " ".join(f"l{n}: lines {{ description quantity unitPrice }}" for n in range(5))
    assert await client.data(f"{{ invoices(first: 100) {{ nodes {{ {fields} {lines} }} }} }}")


async def test_what_costs_too_much_is_refused_before_it_is_run(
    runtime: Runtime, client: Client
) -> None:
    async with served(runtime, client.tenant, graphql_cost_max=61) as poor:
        error = await poor.error(PAGE, n=5)
        assert error["code"] == "graphql.too_costly"
        assert "62" in error["message"]
        assert "61" in error["message"]
        assert "first" in error["hint"]
        assert await poor.data(PAGE, n=4) == {"invoices": {"nodes": []}}


async def test_a_page_of_a_billion_rows_is_too_costly(client: Client) -> None:
    assert (await client.error(PAGE, n=2**31 - 1))["code"] == "graphql.too_costly"
