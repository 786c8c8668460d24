"""Sessions as a client has them: tokens, cookies, and pages that may not ask."""

import asyncio
from uuid import uuid4

import httpx
import pytest
from msgspec import Struct
from msgspec.structs import replace

from adapters.access.door import door_of
from adapters.access.login import log_in_as
from adapters.access.lookups import KEPT_SECONDS
from adapters.access.sessions import Client
from adapters.runtime import Runtime
from application.kernel import build
from domain.access import AdmitMember, RemoveMember, UserId
from tests.rest.api import OPERATOR, PASSWORD, Tenant, make_tenant

READ = "/api/v1/account/sessions"
CHANGE = "/api/v1/account/sessions/end-others"


async def logged_in(client: httpx.AsyncClient, tenant: Tenant, **given: str) -> httpx.Response:
    body = {"email": tenant.email, "password": PASSWORD, **given}
    answer = await client.post("/api/v1/login", json=body)
    assert answer.status_code == 200, answer.text
    return answer


def cookies_of(answer: httpx.Response) -> dict[str, str]:
    """Read Set-Cookie by hand: a client keeps none that are Secure where it came by http."""
    pairs = (
        each.partition(";")[0].partition("=") for each in answer.headers.get_list("set-cookie")
    )
    return {name: value for name, _, value in pairs}


def as_header(cookies: dict[str, str]) -> dict[str, str]:
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_a_refresh_token_gives_others_and_logging_out_ends_all(
    stranger: httpx.AsyncClient, tenant: Tenant
) -> None:
    first = (await logged_in(stranger, tenant)).json()
    token = {"refresh_token": first["refresh_token"]}
    second = (await stranger.post("/api/v1/refresh", json=token)).json()
    assert second["session"] == first["session"]
    assert second["refresh_token"] != first["refresh_token"]
    for each in (first, second):
        answer = await stranger.get(READ, headers=bearer(each["access_token"]))
        assert answer.json()["sessions"][0]["current"]
    out = await stranger.post("/api/v1/logout", headers=bearer(second["access_token"]))
    assert out.status_code == 204
    later = await stranger.post("/api/v1/refresh", json={"refresh_token": second["refresh_token"]})
    assert (later.status_code, later.json()["code"]) == (401, "access.refresh_unknown")


async def test_who_has_only_the_refresh_token_can_log_out(
    stranger: httpx.AsyncClient, tenant: Tenant
) -> None:
    given = {"refresh_token": (await logged_in(stranger, tenant)).json()["refresh_token"]}
    assert (await stranger.post("/api/v1/logout", json=given)).status_code == 204
    assert (await stranger.post("/api/v1/logout", json=given)).status_code == 401
    assert (await stranger.post("/api/v1/logout")).status_code == 401


async def test_a_session_of_a_browser_is_a_cookie_that_binds_itself_to_the_host(
    stranger: httpx.AsyncClient, tenant: Tenant
) -> None:
    answer = await logged_in(stranger, tenant, keep="session")
    kept = {each.partition("=")[0]: each for each in answer.headers.get_list("set-cookie")}
    session = kept["__Host-session"]
    for part in ("Secure", "HttpOnly", "Path=/", "SameSite=lax", "Max-Age=7776000"):
        assert part in session
    assert "Domain" not in session
    assert "HttpOnly" not in kept["csrf_token"]
    assert "access_token" not in answer.json()
    assert (await stranger.get(READ, headers=as_header(cookies_of(answer)))).status_code == 200


OURS = {"Sec-Fetch-Site": "same-origin"}
FOREIGN = {"Origin": "https://evil.example"}


class Forgery(Struct, frozen=True):
    """A page that asks by a cookie for a change, and what it is told."""

    keep: str
    sent: dict[str, str]
    with_token: bool
    status: int


class Asking(Struct, frozen=True, kw_only=True):
    """A page that asks for a change by a cookie, and what it is told."""

    keep: str
    sent: dict[str, str]
    token: bool = False
    status: int = 403


