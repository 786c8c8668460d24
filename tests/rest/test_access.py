"""Who gets in, and who does not: keys, tokens, passwords, and how fast a lock closes."""

import asyncio
import time
from functools import partial

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jwt
from joserfc.jwk import OctKey, OKPKey
from msgspec.structs import replace

from adapters.access.door import door_of
from adapters.access.secret import keys_for
from adapters.access.sessions import Client, Session
from adapters.access.tokens import PURPOSE
from adapters.runtime import Runtime
from adapters.settings import Settings
from application.kernel import build
from domain.access import OWNER, AdmitMember, RevokeApiKey, UserId
from tests.rest.api import OPERATOR, PASSWORD, Tenant

AS_TEXT = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


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


def claims(tenant: Tenant, session: Session, **other: object) -> dict[str, object]:
    now = int(time.time())
    return {
        "iss": "asiento",
        "aud": "asiento-api",
        "sub": f"user:{session.user}",
        "tenant": tenant.id,
        "sid": session.session,
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
    opened = await door_of(runtime).sessions.open(UserId("x"), tenant.id, "tokens", Client())
    of = partial(claims, tenant, opened.session)
    key, another = (
        OKPKey.import_key(Ed25519PrivateKey.from_private_bytes(seed).private_bytes(*AS_TEXT))
        for seed in (keys_for(api, PURPOSE)[0], b"x" * 32)
    )
    # As a JWK: the library itself refuses to take a PEM for what two share.
    shared = OctKey.import_key({"kty": "oct", "k": key.as_dict(private=False)["x"]})
    ours, header = partial(jwt.encode, key=key, algorithms=["EdDSA"]), {"alg": "EdDSA"}
    tokens = {
        "ours": ours(header, of()),
        "of another key": jwt.encode(header, of(), another, ["EdDSA"]),
        "signed by what all may know": jwt.encode({"alg": "HS256"}, of(), shared),
        "unsigned": jwt.encode({"alg": "none"}, of(), shared, ["none"]),
        "of nobody here": ours(header, of(sub="user:y")),
        "of no session": ours(header, of(sid="00000000-0000-7000-8000-000000000000")),
        "expired": ours(header, of(exp=int(time.time()) - 1)),
        "of another issuer": ours(header, of(iss="other")),
        "for another audience": ours(header, of(aud="other")),
    }
    statuses = {}
    for name, token in tokens.items():
        bearer = {"Authorization": f"Bearer {token}"}
        statuses[name] = (await stranger.get("/api/v1/invoices", headers=bearer)).status_code
    assert statuses == dict.fromkeys(tokens, 401) | {"ours": 200}
