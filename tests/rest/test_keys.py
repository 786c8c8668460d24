"""Keys in a path are what was sent, whatever they hold: a segment is decoded once, and whole."""

from urllib.parse import quote

import httpx
import pytest

from tests.rest.test_kinds import recorded
from tests.rest.test_reads import Query

BALANCES = "/api/v1/customer-balances"
CODES = [
    "A/7",
    "/A",
    "A//7",
    "A%2F7",
    "A%252F7/",
    "50%",
    "A 7 ",
    "..",
    "../../invoices",
    "A/../7",
    "A?b=1#c",
    "Ñandú/ü",
    "A\\7",
]


@pytest.mark.parametrize("code", CODES)
async def test_a_row_is_found_by_a_key_of_any_signs(client: httpx.AsyncClient, code: str) -> None:
    first = await recorded(client, "K-1", code, "Ana")
    last = await recorded(client, "K-2", code, "Ana")
    one = f"{BALANCES}/{quote(f'{code}:EUR', safe='')}"
    now = await client.get(one, params={"at_least": last})
    assert (now.status_code, now.json()["account"]) == (200, f"{code}:EUR")
    then = await client.get(one, params={"as_of": first})
    assert (now.json()["documents"], then.json()["documents"]) == (2, 1)
    filtered: Query = {"filter[account]": f"{code}:EUR"}
    listed = await client.get(BALANCES, params=filtered)
    assert listed.json()["items"] == [now.json()]


async def test_the_old_address_takes_such_keys_too(client: httpx.AsyncClient) -> None:
    last = await recorded(client, "K-1", "A/7", "Ana")
    answer = await client.get("/v1/customer-balances/A%2f7:EUR", params={"at_least": last})
    assert answer.json()["account"] == "A/7:EUR"


async def test_a_key_of_a_command_or_of_an_address_by_hand_is_taken_as_sent(
    client: httpx.AsyncClient,
) -> None:
    issued = await client.post("/api/v1/invoices/a%2Fb/issue", json={"series": "A"})
    assert (issued.status_code, issued.json()["code"]) == (400, "input.invalid")  # No such id.
    batch = await client.get("/api/v1/imports/batches/a%2Fb/rows")
    assert (batch.status_code, batch.json()["code"]) == (404, "imports.no_batch")
    assert "a/b" in batch.json()["detail"]


@pytest.mark.parametrize("path", ["customer-balances/A/7:EUR", "customer-balances%2FA:EUR", "%2F"])
async def test_a_border_is_a_slash_and_a_key_an_encoded_one(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(f"/api/v1/{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "http.not_found")
