"""The profile of a company, as its documents and screens need it."""

from typing import Literal, TypeAlias

from domain.profiles import Country, ProfileChanged, ProfileId, TaxIdCheck
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
        row = row or ProfileRow(profile=event.profile)
        return ProfileRow(
            profile=event.profile,
            legal_name=row.legal_name if event.legal_name is None else event.legal_name,
            tax_id=row.tax_id if event.tax_id is None else event.tax_id,
            tax_id_check=event.tax_id_check or row.tax_id_check,
            country=event.country or row.country,
            currency=event.currency or row.currency,
            time_zone=event.time_zone or row.time_zone,
            locale=event.locale or row.locale,
            fiscal_year_start=event.fiscal_year_start or row.fiscal_year_start,
        )
