"""The companies of a person, found among all there are by an index that each log keeps.

The index only says where to look. What somebody is there is read off the company's own log.
"""

from collections.abc import Iterable
from typing import Final, LiteralString

from msgspec import Struct

from adapters.access.door import door_of
from adapters.postgres.connections import tenant_transaction
from adapters.postgres.models.rows import load_rows, table_of
from adapters.postgres.models.versions import serving_table
from adapters.runtime import Runtime
from domain.access import Account, Enrolment, Member, RoleId, UserId
from domain.ids import SYSTEM_TENANT, TenantId
from projections.tenants import Status, TenantRow, Tenants

COMPANIES_MAX: Final = 1_000
FIND: LiteralString = "SELECT companies_of_v1(%s, %s)::text"


class Company(Struct, frozen=True, kw_only=True):
    """A company for which a person may act, and by which roles."""

    tenant: TenantId
    slug: str
    name: str
    status: Status
    roles: tuple[RoleId, ...]


async def companies_of(
    runtime: Runtime, user: UserId, also: Iterable[TenantId] = ()
) -> list[Company]:
    """List the companies for which a person may act, by their short names.

    Those of *also* are looked at too, though the index may not name them yet.
    """
    fold = runtime.bus.fold
    enrolled = await fold(SYSTEM_TENANT, Enrolment.at(user=user))
    former = enrolled.tenant if enrolled.permissions else None  # Before there were members.
    async with tenant_transaction(runtime.pool, SYSTEM_TENANT) as connection:
        indexed = await (await connection.execute(FIND, (user, COMPANIES_MAX))).fetchall()
        tenants = {*also, *(TenantId(tenant) for (tenant,) in indexed)}
        if former is not None:
            tenants.add(former)
        table = table_of(Tenants, await serving_table(runtime.pool, Tenants))
        rows = await load_rows(connection, table, SYSTEM_TENANT, tenants)
    found = []
    for row in rows.values():
        assert isinstance(row, TenantRow), "It is the table of companies."
        member = await fold(row.tenant, Member.at(user=user))
        if member.roles or (row.tenant == former and not member.known):
            found.append(_company(row, member))
    return sorted(found, key=lambda company: company.slug)


async def home_of(runtime: Runtime, user: UserId, account: Account) -> TenantId:
    """Name the company for which a person acts who names none.

    It is the one that they were enrolled for, or another one where that took them out.
    """
    enrolled_for = account.tenant
    assert enrolled_for is not None, "An account that is open is of somebody who was enrolled."
    if await door_of(runtime).rights(enrolled_for, user) is not None:
        return enrolled_for
    door = door_of(runtime)
    for other in await companies_of(runtime, user):
        if await door.rights(other.tenant, user) is not None:  # It is not closed.
            return other.tenant
    return enrolled_for


def _company(row: TenantRow, member: Member) -> Company:
    return Company(
        tenant=row.tenant, slug=row.slug, name=row.name, status=row.status, roles=member.roles
    )
