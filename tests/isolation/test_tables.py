"""Tables: whichever there are, those of tenants are apart by the database's own rule."""

from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest

from adapters.embedded.servers import Urls
from adapters.postgres.models.tables import create_table
from adapters.postgres.projecting.building.rebuild import Asked, rebuild
from adapters.runtime import Runtime
from projections.kernel import read_models
from tests.conftest import new_database
from tests.isolation.company import Company
from tests.isolation.tables import (
    APPLICATION,
    FOREIGN,
    HOLD_NONE,
    TENANT,
    UNIQUE,
    Connection,
    columns,
    key_of,
    of_tenants,
    tables,
)

MEMBERSHIPS = """
SELECT r.rolname::text FROM pg_auth_members AS m JOIN pg_roles AS r ON r.oid = m.roleid
WHERE m.member = 'asiento_app'::regrole
"""
RIGHTS = """
SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication, rolcanlogin
FROM pg_roles WHERE rolname = ANY (%s)
"""
OWNED = r"""
SELECT c.oid::regclass::text FROM pg_class AS c
WHERE c.relowner = 'asiento_app'::regrole AND c.relnamespace::regnamespace::text NOT LIKE 'pg%'
UNION ALL
SELECT p.oid::regprocedure::text FROM pg_proc AS p WHERE p.proowner = 'asiento_app'::regrole
UNION ALL
SELECT n.nspname::text FROM pg_namespace AS n WHERE n.nspowner = 'asiento_app'::regrole
"""
POLICIES = """
SELECT polname::text, polpermissive, array(
    SELECT coalesce(nullif(r, 0)::regrole::text, 'public') FROM unnest(polroles) AS r
), pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid), polcmd::text
FROM pg_policy WHERE polrelid = %s
"""
GRANTED = """
SELECT privilege_type FROM information_schema.role_table_grants WHERE grantee = ANY (%s)
  AND format('%%I.%%I', table_schema, table_name)::regclass = %s::oid::regclass
"""
READABLE = "SELECT WHERE has_table_privilege(%s, %s::oid, 'SELECT')"
ENTERED = "SELECT has_schema_privilege(%s, 'apart', 'USAGE')"
OWN_ROWS = "(tenant_id = current_tenant())"
RESERVED = {"TRUNCATE", "REFERENCES", "TRIGGER"}


@pytest.fixture(scope="module", params=["whole", "partitioned"])
def schema(request: pytest.FixtureRequest, urls: Urls, database: Urls) -> Iterator[Connection]:
    """Look at a database as its owner: one as it usually is, and one whose log is split."""
    if request.param == "whole":
        with psycopg.connect(database.admin_database_url, autocommit=True) as connection:
            yield connection
        return
    with (
        new_database(urls, partitions=3) as own,
        psycopg.connect(own.admin_database_url, autocommit=True) as connection,
    ):
        yield connection


def test_there_are_tables_of_tenants(schema: Connection) -> None:
    names = {table.name for table in of_tenants(schema)}
    assert {"event", "log_head", "subject_key", "webhook_dead_letter", "import_row"} <= names
    assert len([name for name in names if "_v" in name]) >= len(read_models())


def test_a_table_is_of_tenants_or_is_known_to_hold_nothing_of_theirs(schema: Connection) -> None:
    others = {table.name for table in tables(schema) if not table.of_tenants}
    assert others == HOLD_NONE.keys(), "Give it a tenant_id, or say why it needs none."


def test_what_holds_nothing_of_tenants_has_no_texts_that_the_application_writes(
    schema: Connection,
) -> None:
    for table in tables(schema):
        if not table.of_tenants:
            granted = {row[0] for row in schema.execute(GRANTED, ([APPLICATION], table.oid))}
            assert not granted & {"INSERT", "DELETE", *RESERVED}, table.name


def test_row_level_security_is_enabled_and_forced(schema: Connection) -> None:
    for table in of_tenants(schema):
        assert table.kind in {"r", "p"}, f"{table.name}: a view sees what its owner sees."
        assert table.secured, table.name
        assert table.forced, table.name


def test_the_tenant_leads_every_key_by_which_rows_could_meet(schema: Connection) -> None:
    for table in of_tenants(schema):
        assert key_of(schema, table)[:1] == [TENANT], table.name
        for name, _, names in schema.execute(UNIQUE, (table.oid,)):
            assert names[0] == TENANT, f"{name}: a value that is taken would tell of others."


