"""Lists are walked forward and backward, and it is the same list; compiled or not."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import chain
from typing import Any

import pytest
from graphql import GraphQLEnumType, get_named_type
from strawberry.utils.str_converters import to_camel_case

from adapters.graphql.asking import Asking
from adapters.graphql.documents import core_schema
from adapters.graphql.queries.rows import row_types
from tests.graphql.answers import ask, error_of
from tests.graphql.stocked import Office

LISTS = [to_camel_case(model.name) for model in row_types()]
PAGE = """
query Page($first: Int, $after: String, $last: Int, $before: String) {{
  rows: {name}(first: $first, after: $after, last: $last, before: $before{order}) {{
    nodes {{ id }}
    edges {{ cursor node {{ id }} }}
    pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }}
    totalCount
  }}
}}
"""
ENDS = """
query Ends(
  $first: Int, $after: String, $last: Int, $before: String, $orderBy: InvoiceOrder
) {
  invoices(first: $first, after: $after, last: $last, before: $before, orderBy: $orderBy) {
    pageInfo { startCursor endCursor }
  }
}
"""
ACCOUNT = """
query Page($id: ID!, $first: Int, $after: String, $last: Int, $before: String) {
  parent: customerBalance(id: $id) {
    rows: invoices(
      first: $first, after: $after, last: $last, before: $before, orderBy: NUMBER_DESC
    ) {
      nodes { id }
      edges { cursor node { id } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      totalCount
    }
  }
}
"""
Page = Any  # JSON.
Read = Callable[..., Awaitable[Page]]


def orders_of(name: str) -> list[str | None]:
    query = core_schema().query_type
    assert query is not None
    orders = get_named_type(query.fields[name].args["orderBy"].type)
    assert isinstance(orders, GraphQLEnumType)
    return [None, *orders.values]


def reader(asking: Asking, name: str, order: str | None) -> Read:
    query = PAGE.format(name=name, order=f", orderBy: {order}" if order else "")

    async def read(**page: object) -> Page:
        return (await ask(asking, query, **page))["rows"]

    return read


async def forward(read: Read, size: int) -> list[list[str]]:
    """Follow the cursors from the start to the end; return the ids of each page."""
    pages: list[list[str]] = []
    after: str | None = None
    while True:
        page = await read(first=size, after=after)
        checked(page)
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        pages.append([row["id"] for row in page["nodes"]])
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return pages
        assert len(page["nodes"]) == size


async def backward(read: Read, size: int) -> list[list[str]]:
    """Follow the cursors from the end to the start; each page is in the order of the list."""
    pages: list[list[str]] = []
    before: str | None = None
    while True:
        page = await read(last=size, before=before)
        checked(page)
        assert page["pageInfo"]["hasNextPage"] is (before is not None)
        pages.append([row["id"] for row in page["nodes"]])
        before = page["pageInfo"]["startCursor"]
        if not page["pageInfo"]["hasPreviousPage"]:
            return pages[::-1]
        assert len(page["nodes"]) == size


def checked(page: Page) -> None:
    """A page says of itself what its edges say."""
    cursors = [edge["cursor"] for edge in page["edges"]]
    info = page["pageInfo"]
    assert [edge["node"] for edge in page["edges"]] == page["nodes"]
    assert info["startCursor"] == (cursors[0] if cursors else None)
    assert info["endCursor"] == (cursors[-1] if cursors else None)


async def walks(read: Read, size: int) -> list[str]:
    """Walk both ways, and return the rows that both have found."""
    there, back = await asyncio.gather(forward(read, size), backward(read, size))
    found = list(chain(*there))
    assert list(chain(*back)) == found
    assert len(set(found)) == len(found)
    return found


@pytest.mark.parametrize("name", LISTS)
async def test_every_list_is_the_same_both_ways_in_every_order(office: Office, name: str) -> None:
    for order in orders_of(name):
        read = reader(office.asking(), name, order)
        whole = await read(first=100)
        rows = [row["id"] for row in whole["nodes"]]
        assert len(rows) == whole["totalCount"]
        assert await walks(read, 7 if len(rows) > 10 else 1) == rows
        if order and order.endswith("_ASC"):
            down = reader(office.asking(), name, order.replace("_ASC", "_DESC"))
            assert [row["id"] for row in (await down(first=100))["nodes"]] == rows[::-1]


@pytest.mark.parametrize("size", [1, 3, 4])
async def test_a_list_inside_a_row_is_the_same_both_ways(office: Office, size: int) -> None:
    accounts = (await reader(office.asking(), "customerBalances", None)(first=100))["nodes"]
    for account in accounts:

        async def read(of: str = account["id"], **page: object) -> Page:
            return (await ask(office.asking(), ACCOUNT, id=of, **page))["parent"]["rows"]

        found = await walks(read, size)
        assert len(found) == (await read(first=1))["totalCount"] > 0


async def test_behind_the_end_and_before_the_start_there_is_nothing(office: Office) -> None:
    read = reader(office.asking(), "invoices", "DUE_ASC")
    whole = await read(first=100)
    info = whole["pageInfo"]
    for page in (
        {"first": 2, "after": info["endCursor"]},
        {"last": 2, "before": info["startCursor"]},
    ):
        empty = await read(**page)
        checked(empty)
        assert empty["nodes"] == []
        assert empty["pageInfo"]["hasNextPage"] is ("last" in page)
        assert empty["pageInfo"]["hasPreviousPage"] is ("first" in page)


async def test_who_asks_for_rows_says_how_many(office: Office) -> None:
    for part in ("nodes { id }", "edges { cursor }", "pageInfo { endCursor }"):
        error = await error_of(office.asking(), f"{{ invoices {{ {part} }} }}")
        assert error["code"] == "query.first_required"
        assert "first" in error["hint"]
    rows = "{ customerBalances(first: 1) { nodes { invoices { nodes { id } } } } }"
    assert (await error_of(office.asking(), rows))["code"] == "query.first_required"
    history = '{ history(model: "Invoice", id: "x") { nodes { position } } }'
    assert (await error_of(office.asking(), history))["code"] == "query.first_required"


async def test_who_counts_says_nothing_of_a_page(office: Office) -> None:
    counted = await ask(office.asking(), "{ invoices { totalCount __typename } }")
    assert counted["invoices"]["totalCount"] > 50
    inside = "{ customerBalances(first: 1) { nodes { invoices { totalCount } } } }"
    (row,) = (await ask(office.asking(), inside))["customerBalances"]["nodes"]
    assert row["invoices"]["totalCount"] > 0


@pytest.mark.parametrize(
    ("page", "code"),
    [
        ({"first": 1, "last": 1}, "query.bad_page"),
        ({"first": 1, "before": "x"}, "query.bad_page"),
        ({"last": 1, "after": "x"}, "query.bad_page"),
        ({"first": 0}, "query.bad_first"),
        ({"first": -1}, "query.bad_first"),
        ({"first": 101}, "query.bad_first"),
        ({"last": 0}, "query.bad_first"),
        ({"last": 101}, "query.bad_first"),
        ({"after": "x"}, "query.first_required"),
        ({"before": "x"}, "query.first_required"),
        ({"first": 1, "after": "x"}, "query.bad_cursor"),
        ({"last": 1, "before": "x"}, "query.bad_cursor"),
        ({"last": 1, "before": "e30"}, "query.bad_cursor"),
        ({"first": "1"}, "graphql.invalid"),
    ],
)
async def test_a_page_that_there_can_not_be_is_refused(
    office: Office, page: dict[str, object], code: str
) -> None:
    assert (await error_of(office.asking(), ENDS, **page))["code"] == code


async def test_a_cursor_of_another_order_is_refused_backward_too(office: Office) -> None:
    page = await reader(office.asking(), "invoices", "DUE_ASC")(last=1)
    before = page["pageInfo"]["startCursor"]
    error = await error_of(office.asking(), ENDS, last=1, before=before, orderBy="DUE_DESC")
    assert error["code"] == "query.bad_cursor"
    assert "'due'" in error["message"]
