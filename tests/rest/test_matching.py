"""Who changes a row says what it saw of it; where it changed since, nothing happens (412)."""

import asyncio

import httpx
import pytest

from adapters.runtime import Runtime
from adapters.settings import Settings
from tests.rest.api import Tenant, caller, make_tenant
from tests.rest.test_commands import LINES, drafted

ISSUE = {"series": "A"}


async def seen(client: httpx.AsyncClient, invoice: str, **query: int) -> str:
    answer = await client.get(f"/api/v1/invoices/{invoice}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.headers["etag"]


async def issue(client: httpx.AsyncClient, invoice: str, tag: str, **more: str) -> httpx.Response:
    headers = {"If-Match": tag, **more}
    return await client.post(f"/api/v1/invoices/{invoice}/issue", json=ISSUE, headers=headers)


async def test_a_row_as_it_was_seen_is_changed(client: httpx.AsyncClient) -> None:
    invoice = await drafted(client)
    answer = await issue(client, invoice, await seen(client, invoice, at_least=1))
    assert (answer.status_code, answer.json()["position"]) == (200, 2)


async def test_a_row_that_changed_since_is_not_and_the_tag_of_today_is_told(
    client: httpx.AsyncClient,
) -> None:
    invoice = await drafted(client)
    before = await seen(client, invoice, at_least=1)
    assert (await issue(client, invoice, before)).status_code == 200
    again = await issue(client, invoice, before)
    assert (again.status_code, again.json()["code"]) == (412, "command.changed")
    now = await seen(client, invoice, at_least=2)
    assert again.headers["etag"] == now != before
    # With the tag of today the rule itself is asked, and says no.
    assert (await issue(client, invoice, now)).json()["code"] == "invoicing.not_a_draft"


async def test_of_many_who_saw_the_same_one_is_first(api: Settings, tenant: Tenant) -> None:
    async with caller(api, tenant.key) as client:
        invoice = await drafted(client)
        tag = await seen(client, invoice, at_least=1)
        answers = await asyncio.gather(*(issue(client, invoice, tag) for _ in range(16)))
    assert sorted(each.status_code for each in answers) == [200] + [412] * 15


async def test_what_happens_to_others_changes_no_tag(client: httpx.AsyncClient) -> None:
    invoice = await drafted(client)
    tag = await seen(client, invoice, at_least=1)
    await drafted(client)
    assert await seen(client, invoice, at_least=2) == tag
    assert (await issue(client, invoice, tag)).status_code == 200


async def test_an_asterisk_matches_whatever_is_there(client: httpx.AsyncClient) -> None:
    nothing = await issue(client, "01a201d0-7d42-71dd-b99f-0b3de28eb0e1", "*")
    assert (nothing.status_code, nothing.json()["code"]) == (412, "command.changed")
    assert "etag" not in nothing.headers
    assert (await issue(client, await drafted(client), "*")).status_code == 200


async def test_one_of_several_tags_is_enough(client: httpx.AsyncClient) -> None:
    invoice = await drafted(client)
    tag = await seen(client, invoice, at_least=1)
    assert (await issue(client, invoice, f'"other,one", {tag}')).status_code == 200


async def test_the_tag_of_a_compressed_answer_is_as_good(client: httpx.AsyncClient) -> None:
    invoice = await drafted(client, lines=LINES * 9)
    tag = await seen(client, invoice, at_least=1)
    assert tag.endswith('-gzip"')
    assert (await issue(client, invoice, tag)).status_code == 200


@pytest.mark.parametrize(
    ("tag", "status", "code"),
    [
        ("1", 400, "input.bad_tag"),
        ("", 400, "input.bad_tag"),
        ('"a" "b"', 400, "input.bad_tag"),
        ('"never-seen"', 412, "command.matches_nothing"),
        ('"*"', 412, "command.matches_nothing"),
    ],
)
async def test_what_is_no_tag_of_a_row_matches_nothing(
    client: httpx.AsyncClient, tag: str, status: int, code: str
) -> None:
    answer = await issue(client, await drafted(client), tag)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_weak_tag_matches_nothing(client: httpx.AsyncClient) -> None:
    invoice = await drafted(client)
    answer = await issue(client, invoice, f"W/{await seen(client, invoice, at_least=1)}")
    assert (answer.status_code, answer.json()["code"]) == (412, "command.matches_nothing")
    assert "weak" in answer.json()["detail"]


async def test_a_row_of_the_past_can_not_be_changed(client: httpx.AsyncClient) -> None:
    invoice = await drafted(client)
    then = await seen(client, invoice, as_of=1)
    answer = await issue(client, invoice, then)
    assert (answer.status_code, answer.json()["code"]) == (412, "command.matches_nothing")


async def test_an_address_without_a_row_has_nothing_to_match(client: httpx.AsyncClient) -> None:
    headers = {"If-Match": "*"}
    answer = await client.post("/api/v1/invoices", json={"lines": LINES}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "command.nothing_to_match")


async def test_who_asks_again_with_its_key_gets_its_first_answer(
    client: httpx.AsyncClient,
) -> None:
    invoice = await drafted(client)
    tag = await seen(client, invoice, at_least=1)
    key = {"Idempotency-Key": f"issue-{invoice}"}
    first = await issue(client, invoice, tag, **key)
    again = await issue(client, invoice, tag, **key)
    assert (first.status_code, again.json()) == (200, first.json())


async def test_who_may_not_read_a_row_is_not_told_its_tag(api: Settings, runtime: Runtime) -> None:
    writes = ("invoicing.invoice.draft", "invoicing.invoice.issue")
    writer = await make_tenant(runtime, permissions=writes)
    async with caller(api, writer.key) as client:
        invoice = await drafted(client)
        answer = await issue(client, invoice, f'"9-{"0" * 32}"')
    assert answer.status_code == 412
    assert "etag" not in answer.headers


async def test_a_batch_of_rows_is_taken_in_as_it_was_seen(client: httpx.AsyncClient) -> None:
    given = {"source_type": "invoices", "origin": "test"}
    opened = (await client.post("/api/v1/imports/batches", json=given)).json()
    place = f"/api/v1/imports/batches/{opened['batch']}"
    query = {"at_least": opened["position"]}
    tag = (await client.get(place, params=query)).headers["etag"]
    of_list = await client.get(f"/api/v1/import-batches/{opened['batch']}", params=query)
    assert of_list.status_code == 404 or of_list.headers["etag"] == tag
    rows = {"rows": [{"number": "1"}]}
    first = await client.post(f"{place}/ingest", json=rows, headers={"If-Match": tag})
    assert first.status_code == 202, first.text
    late = await client.post(f"{place}/ingest", json=rows, headers={"If-Match": tag})
    assert (late.status_code, late.json()["code"]) == (412, "command.changed")
