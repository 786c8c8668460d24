"""A seller who logs in sees and issues what they drafted, and knows nothing of the rest."""

from collections.abc import AsyncIterator

import httpx
import pytest

from adapters.runtime import Runtime
from adapters.settings import Settings
from domain.access import AdmitMember
from tests.rest.api import Tenant, caller
from tests.rest.test_members import execute, token_of, user_of

LINES = [{"description": "Bolt", "quantity": "3", "unit_price": "1.50"}]
CUSTOMER = {"code": "C7", "name": "Ana", "tax_id": "12345678Z"}
SELLER = [f"invoicing.invoice.{each}@own" for each in ("read", "draft", "issue")]
ISSUE = {"series": "A", "issued_on": "2026-05-02"}


@pytest.fixture
async def seller(
    api: Settings, runtime: Runtime, client: httpx.AsyncClient, tenant: Tenant, other: Tenant
) -> AsyncIterator[httpx.AsyncClient]:
    """Calls with a token for *tenant* of a member that is no more than a seller."""
    defined = await client.post("/api/v1/roles", json={"name": "Seller", "permissions": SELLER})
    assert defined.status_code == 201, defined.text
    user, roles = await user_of(runtime, other), [defined.json()["role"]]
    await execute(runtime, tenant.id, AdmitMember, user=user, email=other.email, roles=roles)
    answer = await token_of(client, other, tenant.id)
    assert answer.status_code == 200, answer.text
    async with caller(api, answer.json()["access_token"]) as seller:
        yield seller


async def draft(client: httpx.AsyncClient) -> tuple[str, int]:
    made = await client.post("/api/v1/invoices", json={"lines": LINES, "customer": CUSTOMER})
    assert made.status_code == 201, made.text
    told = made.json()
    return str(told["invoice"]), int(told["position"])


async def listed(client: httpx.AsyncClient, position: int) -> dict[str, str | None]:
    """Tell the tax ids of what somebody sees, by the invoices."""
    page = await client.get(f"/api/v1/invoices?at_least={position}")
    return {each["invoice"]: each["customer"]["tax_id"] for each in page.json()["items"]}


async def test_a_seller_sees_their_own_invoices_and_issues_them(
    client: httpx.AsyncClient, seller: httpx.AsyncClient
) -> None:
    (others, _), (own, position) = await draft(client), await draft(seller)
    assert await listed(seller, position) == {own: None}
    assert await listed(client, position) == {own: "12345678Z", others: "12345678Z"}
    told = []
    for each in (others, "nowhere"):
        refused = await seller.post(f"/api/v1/invoices/{each}/issue", json=ISSUE)
        problem = {**refused.json(), "instance": "…"}
        assert (refused.status_code, problem["code"]) == (409, "invoicing.not_a_draft")
        told.append({**problem, "detail": problem["detail"].replace(each, "…")})
    assert told[0] == told[1]
    issued = await seller.post(f"/api/v1/invoices/{own}/issue", json=ISSUE)
    assert issued.status_code == 200, issued.text
