"""What shows who is logged in, made up, altered, copied or planted: it opens nothing."""

import asyncio
import json
from typing import Final

import httpx
import pytest
from websockets import ConnectionClosed, Subprotocol
from websockets.asyncio.client import connect

from adapters.settings import Settings
from tests.rest.api import Tenant
from tests.rest.test_sessions import cookies_of, logged_in

WHO: Final = "/api/v1/account/sessions"
CHANGE: Final = "/api/v1/account/sessions/end-others"
SECRET: Final = "A" * 43
FORBIDDEN: Final = 4403
UUID: Final = "01a205c7-c7a8-7878-8608-5c3555ae90ce"
MADE_UP: Final = (
    "x",
    f"ass_{UUID}_{SECRET}",
    f"asr_{UUID}_{SECRET}",
    f"asr_{UUID}_0_{SECRET}",
    f"asr_{UUID}_999999999_{SECRET}",
    f"asr_{UUID}_-1_{SECRET}",
    f"asr_{UUID.upper()}_0_{SECRET}",
    f"asr_{'-' * 36}_0_{SECRET}",
    f"ass_{'-' * 36}_{SECRET}",
    f"asr_{'a' * 36}_0_{SECRET}",
    f"ass_{'a' * 36}_{SECRET}",
    f"ass_{'0' * 36}_{SECRET}",
    f"ass_{UUID}_{SECRET}'--",
    f"ass_{UUID}_{'%00' * 14}A",
    "ask_x_y",
    "eyJhbGciOiJub25lIn0.e30.",
    "a" * 200,
)


@pytest.mark.parametrize("text", MADE_UP, ids=range(len(MADE_UP)))
async def test_no_secret_is_made_up(stranger: httpx.AsyncClient, text: str) -> None:
    for name in ("__Host-session", "access_token", "refresh_token"):
        seen = await stranger.get(WHO, headers={"Cookie": f"{name}={text}"})
        assert seen.status_code == 401, name
    for name in ("refresh", "logout"):
        place = f"/api/v1/{name}"
        own = await stranger.post(place, json={"refresh_token": text})
        kept = await stranger.post(
            place, json={}, headers={"Cookie": f"refresh_token={text}", "Sec-Fetch-Site": "none"}
        )
        assert (own.status_code, kept.status_code) == (401, 401), place
    assert (await stranger.get(WHO, headers={"Authorization": f"Bearer {text}"})).status_code == 401


@pytest.mark.parametrize(
    "cookie",
    [
        'x="; __Host-session={}',
        "__Host-session={0}\x01",
        "__Host-session=x; __Host-session={0}x",
        '__Host-session="{0}',
        "__host-session={0}",
        "\xa0__Host-session={0}",
        "__Host-session={0}" + "; x=y" * 500,
    ],
    ids=range(7),
)
async def test_a_cookie_of_an_odd_form_breaks_nothing(
    stranger: httpx.AsyncClient, tenant: Tenant, cookie: str
) -> None:
    secret = cookies_of(await logged_in(stranger, tenant, keep="session"))["__Host-session"]
    headers = [(b"Cookie", cookie.format(secret).encode("latin-1"))]
    assert (await stranger.get(WHO, headers=headers)).status_code in {200, 400, 401}


async def test_twenty_with_one_refresh_token_get_one_successor(
    stranger: httpx.AsyncClient, tenant: Tenant
) -> None:
    first = (await logged_in(stranger, tenant)).json()["refresh_token"]
    asked = (stranger.post("/api/v1/refresh", json={"refresh_token": first}) for _ in range(20))
    answers = await asyncio.gather(*asked)
    assert {each.status_code for each in answers} == {200}
    assert len({each.json()["refresh_token"] for each in answers}) == 1


