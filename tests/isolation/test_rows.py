"""Rows: of every table there is, another tenant's can't be read, written or met by its key."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import errors, sql

from adapters.embedded.servers import Urls
from tests.isolation.tables import (
    MARK,
    TENANT,
    Connection,
    Table,
    acting,
    columns,
    insert,
    key_of,
    of_tenants,
    write_row,
)

OURS, THEIRS = str(uuid4()), str(uuid4())
DENIED = (errors.InsufficientPrivilege,)
PEEK = """
CREATE FUNCTION pg_temp.peek(anyelement) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$
BEGIN
    RAISE NOTICE 'peeked %', $1;
    RETURN true;
END
$$
"""
STATISTICS = """
SELECT attname FROM pg_stats
WHERE format('%%I.%%I', schemaname, tablename)::regclass = %s::oid::regclass
"""
Rows = list[tuple[Table, dict[str, Any]]]  # Any: of columns of any type.


@pytest.fixture(scope="module")
def owner(database: Urls) -> Iterator[Connection]:
    with psycopg.connect(database.admin_database_url) as connection:
        yield connection
        connection.rollback()


@pytest.fixture(scope="module")
def each(owner: Connection) -> Rows:
    """Write a row of another tenant into every table, in a transaction that never ends."""
    rows = [
        (table, write_row(owner, table, THEIRS))
        for table in of_tenants(owner)
        if table.kind in {"r", "p"} and "." not in table.name
    ]
    assert len(rows) > 15
    assert all(str(row[TENANT]) == THEIRS for _, row in rows)
    return rows


def count(connection: Connection, table: Table, where: str = "true") -> int | None:
    """Count rows; None: they can't be read at all."""
    text = sql.SQL("SELECT count(*) FROM {} WHERE " + where).format(table.identifier)
    try:
        with connection.transaction():
            row = connection.execute(text).fetchone()
    except DENIED:
        return None
    assert row is not None, "A count is a row."
    number: int = row[0]
    return number


def done(connection: Connection, statement: sql.Composed, *values: object) -> int:
    """Run a statement; return how many rows it touched, none where it is refused."""
    try:
        with connection.transaction():
            return connection.execute(statement, values).rowcount
    except DENIED:
        return 0


def test_a_tenant_sees_its_own_row_of_every_table(owner: Connection, each: Rows) -> None:
    """Or the tests below would see nothing, whatever there was."""
    unreadable = set()
    with acting(owner, THEIRS):
        for table, _ in each:
            seen = count(owner, table)
            unreadable |= {table.name} if seen is None else set()
            assert seen in {None, 1}, table.name
    assert unreadable == set()


@pytest.mark.parametrize(
    "who",
    [OURS, None, "", THEIRS.upper()[:-1] + "0"],
    ids=["another", "nobody", "nothing", "one like it"],
)
def test_another_tenants_rows_are_not_there(owner: Connection, each: Rows, who: str | None) -> None:
    with acting(owner, who):
        for table, row in each:
            assert count(owner, table, f"tenant_id = '{THEIRS}'") == 0, table.name
            assert count(owner, table, f"tenant_id::text LIKE '{row[TENANT][:8]}%'") == 0
            assert count(owner, table, "ctid IS NOT NULL") == 0, table.name


@pytest.mark.parametrize(
    "who", ["x", "00", f"{THEIRS}' OR true --"], ids=["a letter", "digits", "an injection"]
)
def test_what_is_no_tenant_is_an_error_and_not_everyone(
    owner: Connection, each: Rows, who: str
) -> None:
    for table, _ in each:
        with acting(owner, who), pytest.raises(errors.InvalidTextRepresentation):
            count(owner, table)


def test_no_function_of_the_callers_gets_to_see_a_row(owner: Connection, each: Rows) -> None:
    """The cheapest condition there is comes after the policy, as it might tell what it sees."""
    heard: list[str] = []
    owner.add_notice_handler(lambda told: heard.append(str(told.message_primary)))
    for who, expected in ((OURS, False), (THEIRS, True)):
        heard.clear()
        with acting(owner, who):
            owner.execute(PEEK)
            for table, _ in each:
                name = columns(owner, table.oid)[1].name
                count(owner, table, f'pg_temp.peek("{name}"::text)')
        assert any("peeked" in text for text in heard) is expected