PAGES = {
    "a token": Asking(keep="session", sent={}, token=True, status=200),
    "ours, a token": Asking(keep="session", sent=OURS, token=True, status=200),
    "no token": Asking(keep="session", sent={}),
    "ours, no token": Asking(keep="session", sent=OURS),
    "foreign, a token": Asking(keep="session", sent=FOREIGN, token=True),
    "of a sandbox": Asking(keep="session", sent={"Origin": "null"}, token=True),
    "across sites": Asking(keep="session", sent={"Sec-Fetch-Site": "cross-site"}, token=True),
    "older, a token": Asking(keep="cookies", sent={}, token=True, status=200),
    "older, ours": Asking(keep="cookies", sent=OURS, status=200),
    "older, nobody knows": Asking(keep="cookies", sent={}),
    "older, foreign": Asking(keep="cookies", sent=FOREIGN),
    "older, foreign, a token": Asking(keep="cookies", sent=FOREIGN, token=True),
    "older, a sister's": Asking(keep="cookies", sent={"Sec-Fetch-Site": "same-site"}),
}


@pytest.mark.parametrize("name", PAGES)
async def test_only_pages_of_ours_change_anything_by_a_cookie(
    stranger: httpx.AsyncClient, tenant: Tenant, name: str
) -> None:
    page = PAGES[name]
    answer = await logged_in(stranger, tenant, keep=page.keep)
    headers = {**as_header(cookies_of(answer)), **page.sent}
    assert (await stranger.get(READ, headers=headers)).status_code == 200
    if page.token:
        headers["X-CSRF-Token"] = answer.json()["csrf_token"]
    changed = await stranger.post(CHANGE, headers=headers)
    assert changed.status_code == page.status
    if page.status == 403:
        assert changed.json()["code"] == "access.forged_request"


async def test_the_token_of_one_session_is_none_of_another(
    stranger: httpx.AsyncClient, tenant: Tenant
) -> None:
    mine, other = [await logged_in(stranger, tenant, keep="session") for _ in range(2)]
    token = {"X-CSRF-Token": other.json()["csrf_token"]}
    headers = {**as_header(cookies_of(mine)), **token}
    assert (await stranger.post(CHANGE, headers=headers)).status_code == 403


async def test_graphql_takes_cookies_by_the_same_rules(
    stranger: httpx.AsyncClient, tenant: Tenant
) -> None:
    answer = await logged_in(stranger, tenant, keep="session")
    headers = as_header(cookies_of(answer))
    asked = {"query": "{ __typename }"}
    forged = await stranger.post("/graphql", json=asked, headers=headers)
    assert forged.status_code == 403
    headers["X-CSRF-Token"] = answer.json()["csrf_token"]
    assert (await stranger.post("/graphql", json=asked, headers=headers)).status_code == 200


async def test_browsers_of_older_pages_keep_tokens_as_cookies(
    stranger: httpx.AsyncClient, tenant: Tenant
) -> None:
    answer = await logged_in(stranger, tenant, keep="cookies")
    kept = {each.partition("=")[0]: each for each in answer.headers.get_list("set-cookie")}
    assert "SameSite=lax" in kept["access_token"]
    assert "SameSite=none" in kept["refresh_token"]
    for name in ("access_token", "refresh_token"):
        assert "HttpOnly" in kept[name]
        assert "Secure" in kept[name]
    headers = {**as_header(cookies_of(answer)), **OURS}
    again = await stranger.post("/api/v1/refresh", json={}, headers=headers)
    assert again.status_code == 200
    assert cookies_of(again)["refresh_token"] != cookies_of(answer)["refresh_token"]
    forged = await stranger.post("/api/v1/refresh", json={}, headers={**headers, **FOREIGN})
    assert forged.status_code == 403
    out = await stranger.post("/api/v1/logout", headers={**as_header(cookies_of(again)), **OURS})
    assert out.status_code == 204
    assert set(cookies_of(out).values()) <= {"", '""'}


async def test_no_cookie_of_before_is_the_session_of_a_login(
    stranger: httpx.AsyncClient, tenant: Tenant
) -> None:
    planted = cookies_of(await logged_in(stranger, tenant, keep="session"))
    headers = {**as_header(planted), **OURS}
    body = {"email": tenant.email, "password": PASSWORD, "keep": "session"}
    answer = await stranger.post("/api/v1/login", json=body, headers=headers)
    assert cookies_of(answer)["__Host-session"] != planted["__Host-session"]


async def test_no_page_of_others_logs_anybody_in_by_cookies(
    stranger: httpx.AsyncClient, tenant: Tenant
) -> None:
    body = {"email": tenant.email, "password": PASSWORD, "keep": "session"}
    answer = await stranger.post("/api/v1/login", json=body, headers=FOREIGN)
    assert (answer.status_code, answer.json()["code"]) == (403, "access.foreign_page")


