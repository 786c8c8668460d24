"""The profile of a company as the world may call it."""

from functools import cache
from zoneinfo import available_timezones

from msgspec.structs import replace

from application.kernel import Exposed, Looking
from domain.ids import SYSTEM_TENANT
from domain.invoicing import InvoiceIssued, InvoiceRecorded
from domain.kernel import Refused
from domain.profiles import ChangeProfile, Standing
from domain.tenants import CURRENCIES, Tenant


@cache
def _time_zones() -> frozenset[str]:
    """Read which time zones this machine knows."""
    return frozenset(available_timezones())


async def _find_standing(looking: Looking, command: ChangeProfile) -> ChangeProfile:
    """See that the time zone is there, and tell the rule where the company was opened."""
    if command.time_zone is not None and command.time_zone not in _time_zones():
        raise Refused(
            "profiles.unknown_time_zone",
            f"There is no time zone {command.time_zone}.",
            hint="Name one of the IANA database, such as Europe/Madrid or America/Guayaquil.",
        )
    if command.country is None and command.currency is None:
        return command
    # Where a company was opened never changes, so that no boundary has to hold it.
    tenant = await looking.fold(SYSTEM_TENANT, Tenant.at(tenant=looking.tenant))
    if tenant.books == "absent":
        return command
    opened = Standing(country=tenant.country, currency=CURRENCIES[tenant.country])
    return replace(command, opened=opened)


COMMANDS = (
    Exposed(
        command=ChangeProfile,
        permission="tenants.profile.change",
        route="POST /profile",
        find=_find_standing,
        begun_by=(InvoiceIssued, InvoiceRecorded),
    ),
)