def test_no_statistics_tell_what_columns_hold(owner: Connection, each: Rows) -> None:
    for table, _ in each:
        owner.execute(sql.SQL("ANALYZE {}").format(table.identifier))
    with acting(owner, OURS):
        for table, _ in each:
            assert owner.execute(STATISTICS, (table.oid,)).fetchall() == [], table.name


def test_another_tenants_rows_cannot_be_changed_or_locked(owner: Connection, each: Rows) -> None:
    for table, row in each:
        column = sql.Identifier(next(iter(row.keys() - {TENANT})))
        statements = [
            sql.SQL("UPDATE {} SET {} = {} WHERE tenant_id = %s").format(
                table.identifier, column, column
            ),
            sql.SQL("DELETE FROM {} WHERE tenant_id = %s").format(table.identifier),
            sql.SQL("SELECT FROM {} WHERE tenant_id = %s FOR UPDATE").format(table.identifier),
            sql.SQL("SELECT FROM {} WHERE tenant_id = %s FOR KEY SHARE").format(table.identifier),
        ]
        for who in (OURS, None):
            with acting(owner, who):
                for statement in statements:
                    assert done(owner, statement, THEIRS) == 0, statement.as_string(None)
        with acting(owner, OURS), pytest.raises(errors.InsufficientPrivilege):
            owner.execute(sql.SQL("TRUNCATE {}").format(table.identifier))


def test_no_row_is_written_in_another_tenants_name(owner: Connection, each: Rows) -> None:
    for table, row in each:
        new = {
            name: f"{value}-new" if isinstance(value, str) and value.startswith(MARK) else value
            for name, value in row.items()
        }
        for who in (OURS, None):
            with acting(owner, who), pytest.raises(errors.InsufficientPrivilege):
                owner.execute(insert(table, new), list(new.values()))


def test_no_key_of_another_tenants_row_can_be_met(owner: Connection, each: Rows) -> None:
    """Neither an error nor a count tells whether the key is taken."""
    for table, row in each:
        key = ", ".join(f'"{name}"' for name in key_of(owner, table))
        ways = ["", "ON CONFLICT DO NOTHING", f"ON CONFLICT ({key}) DO NOTHING"]
        ways += [f"ON CONFLICT ({key}) DO UPDATE SET tenant_id = excluded.tenant_id RETURNING *"]
        for way in ways:
            with acting(owner, OURS), pytest.raises(errors.InsufficientPrivilege):
                owner.execute(insert(table, row, way), list(row.values()))


def test_the_same_keys_are_free_for_another_tenant(owner: Connection, each: Rows) -> None:
    for table, row in each:
        mine = {**row, TENANT: OURS}
        with acting(owner, OURS):
            try:
                with owner.transaction():
                    owner.execute(insert(table, mine), list(mine.values()))
            except DENIED:  # The application may not write this table; its functions do.
                continue
            assert count(owner, table) == 1, table.name


def test_a_row_of_ones_own_is_not_given_away(owner: Connection, each: Rows) -> None:
    for table, row in each:
        give = sql.SQL("UPDATE {} SET tenant_id = %s").format(table.identifier)
        mine = {**row, TENANT: OURS}
        with acting(owner, OURS):
            try:
                with owner.transaction():
                    owner.execute(insert(table, mine), list(mine.values()))
            except DENIED:
                continue
            with pytest.raises(errors.InsufficientPrivilege):
                owner.execute(give, (THEIRS,))


def test_nothing_is_copied_out_of_another_tenants_rows(owner: Connection, each: Rows) -> None:
    for table, _ in each:
        with acting(owner, OURS):
            text = sql.SQL("COPY (SELECT * FROM {}) TO STDOUT").format(table.identifier)
            with owner.cursor().copy(text) as copied:
                assert b"".join(copied) == b"", table.name
