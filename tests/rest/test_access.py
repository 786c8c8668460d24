"""Who gets in, and who does not: keys, tokens, passwords, and how fast a lock closes."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from msgspec.structs import replace

from adapters.access.secret import signing_key
from adapters.runtime import Runtime
from adapters.settings import Settings
from application.kernel import build
from domain.access import OWNER, AdmitMember, RevokeApiKey
from tests.rest.api import OPERATOR, PASSWORD, Tenant, caller, make_tenant


async def logged_in(client: httpx.AsyncClient, email: str, password: str) -> httpx.Response:
    return await client.post("/api/v1/login", json={"email": email, "password": password})


@pytest.mark.parametrize(
    "value",
    [b"", b"Bearer", b"Bearer ask_0_0", b"Basic YTpi", b"Bearer x.y.z", b"ask_1_2", b"Bearer \xe9"],
)
async def test_nobody_gets_in_without_a_credential(
    stranger: httpx.AsyncClient, value: bytes
) -> None:
    answer = await stranger.get("/api/v1/invoices", headers=[(b"Authorization", value)])
    assert (answer.status_code, answer.json()["code"]) == (401, "access.unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_key_with_another_secret_stays_outside(
    stranger: httpx.AsyncClient, tenant: Tenant
) -> None:
    swapped = tenant.key[:-1] + ("a" if tenant.key[-1] != "a" else "b")
    answer = await stranger.get("/api/v1/invoices", headers={"Authorization": f"Bearer {swapped}"})
    assert answer.status_code == 401


async def test_a_revoked_key_stops_within_a_second(
    client: httpx.AsyncClient, runtime: Runtime, tenant: Tenant
) -> None:
    assert (await client.get("/api/v1/invoices")).status_code == 200
    revoke = build(RevokeApiKey, {"key": tenant.key_id}, runtime.clock)
    await runtime.bus.execute(revoke, OPERATOR)
    since = time.monotonic()
    while (await client.get("/api/v1/invoices")).status_code != 401:
        assert time.monotonic() - since < 1.0
        await asyncio.sleep(0.02)


async def test_an_expired_key_is_refused(api: Settings, runtime: Runtime) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    late = await make_tenant(runtime, expires_at=yesterday)
    async with caller(api, late.key) as client:
        assert (await client.get("/api/v1/invoices")).status_code == 401


async def test_a_password_gives_a_token_that_opens(
    stranger: httpx.AsyncClient, tenant: Tenant
) -> None:
    answer = await logged_in(stranger, tenant.email, PASSWORD)
    assert answer.status_code == 200
    assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("Bearer", 600)
    bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert (await stranger.get("/api/v1/invoices", headers=bearer)).status_code == 200


async def test_an_unknown_address_and_a_wrong_password_are_answered_alike(
    stranger: httpx.AsyncClient, tenant: Tenant
) -> None:
    wrong = await logged_in(stranger, tenant.email, "guess")
    unknown = await logged_in(stranger, "nobody@nowhere.example", "guess")
    assert wrong.status_code == unknown.status_code == 401
    assert {**wrong.json(), "instance": ""} == {**unknown.json(), "instance": ""}


async def test_an_unknown_address_takes_as_long_as_a_wrong_password(
    stranger: httpx.AsyncClient, tenant: Tenant
) -> None:
    async def seconds(email: str) -> float:
        since = time.perf_counter()
        await logged_in(stranger, email, "guess")
        return time.perf_counter() - since

    wrong = min([await seconds(tenant.email) for _ in range(5)])
    unknown = min([await seconds(f"nobody@{tenant.slug}.example") for _ in range(5)])
    assert 0.5 < unknown / wrong < 2  # Without a hash to check, it is a tenth.


async def test_too_many_logins_have_to_wait(stranger: httpx.AsyncClient, tenant: Tenant) -> None:
    answers = [await logged_in(stranger, tenant.email, "guess") for _ in range(22)]
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) > 0
    assert answers[-1].json()["code"] == "access.too_many_logins"


def claims(tenant: Tenant, **other: object) -> dict[str, object]:
    now = int(time.time())
    return {
        "iss": "asiento",
        "aud": "asiento-api",
        "sub": "user:x",
        "tenant": tenant.id,
        "iat": now,
        "exp": now + 60,
        **other,
    }


@pytest.mark.filterwarnings("ignore:JWS algorithm")  # We sign so to see it refused.
async def test_only_our_tokens_of_now_are_taken(
    api: Settings, runtime: Runtime, stranger: httpx.AsyncClient, tenant: Tenant
) -> None:
    given = {"user": "x", "email": "x@example.org", "roles": [OWNER]}
    by = replace(OPERATOR, tenant=tenant.id)
    await runtime.bus.execute(build(AdmitMember, given, runtime.clock), by)
    key = OctKey.import_key(signing_key(api))
    another = OctKey.import_key(b"x" * 32)
    tokens = {
        "ours": jwt.encode({"alg": "HS256"}, claims(tenant), key),
        "of another key": jwt.encode({"alg": "HS256"}, claims(tenant), another),
        "of another algorithm": jwt.encode(
            {"alg": "HS512"}, claims(tenant), key, algorithms=["HS512"]
        ),
        "unsigned": jwt.encode({"alg": "none"}, claims(tenant), key, algorithms=["none"]),
        "of nobody here": jwt.encode({"alg": "HS256"}, claims(tenant, sub="user:y"), key),
        "expired": jwt.encode({"alg": "HS256"}, claims(tenant, exp=int(time.time()) - 1), key),
        "of another issuer": jwt.encode({"alg": "HS256"}, claims(tenant, iss="other"), key),
        "for another audience": jwt.encode({"alg": "HS256"}, claims(tenant, aud="other"), key),
    }
    statuses = {}
    for name, token in tokens.items():
        bearer = {"Authorization": f"Bearer {token}"}
        statuses[name] = (await stranger.get("/api/v1/invoices", headers=bearer)).status_code
    assert statuses == dict.fromkeys(tokens, 401) | {"ours": 200}
