"""Second factors over REST: set up by who is logged in, asked for at the next login."""

from collections.abc import AsyncIterator

import httpx
import pytest
from pyotp import TOTP

from adapters.settings import Settings
from tests.access.authenticator import Device, Json
from tests.rest.api import PASSWORD, Tenant, caller
from tests.rest.test_members import until

LOGIN = "/api/v1/login"
ACCOUNT = "/api/v1/account"
PROOF = {"password": PASSWORD}


async def log_in(
    client: httpx.AsyncClient, tenant: Tenant, code: str | None = None
) -> httpx.Response:
    given = {"email": tenant.email, "password": PASSWORD, "code": code}
    return await client.post(LOGIN, json=given)


async def post(client: httpx.AsyncClient, path: str, given: Json, status: int = 200) -> Json:
    answer = await client.post(f"{ACCOUNT}{path}", json=given)
    assert answer.status_code == status, answer.text
    found: Json = answer.json() if answer.content else {}
    return found


@pytest.fixture
async def person(
    api: Settings, stranger: httpx.AsyncClient, tenant: Tenant
) -> AsyncIterator[httpx.AsyncClient]:
    """Calls as the owner of *tenant*, logged in."""
    answer = await log_in(stranger, tenant)
    assert answer.status_code == 200, answer.text
    async with caller(api, answer.json()["access_token"]) as person:
        yield person


@pytest.fixture
def device(api: Settings) -> Device:
    return Device(f"http://localhost:{api.port}")


async def add(person: httpx.AsyncClient, device: Device) -> Json:
    options = await post(person, "/passkeys/options", PROOF)
    given = {"name": "my phone", "credential": device.make(options)}
    return await post(person, "/passkeys", given, 201)


async def by_passkey(stranger: httpx.AsyncClient, device: Device) -> httpx.Response:
    options = await stranger.post(f"{LOGIN}/passkey/options")
    assert options.status_code == 200, options.text
    given = {"credential": device.sign(options.json())}
    return await stranger.post(f"{LOGIN}/passkey", json=given)


async def test_an_app_is_set_up_and_asked_for(
    person: httpx.AsyncClient, stranger: httpx.AsyncClient, tenant: Tenant
) -> None:
    app = TOTP((await post(person, "/totp/begin", PROOF))["secret"])
    codes = (await post(person, "/totp/confirm", {"code": app.now()}))["recovery_codes"]
    needed = await log_in(stranger, tenant)
    assert (needed.status_code, needed.json()["code"]) == (401, "access.second_factor_needed")
    assert "recovery code" in needed.json()["hint"]
    wrong = await log_in(stranger, tenant, app.now())  # It counted when the app was set up.
    assert (wrong.status_code, wrong.json()["code"]) == (401, "access.wrong_code")
    assert (await log_in(stranger, tenant, codes[0])).status_code == 200
    shown = (await person.get(f"{ACCOUNT}/factors")).json()
    assert (shown["recovery_codes_left"], shown["passkeys"]) == (9, [])
    assert shown["totp_since"] is not None
    new = (await post(person, "/recovery-codes", {"code": codes[1]}))["recovery_codes"]
    await post(person, "/totp/remove", {"code": new[0]}, 204)
    assert (await log_in(stranger, tenant)).status_code == 200


async def test_a_passkey_is_added_logs_in_and_is_removed(
    person: httpx.AsyncClient, stranger: httpx.AsyncClient, device: Device, tenant: Tenant
) -> None:
    made = await add(person, device)
    answer = await by_passkey(stranger, device)
    assert answer.status_code == 200, answer.text
    assert answer.json()["tenant"] == tenant.id
    assert (await log_in(stranger, tenant)).json()["code"] == "access.second_factor_needed"
    await post(person, f"/passkeys/{made['passkey']}/rename", {"name": "old"}, 204)
    (shown,) = (await person.get(f"{ACCOUNT}/factors")).json()["passkeys"]
    assert (shown["passkey"], shown["name"]) == (made["passkey"], "old")
    await post(person, f"/passkeys/{made['passkey']}/remove", PROOF, 204)
    gone = await by_passkey(stranger, device)
    assert (gone.status_code, gone.json()["code"]) == (401, "access.wrong_passkey")


@pytest.mark.parametrize(
    "path",
    [
        "/totp/begin",
        "/totp/remove",
        "/recovery-codes",
        "/passkeys/options",
        f"/passkeys/{'0' * 64}/remove",
    ],
)
async def test_what_is_grave_asks_for_a_proof_once_more(
    person: httpx.AsyncClient, path: str
) -> None:
    assert (await post(person, path, {}, 403))["code"] == "access.proof_needed"
    assert (await post(person, path, {"password": "x"}, 403))["code"] == "access.wrong_proof"


async def test_factors_are_of_people_and_not_of_keys(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    by_key = await client.get(f"{ACCOUNT}/factors")
    by_nobody = await stranger.get(f"{ACCOUNT}/factors")
    assert (by_key.status_code, by_nobody.status_code) == (403, 401)


async def test_a_passkey_of_another_is_as_one_that_there_is_not(
    person: httpx.AsyncClient,
    api: Settings,
    stranger: httpx.AsyncClient,
    device: Device,
    other: Tenant,
) -> None:
    made = await add(person, device)
    token = (await log_in(stranger, other)).json()["access_token"]
    async with caller(api, token) as foreign:
        for action, given in (("rename", {"name": "mine"}), ("remove", PROOF)):
            there = await post(foreign, f"/passkeys/{made['passkey']}/{action}", given, 409)
            absent = await post(foreign, f"/passkeys/{'0' * 64}/{action}", given, 409)
            assert there["code"] == absent["code"] == "access.passkey_absent"


async def test_who_has_no_factor_that_the_company_asks_for_may_only_set_one_up(
    person: httpx.AsyncClient, client: httpx.AsyncClient, device: Device
) -> None:
    assert (await client.post("/api/v1/second-factor", json={})).status_code == 200
    await until(person, 403)
    assert (await person.get(f"{ACCOUNT}/factors")).json()["required"]
    assert (await client.get("/api/v1/invoices")).status_code == 200  # A key is no person.
    await add(person, device)
    await until(person, 200)
    waived = await client.post("/api/v1/second-factor", json={"required": False})
    assert waived.json()["events"][0]["type"] == "SecondFactorWaived"
