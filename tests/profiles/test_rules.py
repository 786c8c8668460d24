"""The profile of a company: what it takes, what it refuses, and what it only marks."""

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.kernel import FORGOTTEN
from domain.profiles import OWN, ChangeProfile, Profile, ProfileChanged, Standing
from tests.kernel import given, history_of

# Each has its check digit; none was given to anybody on purpose.
NIF, NIE, CIF = "12345678Z", "X1234567L", "B12345674"
RUC_OF_A_COMPANY, RUC_THAT_FAILS = "1792060346001", "1792060347001"


@pytest.mark.parametrize("tax_id", [NIF, NIE, CIF])
def test_a_spanish_tax_id_is_held_to_its_check_digit(tax_id: str) -> None:
    given().when(ChangeProfile(tax_id=tax_id, country="ES")).then(
        ProfileChanged(profile=OWN, tax_id=tax_id, tax_id_check="passed", country="ES")
    )


@pytest.mark.parametrize("tax_id", ["12345678A", "X1234567A", "B12345678", "12", "?"])
def test_a_spanish_tax_id_that_fails_is_refused(tax_id: str) -> None:
    given().when(ChangeProfile(tax_id=tax_id, country="ES")).then_refused("profiles.bad_tax_id")


def test_a_refusal_does_not_repeat_the_tax_id() -> None:
    with pytest.raises(Exception, match="NIF") as refusal:
        list(ChangeProfile(tax_id="12345678A", country="ES").decide(Profile()))
    assert "12345678A" not in str(refusal.value)


def test_a_tax_id_is_kept_in_its_plain_form() -> None:
    given().when(ChangeProfile(tax_id=" b-1234567-4 ", country="ES")).then(
        ProfileChanged(profile=OWN, tax_id=CIF, tax_id_check="passed", country="ES")
    )


@pytest.mark.parametrize(
    ("tax_id", "check"), [(RUC_OF_A_COMPANY, "passed"), (RUC_THAT_FAILS, "failed")]
)
def test_an_ecuadorian_tax_id_is_only_marked(tax_id: str, check: str) -> None:
    (changed,) = history_of([ChangeProfile(tax_id=tax_id, country="EC")])
    assert isinstance(changed, ProfileChanged)
    assert (changed.tax_id, changed.tax_id_check) == (tax_id, check)


def test_a_tax_id_is_one_of_a_country() -> None:
    given().when(ChangeProfile(tax_id=NIF)).then_refused("profiles.no_country")


def test_another_country_checks_the_tax_id_again() -> None:
    ruc = ProfileChanged(profile=OWN, tax_id=RUC_OF_A_COMPANY, tax_id_check="passed", country="EC")
    given(ruc).when(ChangeProfile(country="ES")).then_refused("profiles.bad_tax_id")


def test_the_country_of_before_counts() -> None:
    spanish = ProfileChanged(profile=OWN, country="ES")
    given(spanish).when(ChangeProfile(tax_id=CIF)).then(
        ProfileChanged(profile=OWN, tax_id=CIF, tax_id_check="passed")
    )


def test_a_forgotten_tax_id_is_checked_no_more() -> None:
    forgotten = ProfileChanged(profile=OWN, tax_id=FORGOTTEN, tax_id_check="passed", country="EC")
    given(forgotten).when(ChangeProfile(country="ES")).then(
        ProfileChanged(profile=OWN, country="ES")
    )


def test_only_what_changed_is_said() -> None:
    full = ChangeProfile(
        legal_name="Acme, S.L.",
        tax_id=CIF,
        country="ES",
        currency="EUR",
        time_zone="Atlantic/Canary",
        locale="es-ES",
        fiscal_year_start="01-01",
    )
    history = history_of([full])
    given(*history).when(full).then_nothing()
    given(*history).when(replace(full, time_zone="Europe/Madrid")).then(
        ProfileChanged(profile=OWN, time_zone="Europe/Madrid")
    )


def in_spain(**asked: object) -> ChangeProfile:
    """Ask of a company that was opened in Spain and has entries in its books."""
    opened = Standing(country="ES", currency="EUR")
    return ChangeProfile(opened=opened, begun=True, **asked)  # type: ignore[arg-type] # Of the command.


@pytest.mark.parametrize("name", ["currency", "country"])
def test_what_entries_were_made_by_stays(name: str) -> None:
    other = {"currency": "USD", "country": "EC"}[name]
    said = ProfileChanged(profile=OWN, country="ES", currency="EUR")
    for history in ((), (said,)):
        given(*history).when(in_spain(**{name: other})).then_refused("profiles.frozen")
        given(*history).when(replace(in_spain(**{name: other}), begun=False)).then(
            ProfileChanged(profile=OWN, **{name: other})  # type: ignore[arg-type] # Of the event.
        )


def test_what_was_so_from_the_start_may_be_said_once_there_are_entries() -> None:
    asked = in_spain(currency="EUR", country="ES", legal_name="Acme, S.L.")
    given().when(asked).then(
        ProfileChanged(profile=OWN, currency="EUR", country="ES", legal_name="Acme, S.L.")
    )


def test_the_currency_that_a_company_chose_before_its_first_entry_counts() -> None:
    chosen = ProfileChanged(profile=OWN, currency="GBP")
    given(chosen).when(in_spain(currency="EUR")).then_refused("profiles.frozen")
    given(chosen).when(in_spain(currency="GBP")).then_nothing()


@pytest.mark.parametrize("day", ["02-29", "02-30", "13-01", "00-10"])
def test_no_year_begins_on_a_day_that_not_every_year_has(day: str) -> None:
    given().when(ChangeProfile(fiscal_year_start=day)).then_refused("profiles.no_such_day")


names = st.sampled_from([None, "Acme", "Bolts"])


@for_all(
    st.lists(
        st.builds(ChangeProfile, legal_name=names, currency=st.sampled_from([None, "EUR", "USD"])),
        max_size=6,
    )
)
def test_a_profile_is_what_was_said_last(sequence: list[ChangeProfile]) -> None:
    profile = Profile.own().fold(history_of(sequence))
    said = [command.legal_name for command in sequence if command.legal_name]
    assert profile.legal_name == (said[-1] if said else None)
