"""Read models of every kind over REST: gathered rows, derived columns, searches, as of then."""

import httpx
import pytest

from tests.rest.test_commands import LINES
from tests.rest.test_reads import Query


async def recorded(client: httpx.AsyncClient, number: str, code: str, name: str) -> int:
    given = {
        "number": number,
        "issued_on": "2026-01-02",
        "lines": LINES,
        "customer": {"code": code, "name": name},
    }
    answer = await client.post("/api/v1/invoices/recorded", json=given)
    position: int = answer.json()["position"]
    return position


async def test_balances_are_listed_and_read_as_they_were(client: httpx.AsyncClient) -> None:
    first = await recorded(client, "K-1", "C1", "Ana")
    last = await recorded(client, "K-2", "C1", "Ana")
    query: Query = {"filter[due][gt]": "6", "order_by": "-due", "at_least": last}
    (row,) = (await client.get("/api/v1/customer-balances", params=query)).json()["items"]
    assert row == {
        "account": "C1:EUR",
        "customer_code": "C1",
        "currency": "EUR",
        "last_issued_on": "2026-01-02",
        "invoiced": "10.90",
        "credited": "0",
        "documents": 2,
        "due": "10.90",
    }
    one = "/api/v1/customer-balances/C1:EUR"
    assert (await client.get(one)).json() == row
    then = (await client.get(one, params={"as_of": first})).json()
    assert (then["due"], then["documents"]) == ("5.45", 1)
    before = await client.get(one, params={"as_of": "2020-01-01T00:00:00Z"})
    assert (before.status_code, before.json()["code"]) == (404, "query.absent")
    line = await client.get("/api/v1/vat-book/2026-01:21:EUR", params={"as_of": last})
    assert (line.json()["tax"], line.json()["documents"]) == ("1.90", 2)


async def test_words_find_invoices(client: httpx.AsyncClient) -> None:
    await recorded(client, "S-1", "C1", "José García")
    last = await recorded(client, "S-2", "C2", "Núñez Peña")
    query: Query = {"filter[search]": "PENA nunez", "at_least": last}
    answer = await client.get("/api/v1/invoices", params=query)
    assert [row["number"] for row in answer.json()["items"]] == ["S-2"]
    none = await client.get("/api/v1/jobs", params={"filter[search]": "a"})
    assert (none.status_code, none.json()["code"]) == (400, "query.unknown_parameter")


@pytest.mark.parametrize("as_of", ["yesterday", "2026-01-31", "-1", ""])
async def test_what_is_no_moment_is_refused(client: httpx.AsyncClient, as_of: str) -> None:
    answer = await client.get("/api/v1/invoices/x", params={"as_of": as_of})
    assert (answer.status_code, answer.json()["code"]) == (400, "query.bad_moment")
