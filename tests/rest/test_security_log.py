"""What happens at the door is in the security log, whatever surface it came by."""

import asyncio
from typing import Any, cast

import httpx
import pytest
from litestar import Litestar
from litestar.types import Receive, Scope, Send
from msgspec.structs import replace

from adapters.rest.serve import _config, trusted_proxies
from adapters.runtime import Runtime
from adapters.security.limits import check_rate
from adapters.settings import Settings
from application.errors import Malformed, TooMany
from application.kernel import Context, new_id
from domain.ids import TenantId
from tests.rest.api import PASSWORD, Tenant, caller, make_tenant

ENTRIES = """query Entries($first: Int!, $kind: String) {
  securityEntries(first: $first, kind: $kind) {
    nodes { kind user address details } pageInfo { hasNextPage endCursor }
  }
}"""
SECONDS_MAX = 10.0


async def log_in(client: httpx.AsyncClient, email: str, password: str) -> httpx.Response:
    given = {"email": email, "password": password}
    # 0x9B begins what steers a terminal, as ESC [ does; the server takes no ESC at all.
    forged = [(b"X-Forwarded-For", b"203.0.113.9"), (b"User-Agent", b"Tester/1\x9b31m")]
    return await client.post("/api/v1/login", json=given, headers=forged)


async def noted(client: httpx.AsyncClient, kind: str, many: int = 1) -> list[dict[str, Any]]:
    """List the entries of a kind, once there are so many: they are written behind the answer."""
    async with asyncio.timeout(SECONDS_MAX):
        while True:
            answer = await client.get("/api/v1/security-entries", params={"kind": kind})
            assert answer.status_code == 200, answer.text
            found: list[dict[str, Any]] = answer.json()["items"]
            if len(found) >= many:
                return found
            await asyncio.sleep(0.02)


async def test_logins_are_listed_with_the_address_that_connected(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, tenant: Tenant
) -> None:
    assert (await log_in(stranger, tenant.email, "guess")).status_code == 401
    assert (await log_in(stranger, tenant.email, PASSWORD)).status_code == 200
    (failed,) = await noted(client, "LoginFailed")
    (entered,) = await noted(client, "LoggedIn")
    assert {failed["address"], entered["address"]} == {"127.0.0.1"}
    assert {failed["agent"], entered["agent"]} == {"Tester/131m"}
    assert failed["user"] == entered["user"]
    assert entered["details"]["new_place"]
    assert entered["actor"] == f"user:{entered['user']}"


async def test_a_session_that_ends_is_noted_and_so_is_a_copy_of_its_token(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, tenant: Tenant
) -> None:
    first = (await log_in(stranger, tenant.email, PASSWORD)).json()
    bearer = {"Authorization": f"Bearer {first['access_token']}"}
    assert (await stranger.post("/api/v1/logout", json={}, headers=bearer)).is_success
    (ended,) = await noted(client, "SessionEnded")
    assert ended["details"] == {"session": first["session"], "why": "logout"}
    second = (await log_in(stranger, tenant.email, PASSWORD)).json()
    token = {"refresh_token": second["refresh_token"]}
    for _ in range(2):
        answer = await stranger.post("/api/v1/refresh", json=token)
        token = {"refresh_token": answer.json()["refresh_token"]}
    old = {"refresh_token": second["refresh_token"]}
    assert (await stranger.post("/api/v1/refresh", json=old)).status_code == 401
    (reused,) = await noted(client, "RefreshReused")
    assert reused["details"]["session"] == second["session"]


async def test_a_refusal_is_noted_over_rest_and_over_graphql(
    api: Settings, runtime: Runtime
) -> None:
    tenant = await make_tenant(runtime, ("access.security.read",))
    async with caller(api, tenant.key) as client:
        assert (await client.get("/api/v1/invoices")).status_code == 403
        asked = {"query": "{ jobs(first: 1) { nodes { id } } }"}
        answer = (await client.post("/graphql", json=asked)).json()
        assert answer["errors"][0]["extensions"]["code"] == "access.forbidden"
        refused = await noted(client, "AccessRefused", 2)
    assert [each["details"]["permission"] for each in refused] == [
        "jobs.job.read",
        "invoicing.invoice.read",
    ]
    assert {each["key"] for each in refused} == {tenant.key_id}
    assert {each["address"] for each in refused} == {"127.0.0.0/24"}


