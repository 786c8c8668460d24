"""Somebody is forgotten over REST."""

import httpx

ANA = {"code": "C7", "name": "Ana Núñez", "tax_id": "12345678Z"}
LINES = [{"description": "Bolt", "quantity": "3", "unit_price": "1.50"}]
INVOICE = {"number": "1", "issued_on": "2026-05-01", "lines": LINES, "customer": ANA}


async def test_who_is_forgotten_is_a_blank_in_the_row(client: httpx.AsyncClient) -> None:
    made = (await client.post("/api/v1/invoices/recorded", json=INVOICE)).json()
    place = f"/api/v1/invoices/{made['invoice']}"
    seen = (await client.get(place, params={"at_least": made["position"]})).json()
    assert seen["customer"]["name"] == "Ana Núñez"

    given = {"kind": "customer_code", "value": "C7", "reason": "Asked for it."}
    done = await client.post("/api/v1/privacy/forgotten", json=given)
    assert (done.status_code, len(done.json()["events"])) == (200, 1)
    seen = (await client.get(place, params={"at_least": done.json()["position"]})).json()
    assert (seen["customer"]["name"], seen["customer"]["code"]) == ("[forgotten]", "C7")
    again = await client.post("/api/v1/privacy/forgotten", json=given)
    assert (again.status_code, again.json()["events"]) == (200, [])


async def test_what_we_look_up_is_nothing_to_be_told(client: httpx.AsyncClient) -> None:
    given = {"kind": "customer_code", "value": "C9", "reason": "r", "last_generation": 0}
    answer = await client.post("/api/v1/privacy/forgotten", json=given)
    assert answer.status_code == 400
