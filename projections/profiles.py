"""The profile of a company, as its documents and screens need it."""

from typing import Literal, TypeAlias

from msgspec.structs import replace

from domain.ids import Country
from domain.profiles import ProfileChanged, ProfileId, TaxIdCheck
from projections.kernel import ReadModel, Row, derived

Warned: TypeAlias = Literal["tax_id_check_failed"]


class ProfileRow(Row):
    """The company as the law knows it. Its id is `own`."""

    profile: ProfileId
    legal_name: str | None = None
    tax_id: str | None = None
    tax_id_check: TaxIdCheck | None = None
    country: Country | None = None
    currency: str | None = None
    time_zone: str | None = None
    locale: str | None = None
    fiscal_year_start: str | None = None

    @derived
    def warning(self) -> Warned | None:
        """The tax id fails its check. An Ecuadorian RUC of a natural person may."""
        return "tax_id_check_failed" if self.tax_id_check == "failed" else None


class Profiles(ReadModel[ProfileRow]):
    name = "profiles"
    row = ProfileRow
    key = "profile"
    permission = "tenants.profile.read"

    @staticmethod
    def apply(row: ProfileRow | None, event: ProfileChanged) -> ProfileRow | None:
        return replace(row or ProfileRow(profile=event.profile), **event.changes)
