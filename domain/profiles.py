"""The profile of a company: what its documents call it, and by which clock and calendar it lives.

A Spanish tax id is held to its check digit. An Ecuadorian one is only marked where it fails: there
are valid ones, of natural persons, that do.
"""

from collections.abc import Iterator
from datetime import date
from functools import cache
from typing import Annotated, Any, Final, Literal, NewType, TypeAlias
from zoneinfo import available_timezones

from msgspec import Meta
from stdnum.ec import ruc
from stdnum.es import nif

from domain.kernel import (
    FORGOTTEN,
    Boundary,
    Command,
    Event,
    Key,
    Personal,
    Refused,
    State,
    Subject,
)
from domain.money import CurrencyCode

ProfileId = NewType("ProfileId", str)
Country: TypeAlias = Literal["ES", "EC"]
TaxIdCheck: TypeAlias = Literal["passed", "failed"]

OWN: Final = ProfileId("own")
"""The one profile in the log of a company. Its legal name and tax id may be those of a person."""

LEAP_YEAR: Final = 2024

LegalName = Annotated[str, Meta(min_length=1, max_length=200)]
TaxIdText = Annotated[str, Meta(min_length=1, max_length=30)]
TimeZone = Annotated[
    str, Meta(min_length=1, max_length=60, description="Of the IANA database, as Europe/Madrid.")
]
Locale = Annotated[
    str,
    Meta(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$(?!\n)", description="Language and region, as es-ES."),
]
DayOfYear = Annotated[
    str,
    Meta(pattern=r"^[0-9]{2}-[0-9]{2}$(?!\n)", description="Month and day, such as 01-01."),
]


class ProfileChanged(Event):
    """What is None did not change."""

    profile: Key[Subject[ProfileId]]
    legal_name: Personal[str] | None = None
    tax_id: Personal[str] | None = None
    tax_id_check: TaxIdCheck | None = None
    country: Country | None = None
    currency: str | None = None
    time_zone: str | None = None
    locale: str | None = None
    fiscal_year_start: str | None = None


class Profile(State):
    legal_name: Personal[str] | None = None
    tax_id: Personal[str] | None = None
    tax_id_check: TaxIdCheck | None = None
    country: Country | None = None
    currency: str | None = None
    time_zone: str | None = None
    locale: str | None = None
    fiscal_year_start: str | None = None

    def evolve(self, event: ProfileChanged) -> "Profile":
        return Profile(
            legal_name=_latest(event.legal_name, self.legal_name),
            tax_id=_latest(event.tax_id, self.tax_id),
            tax_id_check=event.tax_id_check or self.tax_id_check,
            country=event.country or self.country,
            currency=event.currency or self.currency,
            time_zone=event.time_zone or self.time_zone,
            locale=event.locale or self.locale,
            fiscal_year_start=event.fiscal_year_start or self.fiscal_year_start,
        )

    @classmethod
    def own(cls) -> Boundary["Profile"]:
        return cls.at(profile=OWN)


class ChangeProfile(Command):
    """Say who the company is for the law. What is left out stays as it is."""

    legal_name: LegalName | None = None
    tax_id: TaxIdText | None = None
    country: Country | None = None
    currency: CurrencyCode | None = None
    time_zone: TimeZone | None = None
    locale: Locale | None = None
    fiscal_year_start: DayOfYear | None = None

    def boundary(self) -> tuple[Boundary[Profile]]:
        return (Profile.own(),)

    def decide(self, profile: Profile) -> Iterator[ProfileChanged]:
        if self.time_zone is not None and self.time_zone not in _time_zones():
            raise Refused(
                "profiles.unknown_time_zone",
                f"There is no time zone {self.time_zone}.",
                hint="Name one of the IANA database, such as Europe/Madrid or America/Guayaquil.",
            )
        if self.fiscal_year_start is not None and not _is_day(self.fiscal_year_start):
            raise Refused(
                "profiles.no_such_day",
                f"No year begins on {self.fiscal_year_start}.",
                hint="Give month and day of a day that every year has, such as 01-01.",
            )
        given = self._given() | self._tax_id(profile)
        changed = {name: new for name, new in given.items() if new != getattr(profile, name)}
        if changed:
            yield ProfileChanged(profile=OWN, **changed)

    def _given(self) -> dict[str, Any]:  # Any: fields of any type.
        given = {name: getattr(self, name) for name in self.__struct_fields__}
        return {name: value for name, value in given.items() if value is not None}

    def _tax_id(self, profile: Profile) -> dict[str, Any]:  # Any: as above.
        """Check the tax id by the law of its country, whichever of the two is new."""
        tax_id, country = self.tax_id or profile.tax_id, self.country or profile.country
        is_news = self.tax_id is not None or self.country is not None
        if tax_id is None or tax_id is FORGOTTEN or not is_news:
            return {}
        if country is None:
            raise Refused(
                "profiles.no_country",
                "A tax id is one of a country, and none is known.",
                hint="Give the country with it.",
            )
        if country == "EC":
            check: TaxIdCheck = "passed" if ruc.is_valid(tax_id) else "failed"
            return {"tax_id": ruc.compact(tax_id), "tax_id_check": check}
        if not nif.is_valid(tax_id):
            raise Refused(
                "profiles.bad_tax_id",
                "The tax id is no Spanish NIF, NIE or CIF: its check digit or its form is wrong.",
                hint="Compare it with the card or the deed.",
            )
        return {"tax_id": nif.compact(tax_id), "tax_id_check": "passed"}


def _latest(given: str | None, before: str | None) -> str | None:
    return before if given is None else given


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _is_day(text: str) -> bool:
    """Tell whether each year has the day: the 29th of February is none."""
    month, _, day = text.partition("-")
    try:
        date(LEAP_YEAR - 1, int(month), int(day))
    except ValueError:
        return False
    return True