def test_no_reference_leads_to_another_tenants_row(schema: Connection) -> None:
    found = {table.name: table for table in tables(schema)}
    for table in of_tenants(schema):
        for name, _, other, ours, theirs in schema.execute(FOREIGN, (table.oid,)).fetchall():
            if found[other].of_tenants:  # What a reference finds, no policy hides.
                assert (TENANT, TENANT) in set(zip(ours, theirs, strict=True)), name


def test_every_row_says_whose_it_is(schema: Connection) -> None:
    for table in of_tenants(schema):
        (column,) = (each for each in columns(schema, table.oid) if each.name == TENANT)
        assert (column.type, column.needed) == ("uuid", True), table.name


def test_the_policies_let_through_the_rows_of_the_tenant_that_is_set(schema: Connection) -> None:
    for table in of_tenants(schema):
        policies = schema.execute(POLICIES, (table.oid,)).fetchall()
        own = [each for each in policies if each[2] == ["public"]]
        assert len(own) == 1, table.name
        _, permissive, _, shown, written, command = own[0]
        assert (permissive, shown, command) == (True, OWN_ROWS, "*"), table.name
        assert written in {None, OWN_ROWS}, table.name
        # Any other is for the role that nobody logs in as.
        others = [each[2] for each in policies if each[2] != ["public"]]
        assert others in ([], [["asiento_appender"]]), table.name


def test_the_application_owns_nothing_and_is_nobody_else(schema: Connection) -> None:
    """But for a table of its session, through which the rows of a file go."""
    assert schema.execute(MEMBERSHIPS).fetchall() == []
    assert schema.execute(OWNED).fetchall() == []
    for rights in schema.execute(RIGHTS, ([APPLICATION, "asiento_appender"],)).fetchall():
        assert rights == (False,) * 6
    for table in tables(schema):
        assert table.owner != APPLICATION, table.name


def test_nobody_is_given_what_row_level_security_does_not_bound(schema: Connection) -> None:
    for table in of_tenants(schema):
        roles = [APPLICATION, "PUBLIC"]
        granted = {row[0] for row in schema.execute(GRANTED, (roles, table.oid))}
        assert not granted & RESERVED, table.name
        assert not schema.execute(GRANTED, (["PUBLIC"], table.oid)).fetchall(), table.name


def test_the_application_makes_nothing_in_any_schema(schema: Connection) -> None:
    allowed = "SELECT nspname::text FROM pg_namespace WHERE has_schema_privilege(%s, oid, 'CREATE')"
    names = {row[0] for row in schema.execute(allowed, (APPLICATION,))}
    assert {name for name in names if not name.startswith("pg_")} == set()


def test_a_table_that_is_made_tomorrow_is_found(schema: Connection) -> None:
    """Or these tests would look at what they know alone."""
    model = next(iter(read_models().values()))
    with schema.transaction(force_rollback=True):
        schema.execute(create_table(model, "tomorrow_v1"))
        schema.execute("CREATE TABLE careless (note text)")
        schema.execute("CREATE TABLE open_rows (tenant_id uuid, id text)")
        made = {table.name: table for table in tables(schema)}
        assert made["tomorrow_v1"].forced
        assert not made["careless"].of_tenants
        assert not made["open_rows"].secured


async def test_what_a_rebuild_makes_is_apart_like_the_rest(
    runtime: Runtime, database: Urls, company: Company
) -> None:
    """Rows as of a day are the owner's alone; rows that serve, and the former ones, are guarded."""
    now = datetime.now(UTC)
    for asked in (Asked(jobs=1, as_of=now, into="apart"), Asked(jobs=1)):
        done = await rebuild(
            database.admin_database_url, "invoices", keyring=runtime.keyring, asked=asked
        )
        assert done.rows > 0
    with psycopg.connect(database.admin_database_url, autocommit=True) as connection:
        for table in of_tenants(connection):
            readable = connection.execute(READABLE, (APPLICATION, table.oid)).rowcount == 1
            assert readable is not table.name.startswith("apart."), table.name
            assert (table.secured and table.forced) or not readable, table.name
        entered = connection.execute(ENTERED, (APPLICATION,)).fetchone()
        connection.execute("DROP SCHEMA apart CASCADE")
    assert entered == (False,)
    assert company.head > 0
