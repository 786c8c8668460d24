"""The rules of second factors."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from domain.access import (
    PASSKEYS_MAX,
    AddPasskey,
    EnableTotp,
    Factors,
    FactorsReset,
    MakeRecoveryCodes,
    PasskeyAdded,
    PasskeyClaim,
    PasskeyDoubted,
    PasskeyId,
    PasskeyRemoved,
    PasskeyRenamed,
    PasskeyUsed,
    RecoveryCodesMade,
    RecoveryCodeUsed,
    RemovePasskey,
    RemoveTotp,
    RenamePasskey,
    RequireSecondFactor,
    ResetFactors,
    SecondFactorRequired,
    SecondFactorWaived,
    TotpEnabled,
    TotpRemoved,
    TotpUsed,
    UsePasskey,
    UseRecoveryCode,
    UserId,
    UseTotp,
)
from domain.kernel import Command, Event
from tests.kernel import given, history_of

ANA, LUIS = UserId("u1"), UserId("u2")
AT = datetime(2026, 5, 2, 9, 30, tzinfo=UTC)
PHONE, KEY = PasskeyId("p1"), PasskeyId("p2")
CODES = ("a", "b", "c")


def added(passkey: PasskeyId = PHONE, user: UserId = ANA, count: int = 5) -> PasskeyAdded:
    return PasskeyAdded(
        user=user,
        passkey=passkey,
        credential="credential",
        public_key="key",
        sign_count=count,
        name="my phone",
        transports=("internal",),
        added_at=AT,
    )


def add(passkey: PasskeyId = PHONE, user: UserId = ANA) -> AddPasskey:
    of_it: dict[str, Any] = {
        name: getattr(added(), name)
        for name in ("credential", "public_key", "sign_count", "name", "transports", "added_at")
    }
    return AddPasskey(user=user, passkey=passkey, digests=CODES, **of_it)


enable = EnableTotp(user=ANA, secret="sealed", step=100, digests=CODES, enabled_at=AT)  # noqa: S106 - no secret.
enabled = TotpEnabled(user=ANA, secret="sealed", step=100, enabled_at=AT)  # noqa: S106 - as above.
made = RecoveryCodesMade(user=ANA, digests="a b c")


def use(step: int, secret: str = "sealed") -> UseTotp:  # noqa: S107 - as above.
    return UseTotp(user=ANA, secret=secret, step=step)


def test_recovery_codes_come_with_the_first_factor_and_stay_with_the_second() -> None:
    given().when(enable).then(enabled, made)
    given().when(add()).then(added(), made)
    given(added(), made).when(enable).then(enabled)
    given(enabled, made).when(add()).then(added())


def test_there_is_one_app_at_a_time() -> None:
    given(enabled, made).when(enable).then_refused("access.totp_there")
    given(enabled, made, TotpRemoved(user=ANA)).when(enable).then(enabled, made)


def test_a_step_counts_once_and_none_before_it_does_later() -> None:
    used = TotpUsed(user=ANA, step=102)
    given(enabled).when(use(102)).then(used)
    for step in (101, 102):
        given(enabled, used).when(use(step)).then_refused("access.code_used")
    given(enabled).when(use(100)).then_refused("access.code_used")  # It confirmed the app.


def test_a_code_of_a_secret_that_was_replaced_counts_for_nothing() -> None:
    given(enabled).when(use(101, "of before")).then_refused("access.code_used")
    given().when(use(101)).then_refused("access.code_used")


def test_a_recovery_code_counts_once_and_leaves_the_others() -> None:
    use_b = UseRecoveryCode(user=ANA, digest="b")
    used = RecoveryCodeUsed(user=ANA, place=1)
    given(enabled, made).when(use_b).then(used)
    given(enabled, made, used).when(use_b).then_refused("access.code_used")
    use_c = UseRecoveryCode(user=ANA, digest="c")
    given(enabled, made, used).when(use_c).then(RecoveryCodeUsed(user=ANA, place=2))


def test_new_recovery_codes_take_the_place_of_all_from_before() -> None:
    make = MakeRecoveryCodes(user=ANA, digests=("d", "e"))
    new = RecoveryCodesMade(user=ANA, digests="d e")
    given(enabled, made).when(make).then(new)
    use_a = UseRecoveryCode(user=ANA, digest="a")
    given(enabled, made, new).when(use_a).then_refused("access.code_used")
    given().when(make).then_refused("access.no_factor")


def test_recovery_codes_end_with_what_they_stand_in_for() -> None:
    both = [enabled, made, added()]
    without_app = Factors.at(user=ANA).fold([*both, TotpRemoved(user=ANA)])
    nothing = Factors.at(user=ANA).fold(
        [*both, TotpRemoved(user=ANA), PasskeyRemoved(user=ANA, passkey=PHONE)]
    )
    assert Factors.at(user=ANA).fold(both).names == ("totp", "recovery_code", "passkey")
    assert without_app.names == ("recovery_code", "passkey")
    assert nothing == Factors()
    assert nothing.names == ()


def test_what_is_removed_already_is_not_removed_again() -> None:
    given(enabled, made).when(RemoveTotp(user=ANA)).then(TotpRemoved(user=ANA))
    given().when(RemoveTotp(user=ANA)).then_nothing()
    removed = PasskeyRemoved(user=ANA, passkey=PHONE)
    given(added()).when(RemovePasskey(user=ANA, passkey=PHONE)).then(removed)
    given(added(), removed).when(RemovePasskey(user=ANA, passkey=PHONE)).then_refused(
        "access.passkey_absent"
    )


def test_a_passkey_is_of_one_person_until_it_is_removed() -> None:
    given(added(user=LUIS)).when(add()).then_refused("access.passkey_taken")
    given(added(user=LUIS), PasskeyRemoved(user=LUIS, passkey=PHONE)).when(add()).then(
        added(), made
    )
    assert PasskeyClaim.at(passkey=PHONE).fold([added()]).taken


def test_nobody_has_passkeys_without_end() -> None:
    many = [added(PasskeyId(f"p{n}")) for n in range(PASSKEYS_MAX)]
    given(*many).when(add(PasskeyId("one more"))).then_refused("access.too_many_passkeys")


def sign(count: int) -> UsePasskey:
    return UsePasskey(user=ANA, passkey=PHONE, sign_count=count, used_at=AT)


def test_a_passkey_that_counts_goes_forward_or_is_doubted() -> None:
    used = PasskeyUsed(user=ANA, passkey=PHONE, sign_count=6, used_at=AT)
    given(added(count=5)).when(sign(6)).then(used)
    for count in (0, 5, 6):
        doubted = PasskeyDoubted(user=ANA, passkey=PHONE, sign_count=count, expected_above=6)
        given(added(count=5), used).when(sign(count)).then(doubted)
    assert Factors.at(user=ANA).fold([added(), doubted]) == Factors.at(user=ANA).fold([added()])


def test_a_passkey_that_never_counts_is_not_doubted() -> None:
    used = PasskeyUsed(user=ANA, passkey=PHONE, sign_count=0, used_at=AT)
    given(added(count=0)).when(sign(0)).then(used)
    given(added(count=0), used).when(sign(0)).then(used)


def test_a_passkey_is_called_what_its_owner_says() -> None:
    rename = RenamePasskey(user=ANA, passkey=PHONE, name="the old phone")
    renamed = PasskeyRenamed(user=ANA, passkey=PHONE, name="the old phone")
    given(added()).when(rename).then(renamed)
    given(added(), renamed).when(rename).then_nothing()
    given(added(user=LUIS)).when(rename).then_refused("access.passkey_absent")


def test_an_operator_takes_all_factors_from_who_lost_them() -> None:
    reset = ResetFactors(user=ANA, reason="The phone was lost.")
    done = FactorsReset(user=ANA, reason="The phone was lost.")
    given(enabled, made, added()).when(reset).then(done)
    given(enabled, made, done).when(reset).then_nothing()
    assert not Factors.at(user=ANA).fold([enabled, made, added(), done]).asked


def test_a_company_asks_for_a_second_factor_or_lets_each_decide() -> None:
    require, waive = RequireSecondFactor(), RequireSecondFactor(required=False)
    given().when(require).then(SecondFactorRequired())
    given(SecondFactorRequired()).when(require).then_nothing()
    given(SecondFactorRequired()).when(waive).then(SecondFactorWaived())
    given().when(waive).then_nothing()


passkeys, steps = st.sampled_from([PHONE, KEY]), st.integers(95, 110)
commands: st.SearchStrategy[Command] = st.one_of(
    st.just(enable),
    st.builds(use, steps),
    st.just(RemoveTotp(user=ANA)),
    st.builds(lambda d: MakeRecoveryCodes(user=ANA, digests=d), st.just(("d", "e"))),
    st.builds(lambda d: UseRecoveryCode(user=ANA, digest=d), st.sampled_from("abcde")),
    st.builds(add, passkeys),
    st.builds(lambda p: RemovePasskey(user=ANA, passkey=p), passkeys),
    st.builds(lambda p: RenamePasskey(user=ANA, passkey=p, name="x"), passkeys),
    st.just(ResetFactors(user=ANA, reason="x")),
)


def steps_that_counted(history: list[Event]) -> list[int]:
    """List the steps that counted since the app was set up last."""
    found: list[int] = []
    for event in history:
        if isinstance(event, TotpEnabled):
            found = [event.step]
        elif isinstance(event, TotpUsed):
            found.append(event.step)
    return found


@for_all(st.lists(commands, max_size=30))
@settings(max_examples=100)
def test_whatever_is_asked_a_factor_has_codes_and_no_step_counts_twice(
    asked: list[Command],
) -> None:
    history = history_of(asked)
    factors = Factors.at(user=ANA).fold(history)
    steps = steps_that_counted(history)
    assert bool(factors.digests) == factors.asked
    assert steps == sorted(set(steps))
    assert factors.totp is None or factors.totp.step == steps[-1]
