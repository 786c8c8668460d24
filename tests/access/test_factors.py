"""Codes of apps and recovery codes, on a real PostgreSQL and Valkey: each counts once."""

import asyncio
from base64 import b32encode
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from msgspec.structs import replace
from pyotp import TOTP

from adapters.accounts.factors import (
    Proof,
    begin_totp,
    check_factor,
    confirm_totp,
    execute,
    factors_of,
    make_recovery_codes,
    remove_totp,
    step_up,
)
from adapters.memory import FixedClock
from adapters.runtime import Runtime
from adapters.security.limits import RULES
from application.errors import Forbidden, Malformed, TooMany, Unauthenticated
from application.factors import code_digest, is_totp, new_recovery_codes, plain, step_of
from application.kernel import build
from domain.access import ResetFactors, UserId
from domain.ids import SYSTEM_TENANT
from domain.kernel import Refused
from tests.access.people import OPERATOR, PASSWORD, enrol

NOW = datetime(2026, 5, 2, 9, 30, 10, tzinfo=UTC)
HALF_MINUTE = timedelta(seconds=30)
RFC_6238 = b32encode(b"12345678901234567890").decode()
VECTORS = {
    59: "94287082",
    1111111109: "07081804",
    1111111111: "14050471",
    1234567890: "89005924",
    2000000000: "69279037",
    20000000000: "65353130",
}
"""Appendix B, for SHA-1: of eight digits, of which an app shows the last six."""


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def timed(runtime: Runtime, clock: FixedClock) -> Runtime:
    """A process whose time goes as the test says."""
    return replace(runtime, clock=clock)


@pytest.fixture
async def ana(timed: Runtime) -> UserId:
    return await enrol(timed)


async def set_up(timed: Runtime, user: UserId) -> tuple[TOTP, tuple[str, ...]]:
    """Set up an app, and let its first code pass by."""
    app = TOTP((await begin_totp(timed, user)).secret)
    made = await confirm_totp(timed, user, app.at(timed.clock.now()))
    timed.clock.advance(HALF_MINUTE)  # type: ignore[attr-defined] # It is the fixture's.
    return app, made.recovery_codes


async def refused(timed: Runtime, user: UserId, code: str | None) -> str:
    with pytest.raises(Unauthenticated) as refusal:
        await check_factor(timed, user, code)
    return refusal.value.code


@pytest.mark.parametrize("second", VECTORS)
def test_codes_are_those_of_rfc_6238(second: int) -> None:
    at = datetime.fromtimestamp(second, UTC)
    assert step_of(RFC_6238, VECTORS[second][-6:], at) == second // 30


@for_all(st.integers(-4, 4))
def test_a_clock_may_be_half_a_minute_off_and_no_more(steps: int) -> None:
    code = TOTP(RFC_6238).at(NOW + steps * HALF_MINUTE)
    expected = int(NOW.timestamp()) // 30 + steps
    assert step_of(RFC_6238, code, NOW) == (expected if abs(steps) <= 1 else None)


@for_all(st.text(max_size=80))
def test_whatever_is_sent_as_a_code_is_read_without_a_fault(text: str) -> None:
    assert not is_totp(plain(text)) or step_of(RFC_6238, plain(text), NOW) is None


def test_recovery_codes_have_eighty_bits_and_are_all_different() -> None:
    codes = new_recovery_codes()
    assert len({*codes}) == 10
    assert {len(plain(each)) * 5 for each in codes} == {80}
    assert plain(codes[0].lower().replace("-", " ")) == plain(codes[0])


async def test_who_has_no_factor_is_asked_for_none(timed: Runtime, ana: UserId) -> None:
    await check_factor(timed, ana, None)
    await check_factor(timed, ana, "123456")  # What is not asked for is not looked at.
    assert not (await factors_of(timed, ana)).asked


async def test_an_app_counts_once_it_has_shown_a_code(timed: Runtime, ana: UserId) -> None:
    offer = await begin_totp(timed, ana)
    await check_factor(timed, ana, None)
    asked = parse_qs(urlsplit(offer.uri).query)
    assert (asked["secret"], asked["issuer"]) == ([offer.secret], ["Asiento"])
    with pytest.raises(Malformed, match="no code that the app shows"):
        await confirm_totp(timed, ana, TOTP(offer.secret).at(NOW + 5 * HALF_MINUTE))
    made = await confirm_totp(timed, ana, TOTP(offer.secret).at(NOW))
    assert len(made.recovery_codes) == 10
    assert await refused(timed, ana, None) == "access.second_factor_needed"


async def test_what_was_not_begun_is_not_confirmed(timed: Runtime, ana: UserId) -> None:
    with pytest.raises(Malformed, match="No app is being set up"):
        await confirm_totp(timed, ana, "123456")
    await set_up(timed, ana)
    with pytest.raises(Malformed, match="No app is being set up"):
        await confirm_totp(timed, ana, "123456")
    with pytest.raises(Refused, match="asked for already"):
        await begin_totp(timed, ana)