async def test_keys_are_listed_as_they_are_made_and_used(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    (used,) = await noted(client, "KeyUsed")
    (made,) = await noted(client, "ApiKeyCreated")
    assert used["key"] == made["key"] == tenant.key_id
    assert "sha256" not in repr(made)


async def test_graphql_lists_what_rest_does(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, tenant: Tenant
) -> None:
    for _ in range(3):
        await log_in(stranger, tenant.email, "guess")
    listed = await noted(client, "LoginFailed", 3)
    asked = {"query": ENTRIES, "variables": {"first": 2, "kind": "LoginFailed"}}
    page = (await client.post("/graphql", json=asked)).json()["data"]["securityEntries"]
    assert [each["details"] for each in page["nodes"]] == [e["details"] for e in listed[:2]]
    assert page["pageInfo"] == {"hasNextPage": True, "endCursor": listed[1]["cursor"]}
    after = {"kind": "LoginFailed", "after": listed[1]["cursor"]}
    rest = (await client.get("/api/v1/security-entries", params=after)).json()
    assert (rest["items"], rest["next"]) == ([listed[2]], None)


async def test_what_another_company_has_is_not_listed(
    api: Settings, client: httpx.AsyncClient, stranger: httpx.AsyncClient, other: Tenant
) -> None:
    await log_in(stranger, other.email, PASSWORD)
    async with caller(api, other.key) as theirs:
        (entry,) = await noted(theirs, "LoggedIn")
    for asked in ({"kind": "LoggedIn"}, {"user": entry["user"]}, {"user": "nobody"}):
        found = (await client.get("/api/v1/security-entries", params=asked)).json()
        assert found == {"items": [], "next": None}


async def test_who_is_locked_out_is_told_for_how_long(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, tenant: Tenant
) -> None:
    answers = [await log_in(stranger, tenant.email, "guess") for _ in range(11)]
    assert [each.status_code for each in answers] == [*[401] * 10, 429]
    assert 25 <= int(answers[-1].headers["retry-after"]) <= 30
    (entry,) = await noted(client, "LockedOut")
    assert entry["details"]["action"] == "login"


async def test_a_caller_may_ask_so_often_a_second(runtime: Runtime) -> None:
    eager = Context(
        tenant=TenantId(new_id(runtime.clock.now())),
        actor="key:x",
        permissions=frozenset(),
        correlation_id="test",
    )
    some = replace(runtime, settings=replace(runtime.settings, requests_per_second_max=5))
    any_number = replace(runtime, settings=replace(runtime.settings, requests_per_second_max=0))
    for _ in range(10):
        await check_rate(some, eager)
    with pytest.raises(TooMany) as error:
        await check_rate(some, eager)
    assert (error.value.code, error.value.wait_seconds) == ("access.too_many_requests", 1)
    for _ in range(100):
        await check_rate(any_number, eager)


@pytest.mark.parametrize(
    ("proxies", "connected", "client"),
    [
        (None, "127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1", "203.0.113.9"),
        ("10.0.0.0/8", "127.0.0.1", "127.0.0.1"),
        ("10.0.0.0/8, 203.0.113.9", "10.1.2.3", "198.51.100.1"),
    ],
    ids=["none", "trusted", "another", "several"],
)
async def test_only_a_trusted_proxy_says_who_calls(
    proxies: str | None, connected: str, client: str
) -> None:
    seen: list[str] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        assert scope["client"] is not None
        seen.append(scope["client"][0])

    config = _config(cast("Litestar", app), Settings(trusted_proxies=proxies))
    config.load()
    scope = {
        "type": "http",
        "client": (connected, 1),
        "scheme": "http",
        "headers": [(b"x-forwarded-for", b"6.6.6.6, 198.51.100.1, 203.0.113.9")],
    }
    await config.loaded_app(scope, cast("Any", None), cast("Any", None))
    assert seen == [client]


def test_a_proxy_is_an_address_or_a_network() -> None:
    with pytest.raises(Malformed) as error:
        trusted_proxies(Settings(trusted_proxies="10.0.0.0/8, balancer.example"))
    assert error.value.code == "settings.bad_proxy"
