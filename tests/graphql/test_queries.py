"""Lists and single rows: whose they are, in which order, as of when."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.graphql.client import LINES, Client

LIST = """
query List($first: Int = 50, $after: String, $filter: InvoiceFilter, $orderBy: InvoiceOrder,
           $atLeast: Position) {
  invoices(first: $first, after: $after, filter: $filter, orderBy: $orderBy, atLeast: $atLeast) {
    edges { cursor node { id } }
    nodes { id number series status kind issuedOn currency net tax total paid due batch
            customer { id code name } lines { description quantity unitPrice taxRate amount } }
    pageInfo { hasNextPage endCursor }
    totalCount
  }
}
"""
ONE = """
query One($id: ID!, $asOf: AsOf, $atLeast: Position) {
  invoice(id: $id, asOf: $asOf, atLeast: $atLeast) { id status number }
}
"""
ISSUE = """
mutation Issue($input: IssueInvoiceInput!) { issueInvoice(input: $input) { position invoice } }
"""


async def walk(client: Client, first: int = 2, **asked: object) -> list[dict[str, Any]]:
    """Follow the cursors to the end, and record one more document after each page."""
    found: list[dict[str, Any]] = []
    after = None
    while True:
        page = (await client.data(LIST, first=first, after=after, **asked))["invoices"]
        found += page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return found
        after = page["pageInfo"]["endCursor"]
        await client.record(f"AM-{len(found)}")


async def test_an_invoice_shows_all_of_itself(client: Client) -> None:
    made = await client.record("X-1", customer={"code": "C1", "name": "Ana"}, batch="b1")
    page = (await client.data(LIST, atLeast=made["position"]))["invoices"]
    assert page["totalCount"] == 1
    assert page["edges"] == [
        {"cursor": page["pageInfo"]["endCursor"], "node": {"id": made["invoice"]}}
    ]
    assert page["nodes"] == [
        {
            "id": made["invoice"],
            "number": "X-1",
            "series": "X",
            "status": "issued",
            "kind": "invoice",
            "issuedOn": "2026-01-31",
            "currency": "EUR",
            "net": "4.50",
            "tax": "0.95",
            "total": "5.45",
            "paid": "0",
            "due": "5.45",
            "batch": "b1",
            "customer": {"id": "C1", "code": "C1", "name": "Ana"},
            "lines": [{**LINES[0], "amount": "4.50"}],
        }
    ]


async def test_at_least_shows_ones_own_writes(client: Client) -> None:
    for _ in range(5):
        made = await client.draft()
        answer = await client.data(ONE, id=made["invoice"], atLeast=made["position"])
        assert answer["invoice"]["status"] == "draft"


async def test_nobody_waits_for_what_never_comes(client: Client) -> None:
    error = await client.error(LIST, atLeast="1000000")
    assert error["code"] == "query.beyond_head"


@pytest.mark.parametrize(
    "order", ["ID_ASC", "NUMBER_ASC", "NUMBER_DESC", "DUE_DESC", "BATCH_ASC", "BATCH_DESC"]
)
async def test_a_walk_tells_each_row_once_while_others_are_inserted(
    client: Client, order: str
) -> None:
    for place in range(7):
        batch = {"batch": f"b{place % 3}"} if place % 2 else {}
        made = await client.record(f"M-{place}", **batch)
    await client.data(LIST, atLeast=made["position"])
    found = await walk(client, orderBy=order, filter={"number": {"contains": "M-"}})
    numbers = [row["number"] for row in found]
    assert len(set(numbers)) == len(numbers)
    assert {f"M-{place}" for place in range(7)} <= set(numbers)
    if order == "NUMBER_DESC":
        assert numbers == sorted(numbers, reverse=True)
    if order.startswith("BATCH"):
        batches = [row["batch"] for row in found]
        ascending = [*sorted(filter(None, batches)), *[None] * batches.count(None)]
        assert batches == (ascending if order == "BATCH_ASC" else ascending[::-1])


async def test_filters_hold_together(client: Client) -> None:
    for number, quantity in (("F-1", "1"), ("F-2", "10"), ("G-3", "100"), ("G-4", "-5")):
        lines = [{"description": "x", "quantity": quantity, "unitPrice": "1"}]
        made = await client.record(number, lines=lines)

    async def numbers(**conditions: object) -> list[str]:
        answer = await client.data(LIST, filter=conditions, atLeast=made["position"])
        return [row["number"] for row in answer["invoices"]["nodes"]]

    assert await numbers(series={"eq": "F"}) == ["F-1", "F-2"]
    assert await numbers(due={"gte": "10", "lt": "100"}) == ["F-2"]
    assert await numbers(number={"in": ["F-1", "G-3"]}) == ["F-1", "G-3"]
    assert await numbers(kind={"eq": "credit_note"}, series={"eq": "G"}) == ["G-4"]
    assert await numbers(batch={"eq": None}, number={"contains": "-2"}) == ["F-2"]
    assert await numbers(issuedOn={"gt": "2026-01-31"}) == []
    assert await numbers(id={"in": []}) == []


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"first": 0}, "query.bad_first"),
        ({"first": 101}, "query.bad_first"),
        ({"after": "no cursor"}, "query.bad_cursor"),
        ({"after": "ñ"}, "query.bad_cursor"),
        ({"after": "e30"}, "query.bad_cursor"),
        ({"filter": {"number": {"eq": "a\0b"}}}, "query.bad_value"),
        ({"filter": {"number": {"lt": None}}}, "query.bad_value"),
        ({"filter": {"number": {"in": ["x"] * 101}}}, "query.bad_value"),
        ({"filter": {"net": {"gt": "1"}}}, "graphql.invalid"),
        ({"filter": {"due": {"gt": "NaN"}}}, "graphql.invalid"),
    ],
)
async def test_a_list_refuses_what_it_cannot_understand(
    client: Client, asked: dict[str, object], code: str
) -> None:
    error = await client.error(LIST, **asked)
    assert error["code"] == code
    assert error["hint"]


async def test_a_cursor_of_another_order_is_refused(client: Client) -> None:
    made = await client.record("C-1")
    page = (await client.data(LIST, atLeast=made["position"]))["invoices"]
    cursor = page["pageInfo"]["endCursor"]
    error = await client.error(LIST, after=cursor, orderBy="DUE_ASC")
    assert error["code"] == "query.bad_cursor"


async def test_another_tenants_invoice_is_not_there(client: Client, other: Client) -> None:
    made = await client.draft()
    await client.data(LIST, atLeast=made["position"])
    assert (await other.data(ONE, id=made["invoice"]))["invoice"] is None
    assert (await other.data(LIST))["invoices"]["nodes"] == []
    await other.draft()
    assert (await other.data(ONE, id=made["invoice"], asOf=made["position"]))["invoice"] is None


async def test_an_invoice_is_seen_as_it_was(client: Client) -> None:
    drafted = await client.draft()
    issue = {"invoice": drafted["invoice"], "series": "S"}
    issued = (await client.data(ISSUE, input=issue))["issueInvoice"]

    async def status(as_of: str) -> object:
        row = (await client.data(ONE, id=drafted["invoice"], asOf=as_of))["invoice"]
        return row and row["status"]

    assert await status(drafted["position"]) == "draft"
    assert await status(issued["position"]) == "issued"
    assert await status("0") is None
    assert await status("2020-01-01T00:00:00Z") is None
    assert await status(datetime.now(UTC).isoformat()) == "issued"


@pytest.mark.parametrize(
    ("moment", "code"),
    [("2", "query.beyond_head"), ("2999-01-01T00:00:00+01:00", "query.in_the_future")],
)
async def test_what_has_not_come_yet_is_not_shown(client: Client, moment: str, code: str) -> None:
    drafted = await client.draft()
    error = await client.error(ONE, id=drafted["invoice"], asOf=moment)
    assert error["code"] == code
    assert ("the log ends at 1" in error["message"]) == (moment == "2")


async def test_a_tenant_sees_itself_and_no_other(client: Client, other: Client) -> None:
    query = "{ tenants(first: 2) { nodes { id slug } totalCount } tenant { slug } }"
    answer = await client.data(query)
    assert answer["tenants"]["nodes"] == [{"id": client.tenant.id, "slug": client.tenant.slug}]
    assert answer["tenants"]["totalCount"] == 1
    assert answer["tenant"]["slug"] == client.tenant.slug
    assert (await other.data("{ tenant { slug } }"))["tenant"]["slug"] == other.tenant.slug