async def test_a_header_counts_and_no_cookie_beside_it(
    stranger: httpx.AsyncClient, tenant: Tenant
) -> None:
    cookies = as_header(cookies_of(await logged_in(stranger, tenant, keep="session")))
    answer = await stranger.get(READ, headers={**cookies, **bearer("no token")})
    assert answer.status_code == 401


async def test_a_person_goes_on_for_another_company(
    stranger: httpx.AsyncClient, runtime: Runtime, tenant: Tenant
) -> None:
    other = await make_tenant(runtime)
    first = (await logged_in(stranger, tenant)).json()
    given = {"refresh_token": first["refresh_token"], "tenant": other.id}
    refused = await stranger.post("/api/v1/refresh", json=given)
    assert (refused.status_code, refused.json()["code"]) == (401, "access.no_member")
    mine = (await stranger.get(READ, headers=bearer(first["access_token"]))).json()["sessions"][0]
    assert mine["tenant"] == tenant.id


async def test_who_is_refused_keeps_the_refresh_token_that_was_shown(
    stranger: httpx.AsyncClient, runtime: Runtime, tenant: Tenant
) -> None:
    first = (await logged_in(stranger, tenant)).json()
    given = {"refresh_token": first["refresh_token"]}
    elsewhere = {**given, "tenant": (await make_tenant(runtime)).id}
    assert (await stranger.post("/api/v1/refresh", json=elsewhere)).status_code == 401
    second = (await stranger.post("/api/v1/refresh", json=given)).json()
    assert second["refresh_token"].split("_")[2] == "1"


async def test_who_may_do_nothing_any_more_can_still_log_out(
    stranger: httpx.AsyncClient, runtime: Runtime, tenant: Tenant
) -> None:
    user, email = UserId(str(uuid4())), "ana@example.org"
    by = replace(OPERATOR, tenant=tenant.id)
    admit = {"user": user, "email": email, "roles": ["auditor"]}
    await runtime.bus.execute(build(AdmitMember, admit, runtime.clock), by)
    made = await log_in_as(runtime, user, tenant.id, Client(), "session")
    await runtime.bus.execute(build(RemoveMember, {"user": user}, runtime.clock), by)
    headers = as_header({"__Host-session": made.opened.secret})
    headers["X-CSRF-Token"] = made.csrf_token
    await asyncio.sleep(KEPT_SECONDS)
    assert (await stranger.get(READ, headers=headers)).status_code == 401
    out = await stranger.post("/api/v1/logout", headers=headers)
    assert out.status_code == 204
    assert set(cookies_of(out).values()) <= {"", '""'}
    assert await door_of(runtime).sessions.of_user(user) == []


@pytest.mark.parametrize("origin", ["http://[", "evil://{host}", "//{host}", "null", ""], ids=str)
async def test_what_is_no_origin_of_the_web_is_not_ours(
    stranger: httpx.AsyncClient, tenant: Tenant, origin: str
) -> None:
    body = {"email": tenant.email, "password": PASSWORD, "keep": "session"}
    sent = {"Origin": origin.format(host=stranger.base_url.netloc.decode())}
    answer = await stranger.post("/api/v1/login", json=body, headers=sent)
    assert (answer.status_code, answer.json()["code"]) == (403, "access.foreign_page")


async def test_an_api_key_has_no_sessions(client: httpx.AsyncClient) -> None:
    answer = await client.get(READ)
    assert (answer.status_code, answer.json()["code"]) == (403, "access.no_person")


async def test_sessions_are_listed_and_ended_by_their_own_person(
    stranger: httpx.AsyncClient, runtime: Runtime, tenant: Tenant
) -> None:
    mine = (await logged_in(stranger, tenant)).json()
    theirs = (await logged_in(stranger, await make_tenant(runtime))).json()
    headers = bearer(mine["access_token"])
    found = (await stranger.get(READ, headers=headers)).json()["sessions"]
    assert theirs["session"] not in {each["session"] for each in found}
    for session in (theirs["session"], "00000000-0000-7000-8000-000000000000"):
        answer = await stranger.post(f"{READ}/{session}/end", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "access.session_absent")
    again = (await logged_in(stranger, tenant)).json()
    ended = await stranger.post(f"{READ}/{again['session']}/end", headers=headers)
    assert ended.json() == {"ended": 1}
    gone = await stranger.post("/api/v1/refresh", json={"refresh_token": again["refresh_token"]})
    assert gone.status_code == 401
