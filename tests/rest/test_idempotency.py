"""Keys that make a request once: what can be one, and what it does to what comes with it."""

import asyncio
from uuid import uuid4

import httpx
import pytest

from tests.rest.test_commands import LINES, drafted

DRAFT = {"lines": LINES}


async def draft(client: httpx.AsyncClient, key: str, **fields: object) -> httpx.Response:
    headers = {"Idempotency-Key": key}
    return await client.post("/api/v1/invoices", json={**DRAFT, **fields}, headers=headers)


@pytest.mark.parametrize("key", ["", "x" * 256, "reaction:1"])
async def test_what_can_be_no_key_is_refused(client: httpx.AsyncClient, key: str) -> None:
    answer = await draft(client, key)
    assert answer.status_code == 400
    assert answer.json()["code"] in {"idempotency.bad_key", "input.invalid"}
    assert answer.json()["hint"]


async def test_the_longest_key_is_one(client: httpx.AsyncClient) -> None:
    assert (await draft(client, "x" * 255)).status_code == 201


async def test_who_asks_again_while_the_first_is_under_way_gets_the_same_answer(
    client: httpx.AsyncClient,
) -> None:
    key = str(uuid4())
    answers = await asyncio.gather(*(draft(client, key) for _ in range(16)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    position = answers[0].json()["position"]
    listed = await client.get("/api/v1/invoices", params={"at_least": position})
    assert len(listed.json()["items"]) == 1


async def test_a_key_with_another_body_is_refused_even_while_the_first_is_under_way(
    client: httpx.AsyncClient,
) -> None:
    key = str(uuid4())
    answers = await asyncio.gather(*(draft(client, key, currency=c) for c in ("EUR", "USD")))
    assert sorted(answer.status_code for answer in answers) == [201, 400]
    (refused,) = [answer for answer in answers if answer.status_code == 400]
    assert refused.json()["code"] == "idempotency.key_reused"


async def test_a_key_of_one_command_is_not_one_of_another(client: httpx.AsyncClient) -> None:
    key = str(uuid4())
    invoice = await drafted(client)
    assert (await draft(client, key)).status_code == 201
    answer = await client.post(
        f"/api/v1/invoices/{invoice}/issue",
        json={"series": "A"},
        headers={"Idempotency-Key": key},
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency.key_reused")


async def test_a_refused_request_does_not_use_its_key_up(client: httpx.AsyncClient) -> None:
    key = str(uuid4())
    assert (await draft(client, key, currency="nothing")).status_code == 400
    assert (await draft(client, key)).status_code == 201
