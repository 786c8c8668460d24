"""What letters open, over REST: invitations, other passwords, addresses shown to be somebody's."""

import time
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest

from adapters.accounts.links import Links, Purpose, invitation_name
from adapters.rest.recovery import SENT
from adapters.runtime import Runtime
from adapters.settings import Settings
from application.ports import QueryItem
from domain.access import InvitationId
from domain.ids import SYSTEM_TENANT
from tests.rest.api import PASSWORD, Tenant, caller, make_tenant

OTHER = "seven green saddles"
ROLES = {"roles": ["bookkeeper"]}


async def log_in(client: httpx.AsyncClient, email: str, password: str) -> httpx.Response:
    return await client.post("/api/v1/login", json={"email": email, "password": password})


async def invited(client: httpx.AsyncClient, api: Settings, tenant: Tenant, email: str) -> str:
    """Invite somebody, and return the token of the letter."""
    made = await client.post("/api/v1/invitations", json={"email": email, **ROLES})
    assert made.status_code == 201, made.text
    name = invitation_name(tenant.id, InvitationId(made.json()["invitation"]))
    return Links(api).token("invitation", name)


async def last_link(runtime: Runtime, api: Settings, purpose: Purpose, event: str) -> str:
    """Return the token of the letter that was asked for last."""
    query = [QueryItem(types=(event,))]
    asked = [each async for each in runtime.store.read(SYSTEM_TENANT, query)][-1]
    (link,) = [tag.partition(":")[2] for tag in asked.tags if tag.startswith("link:")]
    return Links(api).token(purpose, link)


@pytest.fixture
async def person(
    api: Settings, stranger: httpx.AsyncClient, tenant: Tenant
) -> AsyncIterator[httpx.AsyncClient]:
    """Calls as the owner of *tenant*, logged in."""
    answer = await log_in(stranger, tenant.email, PASSWORD)
    async with caller(api, answer.json()["access_token"]) as person:
        yield person


async def test_who_is_invited_comes_in_and_logs_in(
    api: Settings, client: httpx.AsyncClient, stranger: httpx.AsyncClient, tenant: Tenant
) -> None:
    email = f"{uuid4().hex}@books.example"
    token = await invited(client, api, tenant, email)
    needed = await stranger.post("/api/v1/invitations/accept", json={"token": token})
    assert (needed.status_code, needed.json()["code"]) == (401, "access.password_needed")
    given = {"token": token, "password": OTHER}
    came = await stranger.post("/api/v1/invitations/accept", json=given)
    assert came.status_code == 200, came.text
    assert came.json()["tenant"] == tenant.id
    again = await stranger.post("/api/v1/invitations/accept", json=given)
    assert (again.status_code, again.json()["code"]) == (409, "access.invitation_over")
    entered = await log_in(stranger, email, OTHER)
    assert entered.status_code == 200, entered.text
    async with caller(api, entered.json()["access_token"]) as member:
        assert (await member.get("/api/v1/invoices")).status_code == 200
        assert (await member.get("/api/v1/invitations")).status_code == 403
    listed = await client.get(f"/api/v1/invitations?at_least={came.json()['position']}")
    (row,) = [each for each in listed.json()["items"] if each["email"] == email]
    assert (row["status"], row["user"]) == ("accepted", came.json()["user"])


async def test_who_is_logged_in_accepts_without_a_password(
    api: Settings,
    client: httpx.AsyncClient,
    person: httpx.AsyncClient,
    other: Tenant,
    tenant: Tenant,
) -> None:
    async with caller(api, other.key) as inviting:
        token = await invited(inviting, api, other, tenant.email)
    by_key = await client.post("/api/v1/invitations/accept", json={"token": token})
    assert (by_key.status_code, by_key.json()["code"]) == (401, "access.not_shown")
    came = await person.post("/api/v1/invitations/accept", json={"token": token})
    assert came.status_code == 200, came.text
    assert came.json()["tenant"] == other.id


async def test_nobody_invites_to_what_they_lack(api: Settings, runtime: Runtime) -> None:
    lesser = await make_tenant(runtime, ("access.member.invite", "jobs.job.read"))
    async with caller(api, lesser.key) as client:
        given = {"email": "x@books.example", "roles": ["owner"]}
        refused = await client.post("/api/v1/invitations", json=given)
    assert (refused.status_code, refused.json()["code"]) == (409, "access.not_yours_to_give")