async def test_a_code_counts_once_and_so_does_the_first(
    timed: Runtime, ana: UserId, clock: FixedClock
) -> None:
    app, _ = await set_up(timed, ana)
    code = app.at(clock.now())
    assert await refused(timed, ana, app.at(NOW)) == "access.wrong_code"
    await check_factor(timed, ana, f" {code[:3]} {code[3:]}")
    assert await refused(timed, ana, code) == "access.wrong_code"
    clock.advance(HALF_MINUTE)
    await check_factor(timed, ana, app.at(clock.now()))


async def test_of_two_at_once_with_the_same_code_one_gets_in(
    timed: Runtime, ana: UserId, clock: FixedClock
) -> None:
    app, codes = await set_up(timed, ana)
    for code in (app.at(clock.now()), codes[0]):
        tries = await asyncio.gather(
            *(check_factor(timed, ana, code) for _ in range(5)), return_exceptions=True
        )
        assert [each for each in tries if each is None] == [None]
        assert {each.code for each in tries if isinstance(each, Unauthenticated)} == {
            "access.wrong_code"
        }


async def test_a_recovery_code_counts_once_however_it_is_typed(timed: Runtime, ana: UserId) -> None:
    _, codes = await set_up(timed, ana)
    await check_factor(timed, ana, codes[3].lower().replace("-", " "))
    assert await refused(timed, ana, codes[3]) == "access.wrong_code"
    assert (await factors_of(timed, ana)).codes_left == 9
    made = await make_recovery_codes(timed, ana)
    assert await refused(timed, ana, codes[4]) == "access.wrong_code"
    await check_factor(timed, ana, made.recovery_codes[0])


async def test_codes_of_one_are_none_of_another(timed: Runtime, ana: UserId) -> None:
    luis = await enrol(timed)
    app, codes = await set_up(timed, ana)
    await set_up(timed, luis)
    for code in (codes[0], app.at(timed.clock.now())):
        assert await refused(timed, luis, code) == "access.wrong_code"


async def test_without_its_app_an_account_is_as_before(timed: Runtime, ana: UserId) -> None:
    await set_up(timed, ana)
    await remove_totp(timed, ana)
    await check_factor(timed, ana, None)
    with pytest.raises(Refused) as refusal:
        await make_recovery_codes(timed, ana)
    assert refusal.value.code == "access.no_factor"


async def test_the_log_tells_nobody_a_secret_or_a_code(timed: Runtime, ana: UserId) -> None:
    app, codes = await set_up(timed, ana)
    stored = [event async for event in timed.store.read(SYSTEM_TENANT, [], after=0)]
    for events in (stored, await timed.vault.reveal(SYSTEM_TENANT, stored)):
        text = " ".join(event.data for event in events)
        assert app.secret not in text
        assert not any(code in text or plain(code) in text for code in codes)
    digest = await code_digest(timed.vault, ana, codes[0])
    assert digest not in " ".join(event.data for event in stored)  # Sealed by her own key, too.


async def test_the_password_or_a_code_is_shown_once_more(
    timed: Runtime, ana: UserId, clock: FixedClock
) -> None:
    app, codes = await set_up(timed, ana)
    await step_up(timed, ana, Proof(password=PASSWORD))
    await step_up(timed, ana, Proof(code=app.at(clock.now())))
    await step_up(timed, ana, Proof(code=codes[0]))
    for proof, code in (
        (Proof(), "access.proof_needed"),
        (Proof(password="another"), "access.wrong_proof"),  # noqa: S106 - it is none.
        (Proof(code=app.at(clock.now())), "access.wrong_proof"),
        (Proof(code=codes[0], password=PASSWORD), "access.wrong_proof"),
    ):
        with pytest.raises(Forbidden) as refusal:
            await step_up(timed, ana, proof)
        assert refusal.value.code == code
    assert PASSWORD not in repr(Proof(password=PASSWORD))


async def test_who_tries_codes_waits_longer_each_time_and_gets_in_at_last(
    timed: Runtime, ana: UserId, clock: FixedClock
) -> None:
    app, codes = await set_up(timed, ana)
    for _ in range(RULES["factor"].both.free):
        assert await refused(timed, ana, "000000") == "access.wrong_code"
    for code in ("000000", app.at(clock.now()), codes[0]):
        with pytest.raises(TooMany):
            await check_factor(timed, ana, code)
    clock.advance(HALF_MINUTE + timedelta(seconds=1))
    await check_factor(timed, ana, app.at(clock.now()))


async def test_who_lost_all_gets_in_by_the_password_once_an_operator_says_so(
    timed: Runtime, ana: UserId
) -> None:
    await set_up(timed, ana)
    given = {"user": ana, "reason": "Lost the phone."}
    done = await timed.bus.execute(build(ResetFactors, given, timed.clock), OPERATOR)
    assert [name for name, _ in done.events] == ["FactorsReset"]
    await check_factor(timed, ana, None)


async def test_nobody_takes_the_factors_of_another_by_being_logged_in(
    timed: Runtime, ana: UserId
) -> None:
    with pytest.raises(Forbidden, match=r"access\.factor\.reset"):
        await execute(timed, ana, ResetFactors, {"reason": "It is in my way."})
