"""Who the processes are: a login that may become the application's role, and nothing else at all.

The login of this test has no right of its own and inherits none. What a process does with it, it
does as the role that row-level security binds, or not at all.
"""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

import httpx
import psycopg
import pytest
from msgspec import structs
from psycopg import conninfo, sql

from adapters.embedded.applications import APPLICATIONS
from adapters.embedded.servers import Urls
from adapters.postgres.migrate import migrate
from adapters.runtime import Runtime
from adapters.settings import Settings
from tests.cli.conftest import command_line, shell
from tests.conftest import new_database
from tests.rest.api import caller, free_port, make_tenant, projecting

SECONDS_MAX: Final = 40.0
WHO: Final = """
SELECT DISTINCT a.usename::text FROM pg_stat_activity AS a
WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
  AND a.backend_type = 'client backend'
"""
ALONE: Final = """
SELECT r.rolsuper OR r.rolbypassrls OR r.rolinherit OR r.rolcreaterole OR r.rolcreatedb, array(
    SELECT g.rolname::text FROM pg_roles AS g
    WHERE g.rolname <> r.rolname AND pg_has_role(r.rolname, g.oid, 'MEMBER')
), array(
    SELECT c.oid::regclass::text FROM pg_class AS c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
      AND has_table_privilege(r.rolname, c.oid, 'SELECT')
)
FROM pg_roles AS r WHERE r.rolname = %s
"""


@contextmanager
def a_login(urls: Urls) -> Iterator[tuple[str, str]]:
    """Make a login without rights; return its name and password."""
    name, password = f"run_{token_hex(4)}", token_hex(16)
    with psycopg.connect(urls.admin_database_url, autocommit=True) as admin:
        make = "CREATE ROLE {} LOGIN NOINHERIT NOSUPERUSER NOBYPASSRLS PASSWORD {}"
        admin.execute(sql.SQL(make).format(sql.Identifier(name), sql.Literal(password)))
        yield name, password
        admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def login(urls: Urls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Settings]]:
    """Settings of an instance whose processes log in so."""
    with a_login(urls) as (name, password), new_database(urls) as own:
        url = conninfo.make_conninfo(own.database_url, user=name, password=password)
        migrate(own.admin_database_url, url)
        yield (
            name,
            Settings(
                database_url=url,
                database_admin_url=own.admin_database_url,
                redis_url=own.redis_url,
                asiento_data=tmp_path_factory.mktemp("roles"),
                port=free_port(),
            ),
        )


@pytest.fixture(scope="module")
async def processes(login: tuple[str, Settings]) -> AsyncIterator[Settings]:
    """Run each kind of process of an instance, told of the one login alone."""
    settings = login[1]
    given = structs.asdict(structs.replace(settings, database_admin_url=None))
    exported = shell(**{name.upper(): str(value) for name, value in given.items() if value})
    running = [_started(name, exported, settings.data) for name in APPLICATIONS]
    try:
        await _until_served(settings, running)
        yield settings
    finally:
        for process in running:
            process.kill()  # What it does at its end is tried elsewhere.
        for process in running:
            await asyncio.to_thread(process.wait, 15)


def _started(name: str, exported: dict[str, str], data: Path) -> subprocess.Popen[bytes]:
    with (data / f"{name}.log").open("ab") as file:
        return subprocess.Popen(command_line(name), env=exported, stdout=file, stderr=file)


async def _until_served(settings: Settings, running: list[subprocess.Popen[bytes]]) -> None:
    async with asyncio.timeout(SECONDS_MAX), caller(settings) as client:
        while True:
            assert all(process.poll() is None for process in running)
            with suppress(httpx.TransportError):
                if (await client.get("/ready")).status_code == 200:
                    return
            await asyncio.sleep(0.1)


def asked(settings: Settings, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Ask as the owner."""
    with psycopg.connect(settings.owner_url, autocommit=True) as connection:
        return connection.execute(statement.encode(), values).fetchall()


def test_every_kind_of_process_is_run() -> None:
    assert set(APPLICATIONS) == {"api", "projector", "worker", "scheduler"}


def test_the_login_can_do_nothing_by_itself(login: tuple[str, Settings]) -> None:
    name, settings = login
    assert asked(settings, ALONE, name) == [(False, ["asiento_app"], [])]


async def test_an_instance_works_with_no_other_right(processes: Settings, login: Any) -> None:  # noqa: ANN401 - as above.
    """A file is taken in by a job, folded, and read; nobody else was logged in meanwhile."""
    name, settings = login
    own = structs.replace(settings, asiento_data=processes.data)
    async with projecting(own) as runtime:
        tenant = await make_tenant(runtime)
        async with caller(processes, tenant.key) as client:
            seen = await _taken_in(client)
            who = {row[0] for row in asked(settings, WHO)}
        await _is_the_application(runtime)
    assert seen["status"] == "promoted", seen
    assert who == {name}


async def _taken_in(client: httpx.AsyncClient) -> Any:  # noqa: ANN401 - JSON.
    rows = [{"number": "N-1", "date": "2026-01-31", "quantity": 1, "unit_price": "2"}]
    batch = (await client.post("/api/v1/imports/batches")).json()["batch"]
    for step, given in (("ingest", {"rows": rows}), ("validate", {}), ("promote", {})):
        done = await client.post(f"/api/v1/imports/batches/{batch}/{step}", json=given)
        assert done.status_code == 202, done.text
        await _ended(client, done.json()["job"], done.json()["position"])
    listed = await client.get("/api/v1/invoices", params={"filter[batch]": batch})
    assert [each["number"] for each in listed.json()["items"]] == ["N-1"]
    seen = await client.get(f"/api/v1/imports/batches/{batch}")
    return seen.json()


async def _ended(client: httpx.AsyncClient, job: str, position: int) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        while True:
            params = {"at_least": position}
            row = (await client.get(f"/api/v1/jobs/{job}", params=params)).json()
            if row.get("status") in {"succeeded", "failed", "cancelled"}:
                break
            await asyncio.sleep(0.05)
    assert row["status"] == "succeeded", row
    await asyncio.sleep(0.3)  # What the job appended last is folded by then.


async def _is_the_application(runtime: Runtime) -> None:
    async with runtime.pool.connection() as connection:
        row = await (await connection.execute("SELECT current_user::text, session_user")).fetchone()
    assert row is not None
    assert row[0] == "asiento_app"
    assert row[1] != row[0]


def test_the_login_of_an_embedded_instance_is_no_superuser(urls: Urls) -> None:
    """That of DATABASE_URL where the tests are given one: as whoever runs them set it up."""
    name = conninfo.conninfo_to_dict(urls.database_url)["user"]
    with psycopg.connect(urls.admin_database_url) as connection:
        rights = connection.execute(
            "SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = %s", (name,)
        ).fetchone()
    assert rights == (False, False)
