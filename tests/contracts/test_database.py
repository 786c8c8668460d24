"""What PostgreSQL itself promises: tenants apart, a log that only grows, one schema."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from secrets import token_hex
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import conninfo, errors, sql

from adapters.embedded.servers import Urls
from adapters.postgres.connections import SET_TENANT, connect
from adapters.postgres.migrate import migrate
from adapters.postgres.models.versions import table_name
from adapters.runtime import Runtime
from application.ports import Append, NewEvent
from domain.ids import TenantId
from projections.kernel import read_models

TENANT_TABLES = """
SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity,
       EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid)
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
"""
OWNED_BY_THE_APPLICATION = """
SELECT relname FROM pg_class WHERE relowner = 'asiento_app'::regrole
"""
RIGHTS_OF_THE_APPLICATION = """
SELECT rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolcanlogin
FROM pg_roles WHERE rolname = 'asiento_app'
"""
SCHEMA = """
SELECT 'column', table_name || '.' || column_name,
       concat_ws(' ', data_type, is_nullable, column_default, collation_name)
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'policy', tablename || '.' || policyname,
       concat_ws(' ', roles::text, cmd, qual, with_check)
FROM pg_policies WHERE schemaname = 'public'
UNION ALL SELECT 'function', oid::regprocedure::text, concat_ws(' ', proowner::regrole, prosrc)
FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT 'rights', relname, relacl::text
FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
UNION ALL SELECT 'read model', name, version || ' ' || shape FROM read_model
UNION ALL SELECT 'version', version_num, '' FROM schema_version
ORDER BY 1, 2
"""
FORBIDDEN_WRITES = [
    "INSERT INTO event SELECT * FROM event",
    "UPDATE event SET data = '{}'",
    "DELETE FROM event",
    "TRUNCATE event",
    "INSERT INTO event_tag SELECT * FROM event_tag",
    "UPDATE event_tag SET tag = 'x'",
    "DELETE FROM event_tag",
    "INSERT INTO log_head SELECT * FROM log_head",
    "UPDATE log_head SET position = 0",
    "DELETE FROM log_head",
    "INSERT INTO idempotency SELECT * FROM idempotency",
    "UPDATE idempotency SET result = ''",
    "DELETE FROM idempotency",
    "UPDATE append_writer SET batch = 0",
    "DELETE FROM append_writer",
    "UPDATE read_model SET shape = ''",
    "DELETE FROM read_model",
    "SELECT partition_log_v1(4)",
    "ALTER TABLE event DISABLE ROW LEVEL SECURITY",
    "DROP POLICY own_tenant ON event",
    "SET ROLE asiento_appender; DELETE FROM event",
]


def query(url: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(statement.encode(), values).fetchall()


def an_append() -> Append:
    event = NewEvent(
        type="Happened",
        tags=("thing:1",),
        data="{}",
        actor="system",
        correlation_id="",
        causation_id="",
    )
    return Append(events=(event,))


@contextmanager
def empty_database(urls: Urls) -> Iterator[Urls]:
    name = f"test_{token_hex(6)}"
    identifier = sql.Identifier(name)
    with psycopg.connect(urls.admin_database_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(identifier))
        try:
            yield Urls(
                database_url=conninfo.make_conninfo(urls.database_url, dbname=name),
                admin_database_url=conninfo.make_conninfo(urls.admin_database_url, dbname=name),
                redis_url=urls.redis_url,
            )
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))


def test_row_level_security_is_forced_on_every_table_of_tenants(database: Urls) -> None:
    found = query(database.admin_database_url, TENANT_TABLES)
    tables = {table_name(model) for model in read_models().values()}
    assert {"event", "event_tag", "log_head", *tables} <= {row[0] for row in found}
    assert [row for row in found if row[1:] != (True, True, True)] == []


def test_the_application_owns_nothing_and_bypasses_nothing(database: Urls) -> None:
    assert query(database.admin_database_url, OWNED_BY_THE_APPLICATION) == []
    assert query(database.admin_database_url, RIGHTS_OF_THE_APPLICATION) == [(False,)]


async def test_without_a_tenant_there_are_no_rows(runtime: Runtime, database: Urls) -> None:
    await runtime.store.append(TenantId(str(uuid4())), an_append())
    tables = [row[0] for row in query(database.admin_database_url, TENANT_TABLES)]
    connection = await connect(database.database_url)
    async with connection:
        for table in tables:
            count = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
            assert await (await connection.execute(count)).fetchone() == (0,), table


async def test_a_tenant_reads_its_own_rows_only(runtime: Runtime, database: Urls) -> None:
    mine, other = TenantId(str(uuid4())), TenantId(str(uuid4()))
    for tenant in (mine, other):
        await runtime.store.append(tenant, an_append())
    connection = await connect(database.database_url)
    async with connection, connection.transaction():
        await connection.execute(SET_TENANT, (mine,))
        found = await connection.execute("SELECT DISTINCT tenant_id::text FROM event")
        assert await found.fetchall() == [(mine,)]


@pytest.mark.parametrize("statement", FORBIDDEN_WRITES)
async def test_the_log_is_written_by_its_function_alone(
    runtime: Runtime, database: Urls, statement: str
) -> None:
    tenant = TenantId(str(uuid4()))
    await runtime.store.append(tenant, an_append())
    connection = await connect(database.database_url)
    async with connection:
        await connection.execute("SELECT set_config('app.tenant_id', %s, false)", (tenant,))
        with pytest.raises(errors.InsufficientPrivilege):
            await connection.execute(statement.encode())


def test_migrating_again_changes_nothing(database: Urls) -> None:
    before = query(database.admin_database_url, SCHEMA)
    again = migrate(database.admin_database_url, database.database_url)
    assert (again.applied, again.pending) == ([], [])
    assert query(database.admin_database_url, SCHEMA) == before


def test_a_check_says_what_is_pending_and_changes_nothing(urls: Urls) -> None:
    with empty_database(urls) as own:
        check = migrate(own.admin_database_url, own.database_url, check=True)
        assert check.applied == []
        assert set(read_models()) < set(check.pending)
        assert query(own.admin_database_url, TENANT_TABLES) == []


def test_two_migrations_at_once_take_turns(database: Urls, urls: Urls) -> None:
    with empty_database(urls) as own, ThreadPoolExecutor(2) as threads:
        runs = [threads.submit(migrate, own.admin_database_url, own.database_url) for _ in range(2)]
        applied = sorted(len(run.result().applied) for run in runs)
        assert applied[0] == 0
        assert applied[1] > len(read_models())
        made = query(own.admin_database_url, SCHEMA)
    assert made == query(database.admin_database_url, SCHEMA)
