"""Passkeys, on a real PostgreSQL and Valkey: what a device signs counts once, here and for one."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as for_all
from hypothesis import strategies as st
from msgspec.structs import replace

from adapters.accounts.challenges import CHALLENGE_SECONDS
from adapters.accounts.factors import check_factor, execute, factors_of
from adapters.accounts.passkeys import (
    AddedPasskey,
    MadeCredential,
    NewPasskey,
    SignedCredential,
    Site,
    add_passkey,
    adding_options,
    check_passkey,
    login_options,
    passkeys_in,
    site_of,
)
from adapters.memory import FixedClock
from adapters.runtime import Runtime
from adapters.settings import Settings
from application.errors import Malformed, Unauthenticated
from application.kernel import build
from domain.access import RemovePasskey, RenamePasskey, UserId
from domain.ids import SYSTEM_TENANT
from domain.kernel import Refused
from domain.privacy import ForgetSubject
from tests.access.authenticator import Device, Json, Wrong, ed, p256, text_of
from tests.access.people import OPERATOR, TENANT, enrol

FEW = settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
NOW = datetime(2026, 5, 2, 9, 30, tzinfo=UTC)
ORIGIN, RP_ID = "https://books.example", "books.example"


@pytest.fixture
def site(runtime: Runtime) -> Runtime:
    """A process that people reach at an address of its own."""
    return replace(runtime, settings=replace(runtime.settings, public_url=ORIGIN))


@pytest.fixture
async def ana(site: Runtime) -> UserId:
    return await enrol(site)


@pytest.fixture
def device() -> Device:
    return Device(ORIGIN)


async def add(site: Runtime, user: UserId, device: Device, **wrong: Any) -> AddedPasskey:  # noqa: ANN401 - of many types.
    options = await adding_options(site, user)
    return await add_made(site, user, device.make(options, Wrong(**wrong)))


async def add_made(site: Runtime, user: UserId, made: Json) -> AddedPasskey:
    credential = msgspec.convert(made, MadeCredential)
    return await add_passkey(site, user, NewPasskey(name="my phone", credential=credential))


async def log_in(site: Runtime, device: Device, **wrong: Any) -> UserId:  # noqa: ANN401 - of many types.
    return await show(site, device.sign(login_options(site), Wrong(**wrong)))


async def show(site: Runtime, signed: Json) -> UserId:
    user, tenant = await check_passkey(site, msgspec.convert(signed, SignedCredential))
    assert tenant == TENANT
    return user


async def refused(site: Runtime, signed: Json) -> str:
    with pytest.raises(Unauthenticated) as refusal:
        await show(site, signed)
    return refusal.value.code


@pytest.mark.parametrize("kind", [p256, ed], ids=["p256", "ed25519"])
async def test_a_passkey_logs_its_owner_in(
    site: Runtime, ana: UserId, kind: Callable[[], Any]
) -> None:
    device = Device(ORIGIN, kind)
    made = await add(site, ana, device)
    assert len(made.recovery_codes) == 10
    for _ in range(2):
        assert await log_in(site, device) == ana
    (shown,) = passkeys_in(await factors_of(site, ana))
    assert (shown.passkey, shown.name) == (made.passkey, "my phone")
    assert shown.transports == ("internal", "hybrid")
    assert shown.used_at is not None


async def test_a_device_that_does_not_count_logs_in_again_and_again(
    site: Runtime, ana: UserId
) -> None:
    device = Device(ORIGIN, counts=False)
    await add(site, ana, device)
    for _ in range(3):
        assert await log_in(site, device) == ana


async def test_whoever_has_a_passkey_logs_in_by_password_with_a_recovery_code(
    site: Runtime, ana: UserId, device: Device
) -> None:
    made = await add(site, ana, device)
    with pytest.raises(Unauthenticated) as refusal:
        await check_factor(site, ana, None)
    assert refusal.value.code == "access.second_factor_needed"
    await check_factor(site, ana, made.recovery_codes[0])


def altered(signature: bytes) -> bytes:
    return signature[:-1] + bytes([signature[-1] ^ 1])


WRONG: dict[str, dict[str, Any]] = {
    "a page of others": {"origin": "https://books.example.evil.example"},
    "a page without TLS": {"origin": "http://books.example"},
    "another port": {"origin": "https://books.example:8443"},
    "another site": {"rp_id": "evil.example"},
    "a domain above": {"rp_id": "example"},
    "a frame of others": {"framed": True},
    "nobody verified": {"verified": False},
    "a challenge of somebody else's making": {"challenge": text_of(bytes(64))},
    "no challenge": {"challenge": "x"},
    "a tampered signature": {"tampered": altered},
    "no signature": {"tampered": lambda _: b""},
    "nobody's handle": {"handle": text_of(b"nobody")},
    "no handle": {"handle": ""},
    "a handle of control characters": {"handle": text_of(b"\x00\x1b\n")},
    "a long handle": {"handle": text_of(b"x" * 1_000)},
    "no text as a handle": {"handle": text_of(b"\xff\xfe")},
}
MADE = {name: each for name, each in WRONG.items() if not {"tampered", "handle"} & each.keys()}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
async def test_what_is_wrong_with_a_signature_is_answered_alike(
    site: Runtime, ana: UserId, device: Device, wrong: dict[str, Any]
) -> None:
    await add(site, ana, device)
    signed = device.sign(login_options(site), Wrong(**wrong))
    assert await refused(site, signed) == "access.wrong_passkey"
    assert await log_in(site, device) == ana  # And nothing is locked by it.


@pytest.mark.parametrize("wrong", MADE.values(), ids=MADE)
async def test_no_passkey_is_made_elsewhere_or_for_another_challenge(
    site: Runtime, ana: UserId, device: Device, wrong: dict[str, Any]
) -> None:
    with pytest.raises(Malformed) as refusal:
        await add(site, ana, device, **wrong)
    assert refusal.value.code == "access.bad_passkey"
    assert not (await factors_of(site, ana)).asked


async def test_a_challenge_counts_once(site: Runtime, ana: UserId, device: Device) -> None:
    await add(site, ana, device)
    options = login_options(site)
    signed = device.sign(options)
    tries = await asyncio.gather(*(show(site, signed) for _ in range(5)), return_exceptions=True)
    assert [each for each in tries if each == ana] == [ana]
    assert {each.code for each in tries if isinstance(each, Unauthenticated)} == {
        "access.wrong_passkey"
    }
    assert await refused(site, device.sign(options)) == "access.wrong_passkey"


async def test_a_challenge_runs_out(site: Runtime, ana: UserId, device: Device) -> None:
    clock = FixedClock(NOW)
    timed = replace(site, clock=clock)
    await add(timed, ana, device)
    options = login_options(timed)
    clock.advance(timedelta(seconds=CHALLENGE_SECONDS))
    assert await refused(timed, device.sign(options)) == "access.wrong_passkey"
    assert await log_in(timed, device) == ana


async def test_a_challenge_is_for_one_purpose_and_one_person(
    site: Runtime, ana: UserId, device: Device
) -> None:
    luis = await enrol(site)
    for_login, for_luis = login_options(site), await adding_options(site, luis)
    for_ana = await adding_options(site, ana)
    for challenge in (for_login["challenge"], for_luis["challenge"]):
        with pytest.raises(Malformed):
            await add_made(site, ana, device.make(for_ana, Wrong(challenge=challenge)))
    await add(site, ana, device)
    assert await refused(
        site, device.sign(login_options(site), Wrong(challenge=for_ana["challenge"]))
    ) == ("access.wrong_passkey")


async def test_who_names_another_is_nobody(site: Runtime, ana: UserId, device: Device) -> None:
    luis = await enrol(site)
    of_luis = Device(ORIGIN)
    await add(site, ana, device)
    await add(site, luis, of_luis)
    as_ana = of_luis.sign(login_options(site), Wrong(handle=device.handle))
    assert await refused(site, as_ana) == "access.wrong_passkey"
    of_luis.credential = device.credential  # Ana's by name, and signed by another key.
    by_another_key = of_luis.sign(login_options(site), Wrong(handle=device.handle))
    assert await refused(site, by_another_key) == "access.wrong_passkey"


async def test_nobody_adds_the_passkey_of_another(
    site: Runtime, ana: UserId, device: Device
) -> None:
    await add(site, ana, device)
    with pytest.raises(Refused) as refusal:
        await add(site, await enrol(site), Device(ORIGIN, credential=device.credential))
    assert refusal.value.code == "access.passkey_taken"


@pytest.mark.parametrize("back", [1, 3])
async def test_a_passkey_that_counts_backwards_is_refused_and_told_of(
    site: Runtime, ana: UserId, device: Device, back: int
) -> None:
    await add(site, ana, device)
    for _ in range(3):
        await log_in(site, device)
    device.count -= back
    assert await refused(site, device.sign(login_options(site))) == "access.doubted_passkey"
    told = [
        each.type
        async for each in site.store.read(SYSTEM_TENANT, [], after=0)
        if f"user:{ana}" in each.tags
    ]
    assert told[-1] == "PasskeyDoubted"
    device.count += back
    assert await log_in(site, device) == ana


async def test_a_passkey_is_renamed_and_removed(site: Runtime, ana: UserId, device: Device) -> None:
    made = await add(site, ana, device)
    await execute(site, ana, RenamePasskey, {"passkey": made.passkey, "name": "old"})
    assert [each.name for each in passkeys_in(await factors_of(site, ana))] == ["old"]
    await execute(site, ana, RemovePasskey, {"passkey": made.passkey})
    assert await refused(site, device.sign(login_options(site))) == "access.wrong_passkey"
    await check_factor(site, ana, None)


async def test_whoever_is_forgotten_has_no_passkey(
    site: Runtime, ana: UserId, device: Device
) -> None:
    await add(site, ana, device)
    given = {"kind": "user", "value": ana, "reason": "asked for"}
    forget = build(ForgetSubject, given, site.clock)
    last = await site.vault.last_generation(SYSTEM_TENANT, f"user:{ana}")
    await site.bus.execute(replace(forget, last_generation=last), OPERATOR)
    assert await refused(site, device.sign(login_options(site))) == "access.wrong_passkey"


async def test_options_ask_for_a_person_and_name_nobody(
    site: Runtime, ana: UserId, device: Device
) -> None:
    one, other = login_options(site), login_options(site)
    assert one.pop("challenge") != other.pop("challenge")
    assert one == other
    assert (one["rpId"], one["allowCredentials"]) == (RP_ID, [])
    assert one["userVerification"] == "required"
    await add(site, ana, device)
    asked = await adding_options(site, ana)
    assert asked["authenticatorSelection"]["residentKey"] == "required"
    assert [each["id"] for each in asked["excludeCredentials"]] == [text_of(device.credential)]
    json.dumps(asked)


@for_all(st.binary(max_size=200), st.sampled_from(["authenticatorData", "signature"]))
@FEW
async def test_whatever_bytes_are_shown_are_refused_without_a_fault(
    site: Runtime, data: bytes, part: str
) -> None:
    device = Device(ORIGIN)
    await add(site, await enrol(site), device)
    signed = device.sign(login_options(site))
    signed["response"][part] = text_of(data)
    assert await refused(site, signed) == "access.wrong_passkey"


@for_all(st.binary(max_size=300))
@FEW
async def test_whatever_bytes_are_made_are_no_passkey(
    site: Runtime, ana: UserId, data: bytes
) -> None:
    made = Device(ORIGIN).make(await adding_options(site, ana))
    made["response"]["attestationObject"] = text_of(data)
    with pytest.raises(Malformed):
        await add_made(site, ana, made)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (Settings(port=8000), Site(rp_id="localhost", origins=("http://localhost:8000",))),
        (Settings(public_url=f"{ORIGIN}/app"), Site(rp_id=RP_ID, origins=(ORIGIN,))),
        (
            Settings(
                public_url="https://app.books.example",
                passkey_rp_id=RP_ID,
                passkey_origins=f"{ORIGIN}, https://app.books.example",
            ),
            Site(rp_id=RP_ID, origins=(ORIGIN, "https://app.books.example")),
        ),
    ],
    ids=["this machine", "an address", "several origins"],
)
def test_passkeys_are_good_where_the_settings_say(given: Settings, expected: Site) -> None:
    assert site_of(given) == expected
