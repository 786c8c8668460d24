"""Rows over REST: in pages, filtered, waited for, tagged, and never another tenant's."""

from typing import TypeAlias

import httpx
import pytest

from adapters.settings import Settings
from tests.rest.api import Tenant, caller
from tests.rest.test_commands import LINES

Query: TypeAlias = dict[str, str | int]


async def recorded(client: httpx.AsyncClient, *numbers: str) -> tuple[list[str], int]:
    """Record invoices, and return their ids and the last position."""
    made = []
    for number in numbers:
        given = {"number": number, "issued_on": "2026-01-02", "lines": LINES}
        answer = await client.post("/api/v1/invoices/recorded", json=given)
        made.append(answer.json())
    return [each["invoice"] for each in made], made[-1]["position"]


async def test_a_row_is_shown_with_exact_amounts(client: httpx.AsyncClient) -> None:
    (invoice,), position = await recorded(client, "B-1")
    answer = await client.get(f"/api/v1/invoices/{invoice}", params={"at_least": position})
    row = answer.json()
    assert (row["number"], row["net"], row["tax"], row["total"]) == ("B-1", "4.50", "0.95", "5.45")
    assert row["lines"][0]["unit_price"] == "1.50"


async def test_pages_go_on_where_the_former_ended(client: httpx.AsyncClient) -> None:
    _, position = await recorded(client, "B-1", "B-2", "B-3")
    query: Query = {"first": 2, "order_by": "-number", "at_least": position}
    page = (await client.get("/api/v1/invoices", params=query)).json()
    rest = (await client.get("/api/v1/invoices", params={**query, "after": page["next"]})).json()
    assert [each["number"] for each in page["items"]] == ["B-3", "B-2"]
    assert [each["number"] for each in rest["items"]] == ["B-1"]
    assert rest["next"] is None


async def test_pages_go_back_where_the_later_began(client: httpx.AsyncClient) -> None:
    _, position = await recorded(client, "B-1", "B-2", "B-3")
    query: Query = {"last": 2, "order_by": "number", "at_least": position}
    page = (await client.get("/api/v1/invoices", params=query)).json()
    assert ([each["number"] for each in page["items"]], page["next"]) == (["B-2", "B-3"], None)
    former = {**query, "before": page["previous"]}
    page = (await client.get("/api/v1/invoices", params=former)).json()
    assert ([each["number"] for each in page["items"]], page["previous"]) == (["B-1"], None)
    both = await client.get("/api/v1/invoices", params={**query, "first": 1})
    assert (both.status_code, both.json()["code"]) == (400, "query.bad_page")


async def test_a_list_is_filtered(client: httpx.AsyncClient) -> None:
    _, position = await recorded(client, "B-1", "B-2")
    query: Query = {"filter[number]": "B-2", "filter[due][gt]": "5.00", "at_least": position}
    answer = await client.get("/api/v1/invoices", params=query)
    assert [each["number"] for each in answer.json()["items"]] == ["B-2"]
    none = await client.get("/api/v1/invoices", params={**query, "filter[due][gt]": "6"})
    assert none.json()["items"] == []


async def test_a_filter_that_is_not_known_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/invoices", params={"filter[nummer]": "B-2"})
    assert (answer.status_code, answer.json()["code"]) == (400, "query.unknown_parameter")


async def test_a_filter_of_another_type_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/invoices", params={"filter[due][gt]": "much"})
    assert (answer.status_code, answer.json()["code"]) == (400, "input.invalid")


async def test_who_has_the_row_already_is_not_sent_it_again(client: httpx.AsyncClient) -> None:
    (invoice,), position = await recorded(client, "B-1")
    address = f"/api/v1/invoices/{invoice}"
    first = await client.get(address, params={"at_least": position})
    again = await client.get(address, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_a_row_that_was_not_there_then_is_not_waited_for(client: httpx.AsyncClient) -> None:
    (invoice,), _ = await recorded(client, "B-1")
    answer = await client.get(f"/api/v1/invoices/{invoice}", params={"as_of": "0"})
    assert (answer.status_code, answer.json()["code"]) == (404, "query.absent")
    assert "as of 0" in answer.json()["detail"]
    assert "at_least" not in answer.json()["hint"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"at_least": "2"}, "query.beyond_head"),
        ({"as_of": "2"}, "query.beyond_head"),
        ({"as_of": "2999-01-01T00:00:00Z"}, "query.in_the_future"),
    ],
)
async def test_what_has_not_come_yet_is_refused_at_once(
    client: httpx.AsyncClient, query: dict[str, str], code: str
) -> None:
    (invoice,), _ = await recorded(client, "B-1")
    answer = await client.get(f"/api/v1/invoices/{invoice}", params=query)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


async def test_another_tenants_row_is_not_there(
    api: Settings, client: httpx.AsyncClient, other: Tenant
) -> None:
    (invoice,), position = await recorded(client, "B-1")
    assert (
        await client.get(f"/api/v1/invoices/{invoice}", params={"at_least": position})
    ).is_success
    async with caller(api, other.key) as theirs:
        row = await theirs.get(f"/api/v1/invoices/{invoice}")
        rows = await theirs.get("/api/v1/invoices")
    assert (row.status_code, row.json()["code"]) == (404, "query.absent")
    assert rows.json()["items"] == []


async def test_an_owner_sees_its_own_tenant_alone(
    client: httpx.AsyncClient, tenant: Tenant, other: Tenant
) -> None:
    rows = (await client.get("/api/v1/tenants")).json()["items"]
    assert [each["slug"] for each in rows] == [tenant.slug]
    assert (await client.get(f"/api/v1/tenants/{other.id}")).status_code == 404
