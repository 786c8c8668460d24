"""Commands over REST: drafted, issued, repeated, refused, and numbered without a gap."""

import asyncio
from uuid import UUID, uuid4

import httpx

from adapters.runtime import Runtime
from adapters.settings import Settings
from tests.rest.api import Tenant, caller, make_tenant

LINES = [{"description": "Bolt, ñ", "quantity": "3", "unit_price": "1.50", "tax_rate": "21"}]


async def drafted(client: httpx.AsyncClient, **fields: object) -> str:
    answer = await client.post("/api/v1/invoices", json={"lines": LINES, **fields})
    assert answer.status_code == 201, answer.text
    invoice: str = answer.json()["invoice"]
    return invoice


async def test_a_draft_is_made_and_answers_with_its_id(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/v1/invoices", json={"lines": LINES})
    assert answer.status_code == 201
    assert answer.json()["events"] == [{"type": "InvoiceDrafted", "position": 1}]
    assert answer.json()["position"] == 1
    assert UUID(answer.json()["invoice"]).version == 7


async def test_issuing_answers_with_what_happened(client: httpx.AsyncClient) -> None:
    invoice = await drafted(client)
    answer = await client.post(f"/api/v1/invoices/{invoice}/issue", json={"series": "A"})
    assert answer.status_code == 200
    assert answer.json() == {"position": 2, "events": [{"type": "InvoiceIssued", "position": 2}]}


async def test_the_address_of_former_clients_leads_to_the_same_place(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post("/v1/invoices", json={"lines": LINES})
    assert answer.status_code == 201


async def test_recording_the_same_invoice_again_makes_nothing(client: httpx.AsyncClient) -> None:
    given = {"number": "X-1", "issued_on": "2026-01-02", "lines": LINES}
    first = await client.post("/api/v1/invoices/recorded", json=given)
    again = await client.post("/api/v1/invoices/recorded", json=given)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == {"position": 1, "events": []}


async def test_an_idempotency_key_repeats_the_first_result(client: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": str(uuid4())}
    answers = [
        await client.post("/api/v1/invoices", json={"lines": LINES}, headers=headers)
        for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()


async def test_an_idempotency_key_with_another_request_is_refused(
    client: httpx.AsyncClient,
) -> None:
    headers = {"Idempotency-Key": str(uuid4())}
    await client.post("/api/v1/invoices", json={"lines": LINES}, headers=headers)
    other = {"lines": LINES, "currency": "USD"}
    answer = await client.post("/api/v1/invoices", json=other, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency.key_reused")


async def test_many_clients_at_once_get_gapless_numbers(api: Settings, tenant: Tenant) -> None:
    async with caller(api, tenant.key) as client:
        drafts = await asyncio.gather(*(drafted(client) for _ in range(32)))

        async def issue(invoice: str) -> int:
            answer = await client.post(f"/api/v1/invoices/{invoice}/issue", json={"series": "A"})
            assert answer.status_code == 200, answer.text
            position: int = answer.json()["position"]
            return position

        position = max(await asyncio.gather(*map(issue, drafts)))
        answer = await client.get(
            "/api/v1/invoices", params={"first": 100, "at_least": position, "order_by": "number"}
        )
    numbers = [each["number"] for each in answer.json()["items"]]
    assert numbers == [f"A-{sequence:06}" for sequence in range(1, 33)]


async def test_who_lacks_the_permission_is_told_which(api: Settings, runtime: Runtime) -> None:
    reader = await make_tenant(runtime, permissions=("invoicing.invoice.read",))
    async with caller(api, reader.key) as client:
        answer = await client.post("/api/v1/invoices", json={"lines": LINES})
    assert answer.status_code == 403
    assert "invoicing.invoice.draft" in answer.json()["detail"]


async def test_an_owner_opens_no_other_tenants(client: httpx.AsyncClient) -> None:
    given = {"slug": "mine-too", "name": "Mine", "country": "ES"}
    answer = await client.post("/api/v1/tenants", json=given)
    assert answer.status_code == 403


async def test_another_tenants_draft_cannot_be_issued(
    api: Settings, client: httpx.AsyncClient, other: Tenant
) -> None:
    invoice = await drafted(client)
    async with caller(api, other.key) as theirs:
        answer = await theirs.post(f"/api/v1/invoices/{invoice}/issue", json={"series": "A"})
    assert (answer.status_code, answer.json()["code"]) == (409, "invoicing.not_a_draft")
