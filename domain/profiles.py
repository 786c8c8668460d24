"""The profile of a company: what its documents call it, and by which clock and calendar it lives.

Country and currency stay once there is an entry in the books. A Spanish tax id is held to its
check digit. An Ecuadorian one is only marked where it fails: there are valid ones, of natural
persons, that do.
"""

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, Final, Literal, NewType, TypeAlias

from msgspec import Meta
from msgspec.structs import replace
from stdnum.ec import ruc
from stdnum.es import nif

from domain.ids import Country
from domain.kernel import (
    FORGOTTEN,
    Boundary,
    Command,
    Event,
    Found,
    Key,
    Personal,
    Refused,
    State,
    Subject,
    Value,
)
from domain.money import CurrencyCode

ProfileId = NewType("ProfileId", str)
TaxIdCheck: TypeAlias = Literal["passed", "failed"]

OWN: Final = ProfileId("own")
"""The one profile in the log of a company. Its legal name and tax id may be those of a person."""

COMMON_YEAR: Final = 2023

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

    @property
    def changes(self) -> dict[str, Any]:  # Any: fields of any type.
        """Name what changed, and what it is now."""
        return {name: value for name, value in _given(self).items() if name != "profile"}


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
        return replace(self, **event.changes)

    @classmethod
    def own(cls) -> Boundary["Profile"]:
        return cls.at(profile=OWN)


class Standing(Value):
    """Where a company was opened, and the currency that its books are in if it says no other."""

    country: Country | None = None
    currency: str | None = None


NOWHERE: Final = Standing()
PROFILE: Final = frozenset(Profile.__struct_fields__)
FROZEN: Final = ("country", "currency")
"""What stays once there is an entry in the books."""


class ChangeProfile(Command):
    """Say who the company is for the law. What is left out stays as it is."""

    legal_name: LegalName | None = None
    tax_id: TaxIdText | None = None
    country: Country | None = None
    currency: CurrencyCode | None = None
    time_zone: TimeZone | None = None
    locale: Locale | None = None
    fiscal_year_start: DayOfYear | None = None
    opened: Found[Standing] = NOWHERE
    begun: Found[bool] = False  # Whether there is an entry in the books.

    def boundary(self) -> tuple[Boundary[Profile]]:
        return (Profile.own(),)

    def decide(self, profile: Profile) -> Iterator[ProfileChanged]:
        if self.begun:
            self._check_frozen(profile)
        if self.fiscal_year_start is not None and not _is_day(self.fiscal_year_start):
            raise Refused(
                "profiles.no_such_day",
                f"No year begins on {self.fiscal_year_start}.",
                hint="Give month and day of a day that every year has, such as 01-01.",
            )
        given = {name: new for name, new in _given(self).items() if name in PROFILE}
        given |= self._tax_id(profile)
        changed = {name: new for name, new in given.items() if new != getattr(profile, name)}
        if changed:
            yield ProfileChanged(profile=OWN, **changed)

    def _check_frozen(self, profile: Profile) -> None:
        """See that what the entries in the books were made by stays as it was."""
        for name in FROZEN:
            new, now = getattr(self, name), getattr(profile, name) or getattr(self.opened, name)
            if new is not None and now is not None and new != now:
                raise Refused(
                    "profiles.frozen",
                    f"The {name} is {now}, and there are entries in the books by it.",
                    hint="Open another company for what is to be kept otherwise. Documents may be"
                    " in any currency.",
                )

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


def _given(value: Value) -> dict[str, Any]:  # Any: as above.
    """Name the fields that are not left out."""
    given = {name: getattr(value, name) for name in value.__struct_fields__}
    return {name: each for name, each in given.items() if each is not None}


def _is_day(text: str) -> bool:
    """Tell whether each year has the day: the 29th of February is none."""
    month, _, day = text.partition("-")
    try:
        date(COMMON_YEAR, int(month), int(day))
    except ValueError:
        return False
    return True