async def test_an_invitation_is_sent_again_and_withdrawn(
    api: Settings, client: httpx.AsyncClient, stranger: httpx.AsyncClient, tenant: Tenant
) -> None:
    made = await client.post("/api/v1/invitations", json={"email": "y@books.example", **ROLES})
    path = f"/api/v1/invitations/{made.json()['invitation']}"
    assert (await client.post(f"{path}/resend", json={"days": 30})).status_code == 200
    assert (await client.post(f"{path}/withdraw")).status_code == 200
    assert (await client.post(f"{path}/resend")).status_code == 409
    name = invitation_name(tenant.id, InvitationId(made.json()["invitation"]))
    given = {"token": Links(api).token("invitation", name), "password": OTHER}
    refused = await stranger.post("/api/v1/invitations/accept", json=given)
    assert (refused.status_code, refused.json()["code"]) == (409, "access.invitation_over")


async def test_a_forgotten_password_is_chosen_anew_and_everybody_is_logged_out(
    api: Settings,
    runtime: Runtime,
    stranger: httpx.AsyncClient,
    person: httpx.AsyncClient,
    tenant: Tenant,
) -> None:
    asked = await stranger.post("/api/v1/password/forgotten", json={"email": tenant.email})
    assert (asked.status_code, asked.json()) == (202, {"detail": SENT})
    token = await last_link(runtime, api, "password", "PasswordForgotten")
    given = {"token": token, "password": OTHER}
    done = await stranger.post("/api/v1/password/reset", json=given)
    assert done.status_code == 204, done.text
    assert (await log_in(stranger, tenant.email, PASSWORD)).status_code == 401
    assert (await log_in(stranger, tenant.email, OTHER)).status_code == 200
    since = time.monotonic()
    while (await person.get("/api/v1/account")).status_code != 401:
        assert time.monotonic() - since < 1.0
    again = await stranger.post("/api/v1/password/reset", json=given)
    assert (again.status_code, again.json()["code"]) == (409, "access.link_spent")


async def test_whether_an_address_has_an_account_is_not_told(
    runtime: Runtime, stranger: httpx.AsyncClient, tenant: Tenant
) -> None:
    async def asked(email: str) -> tuple[int, bytes, set[str], int]:
        before = await runtime.store.head(SYSTEM_TENANT)
        answer = await stranger.post("/api/v1/password/forgotten", json={"email": email})
        query = [QueryItem(types=("PasswordForgotten",))]
        found = runtime.store.read(SYSTEM_TENANT, query, after=before)
        many = len([each async for each in found])
        return answer.status_code, answer.content, {*answer.headers}, many

    known = await asked(tenant.email)
    assert known == await asked(f"{uuid4().hex}@nowhere.example")
    assert (known[0], known[3]) == (202, 1)


async def test_asking_for_a_password_takes_as_long_for_an_unknown_address(
    stranger: httpx.AsyncClient, tenant: Tenant
) -> None:
    async def seconds(email: str) -> float:
        since = time.perf_counter()
        answer = await stranger.post("/api/v1/password/forgotten", json={"email": email})
        assert answer.status_code == 202
        return time.perf_counter() - since

    known = min([await seconds(tenant.email) for _ in range(4)])
    unknown = min([await seconds(f"nobody@{tenant.slug}.example") for _ in range(4)])
    assert 0.2 < unknown / known < 5


async def test_an_address_is_shown_to_be_ones_own(
    api: Settings, runtime: Runtime, stranger: httpx.AsyncClient, person: httpx.AsyncClient
) -> None:
    asked = await person.post("/api/v1/account/email/verification")
    assert asked.status_code == 202, asked.text
    token = await last_link(runtime, api, "email", "EmailVerificationAsked")
    foreign = await stranger.post(
        "/api/v1/password/reset", json={"token": token, "password": OTHER}
    )
    assert (foreign.status_code, foreign.json()["code"]) == (400, "access.link_invalid")
    shown = await stranger.post("/api/v1/email/verify", json={"token": token})
    assert shown.status_code == 204, shown.text
    again = await stranger.post("/api/v1/email/verify", json={"token": token})
    assert (again.status_code, again.json()["code"]) == (409, "access.link_spent")


async def test_a_key_asks_for_no_letter(client: httpx.AsyncClient) -> None:
    refused = await client.post("/api/v1/account/email/verification")
    assert (refused.status_code, refused.json()["code"]) == (403, "access.no_person")


async def test_nobody_fills_the_mailbox_of_another(client: httpx.AsyncClient) -> None:
    given = {"email": f"{uuid4().hex}@books.example", **ROLES}
    answers = [await client.post("/api/v1/invitations", json=given) for _ in range(6)]
    assert [each.status_code for each in answers] == [201] * 5 + [429]
    mutation = (
        """mutation ($input: InviteMemberInput!) { inviteMember(input: $input) { position } }"""
    )
    asked = {"query": mutation, "variables": {"input": given}}
    refused = (await client.post("/graphql", json=asked)).json()
    assert refused["errors"][0]["extensions"]["code"] == "access.too_many_tries"
