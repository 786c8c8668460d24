"""`history` explains a row over GraphQL, in pages, to those who may read it."""

from typing import Any

import pytest

from tests.graphql.client import LINES, Client

HISTORY = """
query History($model: String!, $id: ID!, $first: Int = 50, $after: String) {
  history(model: $model, id: $id, first: $first, after: $after) {
    edges { cursor node { position } }
    nodes {
      position type recordedAt actor actorName command correlationId causationId
      source { batch fileName job lines }
      changes { field before after }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""


async def ask(client: Client, model: str, key: str, **page: object) -> Any:  # noqa: ANN401 - JSON.
    return (await client.data(HISTORY, model=model, id=key, **page))["history"]


async def test_an_invoice_says_how_it_came_about(client: Client) -> None:
    made = await client.draft()
    await client.draft(invoice=made["invoice"], lines=[{**LINES[0], "quantity": "5"}])
    told = await ask(client, "Invoice", made["invoice"])
    first, second = told["nodes"]
    assert first["position"] == made["position"]
    assert (first["type"], first["command"]) == ("InvoiceDrafted", "DraftInvoice")
    assert (first["actor"], first["actorName"]) == (f"key:{client.tenant.key_id}", "test")
    assert {"field": "total", "before": None, "after": "5.45"} in first["changes"]
    assert {"field": "total", "before": "5.45", "after": "9.08"} in second["changes"]
    assert first["source"] is None
    assert [edge["cursor"] for edge in told["edges"]] == [first["position"], second["position"]]


async def test_a_history_goes_on_behind_its_cursor(client: Client) -> None:
    made = await client.draft()
    await client.draft(invoice=made["invoice"], lines=[{**LINES[0], "quantity": "5"}])
    page = await ask(client, "invoices", made["invoice"], first=1)
    assert page["pageInfo"]["hasNextPage"] is True
    rest = await ask(client, "invoices", made["invoice"], after=page["pageInfo"]["endCursor"])
    assert [len(page["nodes"]), len(rest["nodes"])] == [1, 1]
    assert rest["pageInfo"]["hasNextPage"] is False


async def test_a_batch_explains_itself_too(client: Client) -> None:
    made = await client.record("H-1", batch="b-1")
    told = await ask(client, "invoice", made["invoice"])
    assert told["nodes"][0]["source"] == {
        "batch": "b-1",
        "fileName": None,
        "job": None,
        "lines": [],
    }


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"model": "Nothing", "id": "1"}, "history.unknown_model"),
        ({"model": "Invoice", "id": "none"}, "query.absent"),
        ({"model": "Invoice", "id": "a\x00b"}, "event.bad_key"),
        ({"model": "Invoice", "id": "1", "first": 1000}, "query.bad_first"),
        ({"model": "Invoice", "id": "1", "first": -1}, "query.bad_first"),
        ({"model": "Invoice", "id": "1", "after": "x"}, "query.bad_cursor"),
        ({"model": "Invoice", "id": "1", "after": "²"}, "query.bad_cursor"),
        ({"model": "Invoice", "id": "1", "after": "9" * 99}, "query.bad_cursor"),
    ],
)
async def test_what_can_not_be_explained_is_refused(
    client: Client, asked: dict[str, object], code: str
) -> None:
    error = await client.error(HISTORY, **asked)
    assert error["code"] == code
    assert error["hint"]


async def test_the_history_of_others_is_not_told(client: Client, other: Client) -> None:
    made = await client.draft()
    error = await other.error(HISTORY, model="Invoice", id=made["invoice"])
    assert error["code"] == "query.absent"
