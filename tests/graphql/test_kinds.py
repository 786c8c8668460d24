"""Read models of every kind over GraphQL: gathered rows, derived columns, searches, as of then."""

import pytest

from tests.graphql.client import LINES, Client

BALANCES = """
query List($filter: CustomerBalanceFilter, $orderBy: CustomerBalanceOrder, $atLeast: Position) {
  customerBalances(first: 50, filter: $filter, orderBy: $orderBy, atLeast: $atLeast) {
    nodes { id customerCode currency invoiced credited due documents lastIssuedOn }
    totalCount
  }
}
"""
BOOK = """
query Book($atLeast: Position) {
  vatBook(first: 50, orderBy: RATE_DESC, atLeast: $atLeast) {
    nodes { id month rate currency base tax documents }
  }
}
"""
THEN = """
query Then($account: ID!, $line: ID!, $asOf: AsOf) {
  customerBalance(id: $account, asOf: $asOf) { due documents }
  vatBookLine(id: $line, asOf: $asOf) { tax }
}
"""
SEARCH = """
query Search($words: String!, $atLeast: Position) {
  invoices(first: 50, filter: {search: {words: $words}}, orderBy: NUMBER_ASC, atLeast: $atLeast) {
    nodes { number } totalCount
  }
}
"""
RETURNED = [{**LINES[0], "quantity": "-1"}]


async def test_balances_and_books_are_listed_filtered_and_ordered(client: Client) -> None:
    await client.record("K-1", customer={"code": "C1"})
    await client.record("K-2", customer={"code": "C1"}, lines=RETURNED)
    made = await client.record("K-3", customer={"code": "C2"}, currency="USD")
    answer = await client.data(BALANCES, orderBy="DUE_DESC", atLeast=made["position"])
    assert answer["customerBalances"] == {
        "nodes": [
            {
                "id": "C2:USD",
                "customerCode": "C2",
                "currency": "USD",
                "invoiced": "5.45",
                "credited": "0",
                "due": "5.45",
                "documents": 1,
                "lastIssuedOn": "2026-01-31",
            },
            {
                "id": "C1:EUR",
                "customerCode": "C1",
                "currency": "EUR",
                "invoiced": "5.45",
                "credited": "1.82",
                "due": "3.63",
                "documents": 2,
                "lastIssuedOn": "2026-01-31",
            },
        ],
        "totalCount": 2,
    }
    asked = {"due": {"lt": "5"}, "search": {"words": "c1"}}
    (row,) = (await client.data(BALANCES, filter=asked))["customerBalances"]["nodes"]
    assert row["id"] == "C1:EUR"
    book = (await client.data(BOOK, atLeast=made["position"]))["vatBook"]["nodes"]
    assert {line["id"]: (line["base"], line["tax"], line["documents"]) for line in book} == {
        "2026-01:21:EUR": ("3.00", "0.63", 2),
        "2026-01:21:USD": ("4.50", "0.95", 1),
    }


async def test_gathered_rows_are_seen_as_they_were(client: Client) -> None:
    first = await client.record("T-1", customer={"code": "C1"})
    last = await client.record("T-2", customer={"code": "C1"})
    asked = {"account": "C1:EUR", "line": "2026-01:21:EUR"}
    then = await client.data(THEN, **asked, asOf=first["position"])
    assert then == {
        "customerBalance": {"due": "5.45", "documents": 1},
        "vatBookLine": {"tax": "0.95"},
    }
    now = await client.data(THEN, **asked, asOf=last["position"])
    assert (now["customerBalance"]["due"], now["vatBookLine"]["tax"]) == ("10.90", "1.90")
    assert (await client.data(THEN, **asked, asOf="0"))["customerBalance"] is None


async def test_words_find_invoices(client: Client, other: Client) -> None:
    await client.record("S-1", customer={"code": "C1", "name": "José García"})
    made = await client.record("S-2", customer={"code": "C2", "name": "GARCIA e hijos"})
    answer = await client.data(SEARCH, words="garcía", atLeast=made["position"])
    assert answer["invoices"] == {"nodes": [{"number": "S-1"}, {"number": "S-2"}], "totalCount": 2}
    answer = await client.data(SEARCH, words="s-2 GARCÍA")
    assert answer["invoices"]["nodes"] == [{"number": "S-2"}]
    assert (await other.data(SEARCH, words="garcia"))["invoices"]["totalCount"] == 0


@pytest.mark.parametrize("words", [" ".join(map(str, range(11))), "1 2 3 4 5 6 7 8 9 a b"])
async def test_too_many_words_are_refused(client: Client, words: str) -> None:
    assert (await client.error(SEARCH, words=words))["code"] == "query.bad_value"


async def test_nobody_waits_for_a_position_that_is_not_there(client: Client) -> None:
    error = await client.error(BALANCES, atLeast="1000000")
    assert error["code"] == "query.beyond_head"
    assert error["message"] == "There is no position 1000000 yet: the log ends at 0."
