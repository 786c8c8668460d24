"""Versions of other code are kept to go back to, and let go of when nobody can want them."""

from typing import Any

import psycopg
import pytest
from psycopg import sql

from adapters.embedded.servers import Urls
from adapters.postgres.migrate import migrate
from adapters.postgres.models.keeping import drop_version, list_versions
from adapters.postgres.models.tables import create_table
from adapters.postgres.models.versions import consumer_of, table_name
from application.errors import Conflict, NotFound, Unavailable
from projections.invoices import Invoices
from projections.kernel import read_models

THIS = Invoices.version
FORMER = THIS + 7
TABLE = table_name(Invoices, FORMER)
MADE = """
INSERT INTO read_model (name, version, shape, made_at, built_at, seen_at)
SELECT 'invoices', %s, 'other', now() - %s::interval, now() - %s::interval, now() - %s::interval
"""
CURSOR = """
INSERT INTO projection_cursor (tenant_id, projection, position)
VALUES (gen_random_uuid(), %s, 7) ON CONFLICT DO NOTHING
"""
DAYS = 14


@pytest.fixture
def admin(database: Urls) -> Any:  # noqa: ANN401 - a connection, and the end of it.
    """Leave a version behind that other code made, with its cursor and a rebuild's leavings."""
    with psycopg.connect(database.admin_database_url, autocommit=True) as connection:
        leave_behind(connection)
        yield connection
        connection.execute("UPDATE read_model SET built_at = now(), seen_at = now()")
        connection.execute("DELETE FROM read_model WHERE version = %s", (FORMER,))
        for table in tables(connection):
            if str(FORMER) in table:
                connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(table)))


def leave_behind(connection: psycopg.Connection[Any], *, seen: str = "1 hour") -> None:
    connection.execute(create_table(Invoices, TABLE))
    connection.execute(create_table(Invoices, f"{TABLE}__old"))
    connection.execute(MADE, (FORMER, "90 days", "90 days", seen))
    connection.execute(CURSOR, (f"invoices@{FORMER}",))


def seen(connection: psycopg.Connection[Any], days: int) -> None:
    """Let the last projector of the former version have run so long ago."""
    connection.execute(
        "UPDATE read_model SET seen_at = now() - make_interval(days => %s) WHERE version = %s",
        (days, FORMER),
    )


def built(connection: psycopg.Connection[Any], days: int) -> None:
    """Let the version that takes its place have been built so long ago."""
    connection.execute(
        "UPDATE read_model SET built_at = now() - make_interval(days => %s) WHERE version = %s",
        (days, THIS),
    )


def tables(connection: psycopg.Connection[Any]) -> set[str]:
    found = connection.execute("SELECT relname FROM pg_class WHERE relkind = 'r'")
    return {name for (name,) in found}


def readers(connection: psycopg.Connection[Any]) -> set[str]:
    found = connection.execute("SELECT DISTINCT projection FROM projection_cursor")
    return {name for (name,) in found}


@pytest.mark.usefixtures("admin")
def test_the_versions_there_are_are_listed_with_how_they_stand(database: Urls) -> None:
    listed = {(each.name, each.version): each for each in list_versions(database.database_url)}
    assert len(listed) == len(read_models()) + 1
    former, own = listed["invoices", FORMER], listed["invoices", THIS]
    assert (former.status, own.status) == ("kept", "serving")
    assert former.size_bytes > 0
    assert former.made_at < former.seen_at


def test_a_version_that_a_projector_keeps_is_in_use(
    database: Urls, admin: psycopg.Connection[Any]
) -> None:
    seen(admin, 0)
    (former,) = [each for each in list_versions(database.database_url) if each.version == FORMER]
    assert former.status == "in_use"
    with pytest.raises(Conflict) as refused:
        drop_version(database.admin_database_url, "invoices", FORMER)
    assert refused.value.code == "projections.version_in_use"
    assert TABLE in tables(admin)


