"""Rebuilds where the owner of the database is no superuser: row-level security binds it as well."""

from collections.abc import AsyncIterator, Iterator
from secrets import token_hex

import psycopg
import pytest
from psycopg import conninfo, sql

from adapters.cli.session import operator
from adapters.embedded.servers import Urls
from adapters.postgres.migrate import migrate
from adapters.postgres.projecting.building.rebuild import Asked, rebuild
from adapters.postgres.projecting.unskipping import place_of, unskip
from adapters.runtime import Runtime, open_runtime
from adapters.settings import Settings
from domain.ids import SYSTEM_TENANT, TenantId
from tests.projecting.office import Office

ROLES = ("asiento_app", "asiento_appender")
UNREADABLE = '{"nothing":"of the kind"}'
POWERS = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"


@pytest.fixture
def owned(urls: Urls) -> Iterator[Urls]:
    """Lend a database of a login that owns it, and may make roles as migrations do; no more."""
    name, password = f"owner_{token_hex(6)}", token_hex(16)
    owner = sql.Identifier(name)
    with psycopg.connect(urls.admin_database_url, autocommit=True) as admin:
        login = sql.SQL("CREATE ROLE {} LOGIN CREATEROLE PASSWORD {}")
        admin.execute(login.format(owner, sql.Literal(password)))
        for role in ROLES:
            grant = sql.SQL("GRANT {} TO {} WITH ADMIN OPTION")
            admin.execute(grant.format(sql.Identifier(role), owner))
        made = sql.SQL("CREATE DATABASE {} OWNER {} ENCODING 'UTF8' TEMPLATE template0")
        admin.execute(made.format(owner, owner))
        own = Urls(
            database_url=conninfo.make_conninfo(urls.database_url, dbname=name),
            admin_database_url=conninfo.make_conninfo(
                urls.admin_database_url, dbname=name, user=name, password=password
            ),
            redis_url=urls.redis_url,
        )
        migrate(own.admin_database_url, own.database_url)
        yield own
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(owner))
        admin.execute(sql.SQL("DROP ROLE {}").format(owner))


@pytest.fixture
async def runtime(owned: Urls, settings: Settings) -> AsyncIterator[Runtime]:
    own = Settings(
        database_url=owned.database_url,
        database_admin_url=owned.admin_database_url,
        redis_url=owned.redis_url,
        asiento_data=settings.asiento_data,
    )
    async with open_runtime(own) as opened:
        yield opened


@pytest.fixture
async def skipped(urls: Urls, owned: Urls, runtime: Runtime) -> Office:
    """A log whose second draft could not be read, and was left out; another was not touched."""
    name = conninfo.conninfo_to_dict(owned.database_url)["dbname"]
    superuser = conninfo.make_conninfo(urls.admin_database_url, dbname=name)
    office = Office(runtime, admin_url=superuser)
    for invoice in ("one", "two", "three"):
        await office.draft(invoice)
    office.change(2, data=UNREADABLE)
    await office.project()
    await office.skip()
    await office.project()
    return office


async def made_anew(office: Office, tenant: TenantId | None) -> list[str]:
    url, keyring = office.runtime.settings.database_admin_url or "", office.runtime.keyring
    with psycopg.connect(url) as owner:
        assert owner.execute(POWERS).fetchone() == (False,)
    done = await rebuild(url, "invoices", tenant, keyring=keyring, asked=Asked())
    assert done.verified
    return office.invoices()


async def test_what_was_skipped_is_left_out_of_every_rebuild(skipped: Office) -> None:
    other = Office(skipped.runtime, admin_url=skipped.admin_url)
    for invoice in ("one", "two"):
        await other.draft(invoice)
    await other.project()
    for tenant in (None, skipped.tenant):
        assert await made_anew(skipped, tenant) == ["one", "three"]
        assert other.invoices() == ["one", "two"]


async def test_a_skip_is_taken_back_by_the_owner(skipped: Office) -> None:
    skipped.change(2, data=skipped.data_of(1).replace("one", "two"))
    place = place_of("invoices", skipped.tenant, 2)
    done = await unskip(skipped.runtime, place, "It can be read.", operator(SYSTEM_TENANT))
    assert done.rebuild
    assert await made_anew(skipped, None) == ["one", "three", "two"]