async def test_a_copy_that_is_used_later_ends_the_session_for_its_thief_as_well(
    stranger: httpx.AsyncClient, tenant: Tenant
) -> None:
    tokens = [(await logged_in(stranger, tenant)).json()]
    for _ in range(2):
        given = {"refresh_token": tokens[-1]["refresh_token"]}
        tokens.append((await stranger.post("/api/v1/refresh", json=given)).json())
    codes = []
    for each in tokens:
        given = {"refresh_token": each["refresh_token"]}
        codes.append((await stranger.post("/api/v1/refresh", json=given)).json()["code"])
    assert codes == ["access.refresh_reused", "access.refresh_unknown", "access.refresh_unknown"]
    await asyncio.sleep(1)  # As long as it may take until a session that ended opens nothing.
    for each in tokens:
        bearer = {"Authorization": f"Bearer {each['access_token']}"}
        assert (await stranger.get(WHO, headers=bearer)).status_code == 401


OVERRIDES: Final = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")


async def test_no_cookie_changes_anything_by_a_safe_method_or_by_another_form(
    stranger: httpx.AsyncClient, tenant: Tenant
) -> None:
    answer = await logged_in(stranger, tenant, keep="session")
    cookie = {"Cookie": f"__Host-session={cookies_of(answer)['__Host-session']}"}
    token = answer.json()["csrf_token"]
    for name in OVERRIDES:
        got = await stranger.get(CHANGE, headers={**cookie, name: "POST"})
        assert got.status_code == 405
    places = (f"{CHANGE}?csrf_token={token}", f"{CHANGE}?_method=GET", CHANGE)
    for place in places:
        for form in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            headers = {
                **cookie,
                "Content-Type": form,
                "Cookie": f"{cookie['Cookie']}; csrf_token={token}",
            }
            sent = await stranger.post(place, content=f"csrf_token={token}", headers=headers)
            assert sent.status_code == 403, (place, form)
    mutation = "/graphql?query=mutation{cancelJob(input:{job:1}){position}}"
    changed = await stranger.get(mutation, headers=cookie)
    assert "errors" in changed.json()


async def opened(api: Settings, **headers: str) -> str | int | None:
    """Open a socket as a page would; say what came of it: a message, or a code of closing."""
    url = f"ws://{api.asiento_host}:{api.port}/graphql"
    spoken = [Subprotocol("graphql-transport-ws")]
    sent = {name.title(): value for name, value in headers.items()}
    async with connect(url, subprotocols=spoken, additional_headers=sent, proxy=None) as socket:
        try:
            await socket.send('{"type":"connection_init"}')
            return str(json.loads(await socket.recv())["type"])
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None


async def test_no_page_of_others_opens_a_socket_by_a_cookie(
    api: Settings, stranger: httpx.AsyncClient, tenant: Tenant
) -> None:
    for keep, name in (("session", "__Host-session"), ("cookies", "access_token")):
        cookie = f"{name}={cookies_of(await logged_in(stranger, tenant, keep=keep))[name]}"
        own = f"http://{api.asiento_host}:{api.port}"
        assert await opened(api, cookie=cookie, origin=own) == "connection_ack"
        for origin in ("https://evil.example", "null", f"{own}.evil.example", f"{own}0"):
            assert await opened(api, cookie=cookie, origin=origin) == FORBIDDEN
        assert await opened(api, cookie=cookie) == FORBIDDEN


async def test_a_token_of_a_person_is_taken_by_its_own_name_alone(
    stranger: httpx.AsyncClient, tenant: Tenant
) -> None:
    """A refresh token opens nothing, an access token refreshes nothing, and no cookie is both."""
    told = (await logged_in(stranger, tenant)).json()
    browser = cookies_of(await logged_in(stranger, tenant, keep="session"))["__Host-session"]
    for wrong in (told["refresh_token"], browser):
        assert (
            await stranger.get(WHO, headers={"Authorization": f"Bearer {wrong}"})
        ).status_code == 401
        assert (
            await stranger.get(WHO, headers={"Cookie": f"access_token={wrong}"})
        ).status_code == 401
    for wrong in (told["access_token"], browser):
        answer = await stranger.post("/api/v1/refresh", json={"refresh_token": wrong[:200]})
        assert answer.status_code == 401
    for wrong in (told["access_token"], told["refresh_token"]):
        cookie = {"Cookie": f"__Host-session={wrong}"}
        assert (await stranger.get(WHO, headers=cookie)).status_code == 401