def test_what_this_code_reads_is_never_dropped(database: Urls) -> None:
    with pytest.raises(Conflict) as refused:
        drop_version(database.admin_database_url, "invoices", THIS)
    assert refused.value.code == "projections.version_in_use"


def test_a_version_that_is_not_there_is_not_dropped(database: Urls) -> None:
    for name, version in (("invoices", 99), ("bolts", 1)):
        with pytest.raises(NotFound) as refused:
            drop_version(database.admin_database_url, name, version)
        assert refused.value.code == "projections.no_version"


def test_a_dropped_version_leaves_no_table_and_no_cursor(
    database: Urls, admin: psycopg.Connection[Any]
) -> None:
    gone = drop_version(database.admin_database_url, "invoices", FORMER)
    assert (gone.name, gone.version) == ("invoices", FORMER)
    assert not {TABLE, f"{TABLE}__old"} & tables(admin)
    assert f"invoices@{FORMER}" not in readers(admin)
    assert table_name(Invoices) in tables(admin)
    with pytest.raises(NotFound):
        drop_version(database.admin_database_url, "invoices", FORMER)


@pytest.mark.parametrize(
    ("seen_days", "built_days", "removed"),
    [(15, 15, True), (13, 15, False), (15, 13, False), (13, 13, False)],
)
def test_migrating_removes_what_was_outlived_long_enough(
    database: Urls,
    admin: psycopg.Connection[Any],
    *,
    seen_days: int,
    built_days: int,
    removed: bool,
) -> None:
    seen(admin, seen_days)
    built(admin, built_days)
    done = migrate(database.admin_database_url, database.database_url, kept_days=DAYS)
    assert done.applied == ([f"without invoices@{FORMER}"] if removed else [])
    assert (TABLE in tables(admin)) is not removed


def test_a_check_removes_nothing(database: Urls, admin: psycopg.Connection[Any]) -> None:
    seen(admin, 99)
    built(admin, 99)
    urls = (database.admin_database_url, database.database_url)
    checked = migrate(*urls, check=True, kept_days=DAYS)
    assert (checked.applied, checked.pending) == ([], [])
    assert TABLE in tables(admin)


def test_the_last_version_that_was_read_stays_however_long_all_stood_still(
    database: Urls, admin: psycopg.Connection[Any]
) -> None:
    seen(admin, 99)
    admin.execute(
        "UPDATE read_model SET built_at = now() - interval '300 days',"
        " seen_at = now() - interval '200 days' WHERE version <> %s",
        (FORMER,),
    )
    migrate(database.admin_database_url, database.database_url, kept_days=DAYS)
    assert {TABLE, table_name(Invoices)} <= tables(admin)


def test_a_fold_that_is_under_way_is_waited_for(
    database: Urls, admin: psycopg.Connection[Any]
) -> None:
    with psycopg.connect(database.admin_database_url) as folding:
        lock = "SELECT pg_advisory_xact_lock_shared(hashtextextended('projecting:' || %s, 0))"
        folding.execute(lock.encode(), (consumer_of(Invoices, FORMER),))
        impatient = f"{database.admin_database_url} options='-c lock_timeout=200ms'"
        with pytest.raises(Unavailable):
            drop_version(impatient, "invoices", FORMER)
    assert TABLE in tables(admin)


def test_the_code_of_before_makes_its_table_again_in_a_database_of_later_code(
    database: Urls, admin: psycopg.Connection[Any]
) -> None:
    (was,) = admin.execute("SELECT version_num FROM schema_version").fetchone() or ("",)
    admin.execute("UPDATE schema_version SET version_num = '9999'")
    admin.execute("DELETE FROM read_model WHERE name = 'invoices' AND version = %s", (THIS,))
    admin.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(table_name(Invoices))))
    urls = (database.admin_database_url, database.database_url)
    assert migrate(*urls, check=True).pending == ["invoices"]
    assert migrate(*urls).applied == ["invoices"]
    assert table_name(Invoices) in tables(admin)
    admin.execute("UPDATE schema_version SET version_num = %s", (was,))
