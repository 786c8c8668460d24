"""Who is a member may do what its roles hold, from one moment to the next."""

import asyncio
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from msgspec.structs import replace

from adapters.accounts.accounts import account_of
from adapters.runtime import Runtime
from adapters.settings import Settings
from application.kernel import build
from domain.access import OWNER, AdmitMember, RemoveMember
from domain.ids import TenantId
from domain.kernel import Command
from tests.rest.api import OPERATOR, PASSWORD, Tenant, caller, make_tenant

READ = "invoicing.invoice.read"


async def execute(
    runtime: Runtime, tenant: TenantId, command: type[Command], **given: object
) -> None:
    by = replace(OPERATOR, tenant=tenant)
    await runtime.bus.execute(build(command, given, runtime.clock), by)


async def user_of(runtime: Runtime, tenant: Tenant) -> str:
    known = await account_of(runtime, tenant.email)
    assert known is not None
    return str(known[0])


async def token_of(client: httpx.AsyncClient, tenant: Tenant, of: TenantId) -> httpx.Response:
    given = {"email": tenant.email, "password": PASSWORD, "tenant": of}
    return await client.post("/api/v1/login", json=given)


async def until(client: httpx.AsyncClient, status: int, path: str = "/api/v1/invoices") -> None:
    since = time.monotonic()
    while (await client.get(path)).status_code != status:
        assert time.monotonic() - since < 1.0
        await asyncio.sleep(0.02)


@pytest.fixture
async def guest(
    api: Settings, runtime: Runtime, client: httpx.AsyncClient, tenant: Tenant, other: Tenant
) -> AsyncIterator[httpx.AsyncClient]:
    """Calls with a token for *tenant* of somebody of the other one, who may read its invoices."""
    defined = await client.post("/api/v1/roles", json={"name": "Guest", "permissions": [READ]})
    assert defined.status_code == 201, defined.text
    user, role = await user_of(runtime, other), defined.json()["role"]
    await execute(runtime, tenant.id, AdmitMember, user=user, email=other.email, roles=[role])
    answer = await token_of(client, other, tenant.id)
    assert answer.status_code == 200, answer.text
    async with caller(api, answer.json()["access_token"]) as guest:
        yield guest


async def test_a_member_may_what_its_roles_hold(guest: httpx.AsyncClient) -> None:
    assert (await guest.get("/api/v1/invoices")).status_code == 200
    refused = await guest.post("/api/v1/roles", json={"name": "x", "permissions": [READ]})
    assert (refused.status_code, refused.json()["code"]) == (403, "access.forbidden")


async def test_what_a_role_loses_its_members_lose_within_a_second(
    client: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    (role,) = (await client.get("/api/v1/roles?at_least=0")).json()["items"]
    change = {"name": "Guest", "permissions": ["jobs.job.read"]}
    changed = await client.post(f"/api/v1/roles/{role['role']}/change", json=change)
    assert changed.status_code == 200, changed.text
    await until(guest, 403)


async def test_a_member_who_was_removed_is_out_within_a_second(
    client: httpx.AsyncClient, guest: httpx.AsyncClient, runtime: Runtime, other: Tenant
) -> None:
    user = await user_of(runtime, other)
    removed = await client.post(f"/api/v1/members/{user}/remove", json={})
    assert removed.status_code == 200, removed.text
    await until(guest, 401)


async def test_nobody_gives_by_a_role_what_they_lack(api: Settings, runtime: Runtime) -> None:
    lesser = await make_tenant(runtime, ("access.role.define", READ))
    async with caller(api, lesser.key) as client:
        given = {"name": "x", "permissions": ["invoicing.invoice.issue"]}
        refused = await client.post("/api/v1/roles", json=given)
        assert (refused.status_code, refused.json()["code"]) == (409, "access.not_yours_to_give")


async def test_a_token_is_for_members_only_whether_or_not_there_is_the_tenant(
    stranger: httpx.AsyncClient, tenant: Tenant, other: Tenant
) -> None:
    of_another = await token_of(stranger, other, tenant.id)
    of_none = await token_of(stranger, other, TenantId("0196bd00-0000-7abc-8def-0123456789ab"))
    assert (of_another.status_code, of_another.json()["code"]) == (401, "access.no_member")
    assert {**of_another.json(), "instance": ""} == {**of_none.json(), "instance": ""}


async def test_who_was_enrolled_before_there_were_members_is_none_once_removed(
    runtime: Runtime, stranger: httpx.AsyncClient, tenant: Tenant
) -> None:
    user = await user_of(runtime, tenant)
    assert (await token_of(stranger, tenant, tenant.id)).status_code == 200
    for each in (user, "another"):
        await execute(runtime, tenant.id, AdmitMember, user=each, email=tenant.email, roles=[OWNER])
    await execute(runtime, tenant.id, RemoveMember, user=user)
    await asyncio.sleep(0.6)  # What is known of somebody is known for half a second.
    assert (await token_of(stranger, tenant, tenant.id)).status_code == 401


async def test_members_and_roles_are_listed(
    client: httpx.AsyncClient, guest: httpx.AsyncClient, other: Tenant
) -> None:
    assert (await guest.get("/api/v1/members")).status_code == 403
    members = (await client.get("/api/v1/members?at_least=2")).json()["items"]
    roles = (await client.get("/api/v1/roles")).json()["items"]
    assert [each["email"] for each in members] == [other.email]
    assert [(each["role"], each["permissions"]) for each in roles] == [
        (members[0]["roles"][0], [READ])
    ]
