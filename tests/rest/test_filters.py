"""Filters over REST: what GraphQL compares by, REST does too, and what has an index is named."""

import httpx
import pytest

from tests.rest.test_commands import drafted
from tests.rest.test_reads import recorded

LIST = "/api/v1/invoices"


async def numbers(client: httpx.AsyncClient, *query: tuple[str, str | int]) -> list[str | None]:
    answer = await client.get(LIST, params=[("order_by", "number"), *query])
    assert answer.status_code == 200, answer.text
    return [row["number"] for row in answer.json()["items"]]


async def test_any_of_some_values(client: httpx.AsyncClient) -> None:
    _, last = await recorded(client, "F-1", "F,2", "F-3")
    of = "filter[number][in]"
    found = await numbers(client, (of, "F-1"), (of, "F,2"), (of, "F-9"), ("at_least", last))
    assert sorted(map(str, found)) == ["F,2", "F-1"]
    assert await numbers(client, (of, "F-3")) == ["F-3"]
    dates = "filter[issued_on][in]"
    assert len(await numbers(client, (dates, "2026-01-02"), (dates, "2026-01-03"))) == 3


async def test_a_part_of_a_text(client: httpx.AsyncClient) -> None:
    _, last = await recorded(client, "F-1", "G-1")
    assert await numbers(client, ("filter[number][contains]", "F-"), ("at_least", last)) == ["F-1"]
    assert await numbers(client, ("filter[number][contains]", "f-")) == []


async def test_what_is_empty(client: httpx.AsyncClient) -> None:
    await recorded(client, "F-1")
    await drafted(client)
    assert await numbers(client, ("filter[number][null]", "true"), ("at_least", 2)) == [None]
    both = [("filter[number][null]", "true"), ("filter[number]", "F-1")]
    answer = await client.get(LIST, params=tuple(both))
    assert (answer.status_code, answer.json()["code"]) == (400, "query.bad_comparison")


@pytest.mark.parametrize("value", ["false", "", "1"])
async def test_only_what_is_empty_can_be_asked_for(client: httpx.AsyncClient, value: str) -> None:
    answer = await client.get(LIST, params={"filter[number][null]": value})
    assert (answer.status_code, answer.json()["code"]) == (400, "input.invalid")
    assert answer.json()["faults"][0]["field"] == "filter[number][null]"


async def test_too_many_values_are_refused(client: httpx.AsyncClient) -> None:
    many = [("filter[number][in]", str(n)) for n in range(101)]
    answer = await client.get(LIST, params=tuple(many))
    assert (answer.status_code, answer.json()["code"]) == (400, "input.invalid")


@pytest.mark.parametrize(
    ("parameter", "code", "hint"),
    [
        ("filter[net]", "query.not_filterable", "number, series"),
        ("filter[net][gt]", "query.not_filterable", "number, series"),
        ("filter[nummer]", "query.unknown_parameter", "number, series"),
        ("filter[number][like]", "query.unknown_parameter", "filter[number][contains]"),
        ("filter[status][gt]", "query.unknown_parameter", "filter[status][in]"),
        ("frist", "query.unknown_parameter", "first"),
    ],
)
async def test_what_there_is_is_named_where_something_is_not(
    client: httpx.AsyncClient, parameter: str, code: str, hint: str
) -> None:
    answer = await client.get(LIST, params={parameter: "1"})
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert hint in answer.json()["hint"]
