"""Values lose no digit and are what they say, in the document and beside it."""

from decimal import Decimal
from typing import Any

import pytest
from graphql import GraphQLError, parse_value
from hypothesis import given
from hypothesis import strategies as st

from adapters.graphql.scalars import read_decimal, read_json, read_json_literal, write_decimal
from adapters.graphql.schema import schema
from tests.graphql.client import Client

DIGITS = "12345678901234.123456789012345678901234567891"
LINE = r"description: \"a\", quantity: $d, unitPrice: 0, taxRate: 0"
DRAFT = "mutation ($d: Decimal!) { draftInvoice(input: {lines: [{%s}]}) { invoice position } }"
DRAFTED = """
query ($id: ID!, $at: Position) { invoice(id: $id, atLeast: $at) { lines { quantity } } }
"""


def scalar(name: str) -> Any:  # noqa: ANN401 - the library's.
    return schema()._schema.get_type(name)


@pytest.mark.parametrize("literal", [DIGITS, f'"{DIGITS}"'])
def test_a_decimal_keeps_every_digit_of_a_literal(literal: str) -> None:
    assert scalar("Decimal").parse_literal(parse_value(literal)) == Decimal(DIGITS)


@pytest.mark.parametrize("number", [f'"{DIGITS}"', DIGITS])
async def test_a_decimal_keeps_every_digit_of_a_variable(client: Client, number: str) -> None:
    body = f'{{"query": "{DRAFT % LINE}", "variables": {{"d": {number}}}}}'
    headers = {"content-type": "application/json"}
    answer = await client.http.post(client.url, content=body, headers=headers)
    made = answer.json()["data"]["draftInvoice"]
    drafted = await client.data(DRAFTED, id=made["invoice"], at=made["position"])
    assert drafted["invoice"]["lines"] == [{"quantity": DIGITS}]


@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "-Infinity", "1e5", "", "1,5", "\u0661", True, [], None]
)
def test_what_is_no_decimal_is_refused(value: object) -> None:
    with pytest.raises(GraphQLError):
        read_decimal(value)


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity"), Decimal("1e400"), 0.5])
def test_a_decimal_is_finite_and_never_came_through_a_float(value: object) -> None:
    with pytest.raises(GraphQLError):
        read_decimal(value)


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=9
    )
)
def test_a_decimal_comes_back_as_it_went(value: Decimal) -> None:
    assert read_decimal(write_decimal(value)) == value


@pytest.mark.parametrize(
    ("name", "literal"),
    [
        ("Decimal", "NaN"),
        ("Decimal", "1e5000"),
        ("Decimal", "true"),
        ("Position", "-1"),
        ("Position", "1.0"),
        ("Position", '"1 "'),
        ("Long", "9007199254740993"),
        ("Long", "1.5"),
        ("Long", '"1"'),
        ("Long", "9" * 5000),
        ("Date", '"2026-02-30"'),
        ("Date", "20260101"),
        ("Date", '"2026-01-31T00:00:00Z"'),
        ("DateTime", '"2026-01-31T12:00:00"'),
        ("DateTime", '"2026-01-31"'),
        ("DateTime", "1"),
        ("AsOf", '"yesterday"'),
        ("JSON", "NaN"),
        ("JSON", "[{a: Infinity}]"),
    ],
)
def test_what_is_no_such_value_is_refused(name: str, literal: str) -> None:
    with pytest.raises(GraphQLError):
        scalar(name).parse_literal(parse_value(literal))


def test_json_is_read_from_the_notation_of_the_document() -> None:
    node = parse_value(
        '{a: [1, -2.5, "x", true, null, $v], b: {c: 123456789012345678901234567890}}'
    )
    assert read_json_literal(node, {"v": 7}) == {
        "a": [1, -2.5, "x", True, None, 7],
        "b": {"c": 123456789012345678901234567890},
    }


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (Decimal("0.1"), 0.1),
        (Decimal("1.10"), 1.1),
        (Decimal("0.12345678901234567890"), "0.12345678901234567890"),
        (Decimal("1e400"), "1E+400"),
        ({"a": [Decimal("2.5")]}, {"a": [2.5]}),
    ],
)
def test_json_keeps_the_digits_that_a_double_would_lose(value: object, read: object) -> None:
    assert read_json(value) == read


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), Decimal("NaN"), object(), {"a": [float("inf")]}]
)
def test_json_holds_nothing_that_json_cannot(value: object) -> None:
    with pytest.raises(GraphQLError):
        read_json(value)


def test_scalars_say_what_they_are() -> None:
    for name in ("Decimal", "Date", "DateTime", "Position", "Long", "AsOf", "JSON"):
        assert scalar(name).description
    for name in ("Date", "DateTime", "JSON"):
        assert scalar(name).specified_by_url.startswith("https://www.rfc-editor.org/")


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e3"])
async def test_a_variable_that_is_no_decimal_is_refused(client: Client, value: str) -> None:
    error = await client.error(
        "query ($d: Decimal) { invoices(filter: {due: {eq: $d}}) { totalCount } }", d=value
    )
    assert error["code"] == "graphql.invalid"
    assert "finite" in error["message"]
