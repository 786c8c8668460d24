"""The account of whoever is logged in: its companies, and its password."""

import asyncio
from uuid import uuid4

import httpx
import pytest
from msgspec.structs import replace

from adapters.access.lookups import KEPT_SECONDS
from adapters.accounts.memberships import Memberships
from adapters.postgres.projecting.projector import Projector
from adapters.runtime import Runtime
from application.kernel import build
from domain.access import AdmitMember, RemoveMember
from tests.rest.api import OPERATOR, PASSWORD, Tenant
from tests.rest.test_sessions import as_header, bearer, cookies_of, logged_in

READ = "/api/v1/account"
CHANGE = "/api/v1/account/password"
CHOOSE = "/api/v1/account/company"
NEW = "another long one, with words"


async def join(runtime: Runtime, user: str, email: str, tenant: Tenant) -> None:
    """Make a person a member of one more company."""
    given = {"user": user, "email": email, "roles": ["auditor"]}
    operator = replace(OPERATOR, tenant=tenant.id)
    await runtime.bus.execute(build(AdmitMember, given, runtime.clock), operator)
    await Projector(runtime.pool, runtime.vault, [Memberships()]).catch_up()


async def test_a_person_is_told_who_they_are_and_for_whom_they_act(
    stranger: httpx.AsyncClient, tenant: Tenant, other: Tenant, runtime: Runtime
) -> None:
    entry = (await logged_in(stranger, tenant)).json()
    by_token = bearer(entry["access_token"])
    told = (await stranger.get(READ, headers=by_token)).json()
    own = {"tenant": tenant.id, "slug": tenant.slug, "name": tenant.slug, "status": "open"}
    assert (told["email"], told["session"]) == (tenant.email, entry["session"])
    assert not told["verified"]
    assert (told["tenant"], told["companies"]) == (tenant.id, [own | {"roles": []}])
    await join(runtime, told["user"], tenant.email, other)
    found = (await stranger.get(READ, headers=by_token)).json()["companies"]
    assert {each["tenant"]: each["roles"] for each in found} == {
        tenant.id: [],
        other.id: ["auditor"],
    }


async def test_a_browser_acts_for_another_company_of_the_person_from_the_answer_on(
    stranger: httpx.AsyncClient, tenant: Tenant, other: Tenant, runtime: Runtime
) -> None:
    answer = await logged_in(stranger, tenant, keep="session")
    ours = as_header(cookies_of(answer)) | {"X-CSRF-Token": answer.json()["csrf_token"]}
    told = (await stranger.get(READ, headers=ours)).json()
    for foreign in (other.id, str(uuid4())):
        refused = await stranger.post(CHOOSE, headers=ours, json={"tenant": foreign})
        assert (refused.status_code, refused.json()["code"]) == (401, "access.no_member")
        assert foreign not in refused.text
    await join(runtime, told["user"], tenant.email, other)
    chosen = await stranger.post(CHOOSE, headers=ours, json={"tenant": other.id})
    assert chosen.status_code == 204, chosen.text
    assert (await stranger.get(READ, headers=ours)).json()["tenant"] == other.id


async def test_who_was_taken_out_of_their_first_company_acts_for_another(
    stranger: httpx.AsyncClient, tenant: Tenant, other: Tenant, runtime: Runtime
) -> None:
    told = (await logged_in(stranger, tenant)).json()
    account = (await stranger.get(READ, headers=bearer(told["access_token"]))).json()
    for company in (tenant, other):
        await join(runtime, account["user"], tenant.email, company)
    assert (await logged_in(stranger, tenant)).json()["tenant"] == tenant.id
    removed = build(RemoveMember, {"user": account["user"]}, runtime.clock)
    await runtime.bus.execute(removed, replace(OPERATOR, tenant=tenant.id))
    await asyncio.sleep(KEPT_SECONDS)
    assert (await logged_in(stranger, tenant)).json()["tenant"] == other.id


async def test_a_person_changes_their_password_and_is_logged_out_elsewhere(
    stranger: httpx.AsyncClient, tenant: Tenant
) -> None:
    here, there = [(await logged_in(stranger, tenant)).json() for _ in range(2)]
    given = {"current": PASSWORD, "new": NEW}
    changed = await stranger.post(CHANGE, headers=bearer(here["access_token"]), json=given)
    assert changed.status_code == 204, changed.text
    refreshed = [
        await stranger.post("/api/v1/refresh", json={"refresh_token": each["refresh_token"]})
        for each in (here, there)
    ]
    assert [each.status_code for each in refreshed] == [200, 401]
    logins = [
        await stranger.post("/api/v1/login", json={"email": tenant.email, "password": password})
        for password in (PASSWORD, NEW)
    ]
    assert [each.status_code for each in logins] == [401, 200]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"current": "not the one", "new": NEW}, "access.wrong_password"),
        ({"current": PASSWORD, "new": "too short"}, "access.password_too_short"),
        ({"current": PASSWORD, "new": "password1234"}, "access.password_common"),
        ({"current": PASSWORD, "new": "x" * 1_000_000}, "input.invalid"),
        ({"current": "x" * 1_000_000, "new": NEW}, "input.invalid"),
    ],
    ids=["wrong", "short", "common", "a megabyte", "a megabyte to check"],
)
async def test_a_password_that_can_not_be_changed_says_why(
    stranger: httpx.AsyncClient, tenant: Tenant, given: dict[str, str], code: str
) -> None:
    entry = (await logged_in(stranger, tenant)).json()
    answer = await stranger.post(CHANGE, headers=bearer(entry["access_token"]), json=given)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert not any(password in answer.text for password in given.values())


@pytest.mark.parametrize(("method", "path"), [("GET", READ), ("POST", CHANGE), ("POST", CHOOSE)])
async def test_a_key_has_no_account(
    client: httpx.AsyncClient, tenant: Tenant, method: str, path: str
) -> None:
    bodies = {CHANGE: {"current": PASSWORD, "new": NEW}, CHOOSE: {"tenant": tenant.id}}
    answer = await client.request(method, path, json=bodies.get(path))
    assert (answer.status_code, answer.json()["code"]) == (403, "access.no_person")
