"""Commands over GraphQL: what they make, what they refuse, and what comes of asking twice."""

import asyncio
from uuid import uuid4

import pytest

from tests.graphql.client import DRAFT, LINES, RECORD, Client
from tests.graphql.test_queries import ISSUE, LIST

CANCEL = "mutation Cancel($input: CancelJobInput!) { cancelJob(input: $input) { job } }"
LITERALS = """
mutation {
  draftInvoice(input: {
    lines: [{description: "Nut", quantity: 2, unitPrice: 0.12345678901234567890}]
  }) { position invoice }
}
"""


async def test_a_draft_is_issued_with_the_next_numbers_of_its_series(client: Client) -> None:
    drafts = [await client.draft() for _ in range(4)]
    issues = ({"invoice": draft["invoice"], "series": "A"} for draft in drafts)
    issued = await asyncio.gather(*(client.data(ISSUE, input=each) for each in issues))
    last = max((each["issueInvoice"]["position"] for each in issued), key=int)
    page = (await client.data(LIST, atLeast=last, orderBy="NUMBER_ASC"))["invoices"]
    assert [row["number"] for row in page["nodes"]] == [f"A-00000{n}" for n in range(1, 5)]


async def test_a_result_names_its_events_and_ids(client: Client) -> None:
    made = await client.draft()
    assert made["events"] == [{"type": "InvoiceDrafted", "position": made["position"]}]
    again = await client.draft(invoice=made["invoice"])
    assert again["events"] == []


async def test_an_idempotency_key_brings_the_first_result_again(client: Client) -> None:
    key = uuid4().hex
    first, second = [await client.data(DRAFT, input={"lines": LINES}, key=key) for _ in range(2)]
    assert first == second
    other = [{**LINES[0], "quantity": "4"}]
    error = await client.error(DRAFT, input={"lines": other}, key=key)
    assert error["code"] == "idempotency.key_reused"


async def test_a_literal_keeps_its_digits(client: Client) -> None:
    made = (await client.data(LITERALS))["draftInvoice"]
    row = (await client.data(LIST, atLeast=made["position"]))["invoices"]["nodes"][0]
    assert row["lines"][0]["unitPrice"] == "0.12345678901234567890"


async def test_a_number_in_json_keeps_its_digits(client: Client) -> None:
    body = '{"query": %s, "variables": {"input": {"lines": [%s]}}}' % (  # noqa: UP031 - braces.
        '"mutation D($input: DraftInvoiceInput!) { draftInvoice(input: $input) { position } }"',
        '{"description": "Nut", "quantity": 2, "unitPrice": 0.12345678901234567890}',
    )
    headers = {"content-type": "application/json"}
    made = (await client.http.post(client.url, content=body, headers=headers)).json()["data"]
    page = await client.data(LIST, atLeast=made["draftInvoice"]["position"])
    line = page["invoices"]["nodes"][0]["lines"][0]
    assert line["unitPrice"] == "0.12345678901234567890"


@pytest.mark.parametrize(
    "value",
    ["NaN", "Infinity", "-inf", "1e400", "1e5", "", " 1", "1_000", "\uff11", "9" * 99, True, []],
)
async def test_what_is_no_exact_finite_number_is_refused(client: Client, value: object) -> None:
    error = await client.error(DRAFT, input={"lines": [{**LINES[0], "quantity": value}]})
    assert error["code"] == "graphql.invalid"


@pytest.mark.parametrize("literal", ["1e400", "NaN", "1e9999999"])
async def test_a_literal_that_is_no_exact_finite_number_is_refused(
    client: Client, literal: str
) -> None:
    error = await client.error(LITERALS.replace("quantity: 2", f"quantity: {literal}"))
    assert error["code"] == "graphql.invalid"


async def test_a_refusal_has_its_code_and_hint(client: Client) -> None:
    error = await client.error(ISSUE, input={"invoice": "nope", "series": "A"})
    assert error["code"] == "invoicing.not_a_draft"
    assert error["hint"] == "Draft it first."


async def test_input_that_breaks_a_rule_of_shape_is_malformed(client: Client) -> None:
    error = await client.error(DRAFT, input={"lines": []})
    assert error["code"] == "input.invalid"


async def test_null_counts_as_left_out(client: Client) -> None:
    made = await client.draft(currency=None, customer=None, invoice=None)
    assert made["invoice"]


async def test_another_tenants_draft_cannot_be_issued(client: Client, other: Client) -> None:
    made = await client.draft()
    error = await other.error(ISSUE, input={"invoice": made["invoice"], "series": "A"})
    assert error["code"] == "invoicing.not_a_draft"


async def test_a_batch_of_another_shape_is_refused(client: Client) -> None:
    error = await client.error(
        RECORD, input={"number": "1", "issuedOn": "31/01/2026", "lines": LINES}
    )
    assert error["code"] == "graphql.invalid"
    assert "Date" in error["message"]


async def test_a_job_that_is_not_there_cannot_be_cancelled(client: Client) -> None:
    error = await client.error(CANCEL, input={"job": "nope"})
    assert error["code"] == "jobs.absent"
