"""Operators over REST: which companies there are, and nothing of their books; and who is let in."""

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest

from adapters.runtime import Runtime
from adapters.settings import Settings
from application.access import email_fields
from application.kernel import build
from domain.access import RegisterUser
from domain.ids import SYSTEM_TENANT
from domain.operators import AppointOperator, DismissOperator
from domain.tenants import CloseTenant, ReopenTenant
from tests.rest.api import OPERATOR, PASSWORD, Tenant, caller, kept_password, until_projected
from tests.rest.test_sessions import bearer, logged_in

DRAFT = {"lines": [{"description": "Bolt", "quantity": "2", "unit_price": "1.50"}]}
SECONDS_MAX = 2.0


async def do(runtime: Runtime, command: type, **given: object) -> None:
    done = await runtime.bus.execute(build(command, given, runtime.clock), OPERATOR)
    await until_projected(runtime, SYSTEM_TENANT, done.position)


@pytest.fixture
async def operator(runtime: Runtime) -> Tenant:
    """Appoint a person who belongs to no company."""
    email = f"op-{uuid4().hex[:12]}@instance.example"
    address = await email_fields(runtime.vault, email)
    about = {"tenant": SYSTEM_TENANT, "permissions": (), "password_hash": kept_password()}
    made = build(RegisterUser, {**about, **address}, runtime.clock)
    user = (await runtime.bus.execute(made, OPERATOR)).ids["user"]
    await do(runtime, AppointOperator, operator=user)
    return Tenant(SYSTEM_TENANT, "system", email, user, "")


@pytest.fixture
async def acting(api: Settings, operator: Tenant) -> AsyncIterator[httpx.AsyncClient]:
    async with caller(api) as client:
        token = (await logged_in(client, operator)).json()["access_token"]
        client.headers.update(bearer(token))
        yield client


async def answered(client: httpx.AsyncClient, status: int, path: str) -> bool:
    """Tell whether a path is answered with a status within a moment."""
    deadline = time.monotonic() + SECONDS_MAX
    while (await client.get(path)).status_code != status:
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.05)
    return True


async def test_an_operator_sees_which_companies_there_are_and_acts_on_them(
    acting: httpx.AsyncClient, operator: Tenant, tenant: Tenant, runtime: Runtime
) -> None:
    assert (await acting.get(f"/api/v1/tenants/{tenant.id}")).json()["slug"] == tenant.slug
    path = f"/api/v1/tenants/{tenant.id}"
    for act, given in (("suspend", {"reason": "Unpaid."}), ("resume", {})):
        answer = await acting.post(f"{path}/{act}", json=given)
        assert answer.status_code == 200, answer.text
    own = [(each.type, each.actor) async for each in runtime.store.read(tenant.id)]
    assert own == [("OperatorActed", f"operator:{operator.key_id}")] * 2


async def test_an_operator_reads_and_changes_nothing_of_a_company(
    acting: httpx.AsyncClient, operator: Tenant, tenant: Tenant, stranger: httpx.AsyncClient
) -> None:
    assert (await acting.get("/api/v1/invoices")).status_code == 403
    assert (await acting.get("/api/v1/members")).status_code == 403
    assert (await acting.post("/api/v1/invoices", json=DRAFT)).status_code == 403
    given = {"email": operator.email, "password": PASSWORD, "tenant": tenant.id}
    refused = await stranger.post("/api/v1/login", json=given)
    assert (refused.status_code, refused.json()["code"]) == (401, "access.no_member")


async def test_an_operator_who_is_dismissed_is_let_in_no_more(
    acting: httpx.AsyncClient, operator: Tenant, runtime: Runtime
) -> None:
    await do(runtime, DismissOperator, operator=operator.key_id)
    assert await answered(acting, 401, "/api/v1/tenants")


async def test_support_looks_while_the_company_lets_it_and_changes_nothing(
    client: httpx.AsyncClient,
    operator: Tenant,
    tenant: Tenant,
    stranger: httpx.AsyncClient,
) -> None:
    assert (await client.post("/api/v1/support", json={"hours": 1})).status_code == 200
    given = {"email": operator.email, "password": PASSWORD, "tenant": tenant.id}
    token = (await stranger.post("/api/v1/login", json=given)).json()["access_token"]
    stranger.headers.update(bearer(token))
    assert (await stranger.get("/api/v1/invoices")).status_code == 200
    assert (await stranger.get("/api/v1/tenants")).json()["items"][0]["tenant"] == tenant.id
    assert (await stranger.post("/api/v1/invoices", json=DRAFT)).status_code == 403
    assert (await stranger.post("/api/v1/support", json={"hours": 1})).status_code == 403
    await client.post("/api/v1/support", json={"hours": 0})
    assert await answered(stranger, 401, "/api/v1/invoices")


async def test_nobody_is_let_in_for_a_company_that_is_closed(
    client: httpx.AsyncClient,
    tenant: Tenant,
    stranger: httpx.AsyncClient,
    runtime: Runtime,
) -> None:
    tokens = (await logged_in(stranger, tenant)).json()
    stranger.headers.update(bearer(tokens["access_token"]))
    await runtime.bus.execute(CloseTenant(tenant=tenant.id), OPERATOR)
    assert await answered(client, 401, "/api/v1/invoices")
    assert await answered(stranger, 401, "/api/v1/invoices")
    given = {"email": tenant.email, "password": PASSWORD}
    refused = await stranger.post("/api/v1/login", json=given)
    assert (refused.status_code, refused.json()["code"]) == (401, "access.no_member")
    again = {"refresh_token": tokens["refresh_token"]}
    assert (await stranger.post("/api/v1/refresh", json=again)).status_code == 401
    await runtime.bus.execute(ReopenTenant(tenant=tenant.id), OPERATOR)
    assert await answered(client, 200, "/api/v1/invoices")
