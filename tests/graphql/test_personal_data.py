"""Somebody who is forgotten over GraphQL is a blank in rows, in their history and in the log."""

import asyncio
from typing import Any

from gql import gql

from tests.graphql.client import Client

ANA = {"code": "C7", "name": "Ana Núñez", "taxId": "12345678Z"}
FORGET = """
mutation ($input: ForgetSubjectInput!) { forgetSubject(input: $input) { position events { type } } }
"""
ROW = """
query ($id: ID!, $atLeast: Position, $asOf: AsOf) {
  now: invoice(id: $id, atLeast: $atLeast) { number customer { code name taxId } }
  then: invoice(id: $id, asOf: $asOf) { number customer { code name taxId } }
}
"""
EVENTS = 'subscription { events(types: ["InvoiceRecorded"]) { data } }'


async def first_event(client: Client) -> Any:  # noqa: ANN401 - JSON.
    async with client.socket() as session, asyncio.timeout(10):
        async for told in session.subscribe(gql(EVENTS)):
            return told["events"]["data"]
    return None


async def test_who_is_forgotten_is_a_blank_wherever_somebody_looks(client: Client) -> None:
    made = await client.record("1", customer=ANA)
    asked = {"id": made["invoice"], "asOf": made["position"]}
    seen = await client.data(ROW, **asked, atLeast=made["position"])
    assert seen["now"] == seen["then"] == {"number": "1", "customer": ANA}
    assert (await first_event(client))["customer_name"] == "Ana Núñez"

    given = {"kind": "customer_code", "value": "C7", "reason": "Asked for it."}
    done = (await client.data(FORGET, input=given))["forgetSubject"]
    assert [event["type"] for event in done["events"]] == ["SubjectForgotten"]
    seen = await client.data(ROW, **asked, atLeast=done["position"])
    blank = {"code": "C7", "name": "[forgotten]", "taxId": "[forgotten]"}
    assert seen["now"] == seen["then"] == {"number": "1", "customer": blank}
    assert (await first_event(client))["customer_name"] == "[forgotten]"


async def test_another_tenant_can_not_forget_somebody_of_this_one(
    client: Client, other: Client
) -> None:
    made = await client.record("1", customer=ANA)
    given = {"kind": "customer_code", "value": "C7", "reason": "Curious."}
    error = await other.error(FORGET, input=given)
    assert error["code"] == "privacy.subject_absent"
    seen = await client.data(ROW, id=made["invoice"], atLeast=made["position"], asOf="1")
    assert seen["now"]["customer"] == ANA
