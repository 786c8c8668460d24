"""Changes of read models: whoever shows rows is told which of them moved, once it can read them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from gql.transport.exceptions import TransportQueryError
from websockets.asyncio.client import ClientConnection

from adapters.runtime import Runtime
from tests.graphql.client import Client
from tests.graphql.test_sockets import hear, subscribe, talking
from tests.graphql.test_subscriptions import told
from tests.rest.api import make_tenant

CHANGED = """
subscription Changed(
  $model: ReadModelName!, $ids: [ID!], $filter: ChangedFilter, $after: Position
) {
  changed(model: $model, ids: $ids, filter: $filter, after: $after) { ids gone position more }
}
"""
STATUS = "query Status($id: ID!) { invoice(id: $id) { status } }"
ISSUE = """
mutation Issue($input: IssueInvoiceInput!) { issueInvoice(input: $input) { position } }
"""


@asynccontextmanager
async def watching(client: Client, **asked: object) -> AsyncIterator[ClientConnection]:
    async with talking(client) as talk:
        await subscribe(talk, "1", CHANGED, **{"model": "INVOICES", **asked})
        yield talk


async def next_change(talk: ClientConnection) -> Any:  # noqa: ANN401 - JSON.
    message = await hear(talk)
    assert message["type"] == "next", message
    return message["payload"]["data"]["changed"]


async def issue(client: Client, invoice: str) -> None:
    await client.data(ISSUE, input={"invoice": invoice, "series": "A", "issuedOn": "2026-01-31"})


async def test_a_row_that_moved_is_told_when_it_can_be_read(client: Client) -> None:
    async with watching(client) as talk:
        assert await next_change(talk) == {"ids": [], "gone": [], "position": "0", "more": False}
        for number in range(3):
            made = await client.record(f"C-{number}")
            change = await next_change(talk)
            assert change["ids"] == [made["invoice"]]
            assert change["position"] == made["position"]
            shown = await client.data(STATUS, id=made["invoice"])
            assert shown["invoice"]["status"] == "issued"


async def test_whoever_comes_back_is_told_what_moved_meanwhile(client: Client) -> None:
    made = [(await client.record(f"C-{number}"))["invoice"] for number in range(2)]
    async with watching(client, after="0") as talk:
        heard = [await next_change(talk)]
        while made[1] not in heard[-1]["ids"]:
            heard.append(await next_change(talk))
    assert [row for each in heard for row in each["ids"]] == made
    last = (await client.record("C-2"))["invoice"]
    async with watching(client, after=heard[-1]["position"]) as talk:
        assert (await next_change(talk))["ids"] == [last]


async def test_many_rows_are_told_some_at_a_time(client: Client) -> None:
    made = [(await client.record(f"C-{number}"))["invoice"] for number in range(130)]
    heard: list[Any] = []
    async with watching(client, after="0") as talk:
        while sum(len(each["ids"]) for each in heard) < len(made):
            heard.append(await next_change(talk))
    assert [row for each in heard for row in each["ids"]] == made
    assert all(len(each["ids"]) <= 100 for each in heard)
    assert [each["more"] for each in heard][-1] is False


async def test_some_rows_can_be_followed_by_their_ids(client: Client) -> None:
    ours, theirs = await client.record("C-1"), await client.record("C-2")
    drafted = await client.draft()
    async with watching(client, ids=[drafted["invoice"]]) as talk:
        assert (await next_change(talk))["ids"] == []
        await client.record("C-3")
        await issue(client, drafted["invoice"])
        assert (await next_change(talk))["ids"] == [drafted["invoice"]]
    assert ours != theirs


async def test_a_row_that_a_filter_lets_through_no_more_is_told_as_gone(client: Client) -> None:
    drafted = await client.draft()
    filtered = {"invoices": {"status": {"eq": "draft"}}}
    async with watching(client, filter=filtered, after=drafted["position"]) as talk:
        another = await client.draft()
        assert (await next_change(talk))["ids"] == [another["invoice"]]
        await issue(client, drafted["invoice"])
        change = await next_change(talk)
        assert (change["ids"], change["gone"]) == ([], [drafted["invoice"]])


@pytest.mark.parametrize(
    "asked",
    [
        {"ids": ["x"], "filter": {"invoices": {"status": {"eq": "draft"}}}},
        {"filter": {"jobs": {"status": {"eq": "queued"}}}},
        {"ids": [str(number) for number in range(101)]},
    ],
)
async def test_rows_that_can_not_be_told_apart_are_refused(
    client: Client, asked: dict[str, object]
) -> None:
    with pytest.raises(TransportQueryError) as error:
        await told(client, CHANGED, 1, model="INVOICES", **asked)
    assert error.value.errors is not None
    assert error.value.errors[0]["extensions"]["code"] == "subscriptions.unclear_rows"


async def test_changes_are_for_those_who_may_read_the_rows(runtime: Runtime, url: str) -> None:
    async with Client(url, await make_tenant(runtime, ("jobs.job.read",))) as client:
        with pytest.raises(TransportQueryError) as error:
            await told(client, CHANGED, 1, model="INVOICES")
    assert error.value.errors is not None
    assert error.value.errors[0]["extensions"]["code"] == "access.forbidden"


async def test_a_tenant_is_told_of_its_own_rows_only(client: Client, other: Client) -> None:
    async with watching(client) as talk:
        await next_change(talk)
        await other.record("C-1")
        await asyncio.sleep(0.3)
        made = await client.record("C-1")
        assert (await next_change(talk))["ids"] == [made["invoice"]]
