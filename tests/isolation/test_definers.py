"""Functions that see all tenants: which there are, who may call them, what they give to whom."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from uuid import uuid4

import psycopg
import pytest
from msgspec import Struct
from psycopg import sql

from adapters.embedded.servers import Urls
from adapters.postgres.models.tables import SEARCH
from adapters.postgres.models.versions import table_name
from projections.invoices import Invoices
from projections.jobs import Jobs
from tests.isolation.tables import (
    APPLICATION,
    MARK,
    Connection,
    acting,
    columns,
    of_tenants,
    write_row,
)

OURS, THEIRS = str(uuid4()), str(uuid4())
WRITER: Final = str(uuid4())
NOBODY: Final = "00000000-0000-0000-0000-000000000000"
DEFINERS = """
SELECT p.proname::text, p.proowner::regrole::text, p.proconfig::text[],
       has_function_privilege('public', p.oid, 'EXECUTE'), array(
           SELECT r.rolname::text FROM pg_roles AS r
           WHERE has_function_privilege(r.rolname, p.oid, 'EXECUTE')
             AND NOT r.rolsuper AND r.rolname NOT LIKE 'pg\\_%'
       )
FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1
"""
SETTING = """
SELECT p.proname::text, p.prosecdef, p.prosrc FROM pg_proc AS p
WHERE p.pronamespace = 'public'::regnamespace AND p.prosrc LIKE '%set_config(''app.tenant_id''%'
"""
PATH: Final = "search_path=pg_catalog, public, pg_temp"


class Gives(Struct, frozen=True, kw_only=True):
    """What a function gives to whoever may call it.

    Attributes:
        call: How it is called here.
        of_others: What of other tenants stands in its answer: none, figures, their ids, names of
            theirs (of jobs, endpoints, people), or bytes that tell nothing: hashes, and keys that
            open nothing without the instance's.
        why: What needs it.

    """

    call: str
    of_others: str
    why: str


NONE, FIGURES, IDS, NAMES, BYTES = "none", "figures", "ids", "names", "bytes"
GIVES: Final[Mapping[str, Gives]] = {
    "append_events_v2": Gives(
        call=f"append_events_v2('{WRITER}', 1, '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}',"
        " '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')",
        of_others=NONE,
        why="Appends of many tenants are one transaction. It answers what became of each.",
    ),
    "settle_writer_v1": Gives(
        call=f"settle_writer_v1('{WRITER}', 0)",
        of_others=NONE,
        why="Tells a writer what became of its own batch, by a number that only it has.",
    ),
    "close_log_v1": Gives(
        call=f"close_log_v1('{OURS}')",
        of_others=NONE,
        why="Closes the log that it is given, and answers where it ends.",
    ),
    "search_keys_v1": Gives(
        call=f"search_keys_v1('{table_name(Invoices)}', 'invoice', '{{%}}', 9999)",
        of_others=NONE,
        why="LIKE is not leakproof. It finds keys of the tenant of the transaction alone.",
    ),
    "heads_v1": Gives(call="heads_v1()", of_others=IDS, why="Which logs there are."),
    "anchor_heads_v1": Gives(
        call="anchor_heads_v1()", of_others=BYTES, why="An anchor signs the hash of every log."
    ),
    "lagging_v1": Gives(
        call="lagging_v1('{c}', '{c}', 9999)", of_others=IDS, why="/health: whose log is behind."
    ),
    "lagging_v2": Gives(
        call="lagging_v2('{c}', '{c}', 9999)",
        of_others=IDS,
        why="The projector: whose log is behind.",
    ),
    "stopped_v1": Gives(
        call=f"stopped_v1(array(SELECT '{MARK}-' || n FROM generate_series(0, 1) AS n), 9999)",
        of_others=IDS,
        why="The projector: whose readers may go on.",
    ),
    "standing_v1": Gives(
        call="standing_v1('{c}', '{c}', 9999)",
        of_others=IDS,
        why="Metrics: who is behind longest.",
    ),
    "cursors_v1": Gives(
        call="cursors_v1()", of_others=NAMES, why="Operators: each reader, and why it stands still."
    ),
    "pulse_v1": Gives(call="pulse_v1()", of_others=FIGURES, why="Whether anything happened."),
    "folded_v1": Gives(
        call="folded_v1('c', false)", of_others=FIGURES, why="How far a new read model is."
    ),
    "caught_up_v1": Gives(
        call="caught_up_v1('m', 1, false)", of_others=FIGURES, why="Whether a version may serve."
    ),
    "dead_letters_v1": Gives(
        call="dead_letters_v1()",
        of_others=NAMES,
        why="Metrics: refused reactions. Their names are the code's, and no tenant's.",
    ),
    "webhook_figures_v1": Gives(
        call="webhook_figures_v1()", of_others=FIGURES, why="Metrics: how webhooks are."
    ),
    "due_webhooks_v1": Gives(
        call="due_webhooks_v1(NULL, 9999)", of_others=NAMES, why="Whose endpoint is sent to next."
    ),
    "unended_jobs_v2": Gives(
        call="unended_jobs_v2()", of_others=NAMES, why="Which jobs to queue again."
    ),
    "begin_reaction_v1": Gives(
        call="begin_reaction_v1('r', false)", of_others=FIGURES, why="Sets its cursors at heads."
    ),
    "forget_cursors_v1": Gives(
        call="forget_cursors_v1('c')", of_others=FIGURES, why="A reader begins anew everywhere."
    ),
    "expire_keys_v1": Gives(
        call="expire_keys_v1('99 years')", of_others=FIGURES, why="Processes of an older version."
    ),
    "expire_keys_v2": Gives(
        call="expire_keys_v2('99 years')", of_others=FIGURES, why="Lets old keys go."
    ),
    "subject_keys_to_wrap_v1": Gives(
        call=f"subject_keys_to_wrap_v1('m', '{NOBODY}', '', -1, 9999)",
        of_others=BYTES,
        why="Rotating the master key wraps all of them.",
    ),
    "subject_keys_wrapped_by_v1": Gives(
        call=f"subject_keys_wrapped_by_v1('{MARK}-0', 9999)",
        of_others=BYTES,
        why="Before a process wraps, it sees by some that it has the right master key.",
    ),
    "credential_keys_to_wrap_v1": Gives(
        call=f"credential_keys_to_wrap_v1('m', '{NOBODY}', 9999)",
        of_others=BYTES,
        why="As above, of the keys that seal credentials.",
    ),
    "companies_of_v1": Gives(
        call=f"companies_of_v1('{MARK}-0', 9999)",
        of_others=IDS,
        why="The companies of a person, who is asked for by an id that a session vouches for.",
    ),
    "credential_figures_v1": Gives(
        call="credential_figures_v1('1 day')", of_others=FIGURES, why="Health: which end soon."
    ),
    "drop_idle_credentials_v1": Gives(
        call="drop_idle_credentials_v1('99 years')", of_others=FIGURES, why="Sweeps what is idle."
    ),
}
STANDING: Final = (
    "UPDATE projection_cursor SET failed_position = 1,"  # noqa: ISC004 - one statement.
    f" error = 'privacy.{MARK}-0' WHERE tenant_id = '{THEIRS}'",
    f"UPDATE webhook_delivery SET position = 0 WHERE tenant_id = '{THEIRS}'",
    f"UPDATE {table_name(Jobs)} SET status = 'queued' WHERE tenant_id = '{THEIRS}'",
)
"""What makes a row one that these functions are after."""

SAID: Final = re.compile(rf"{MARK}-\d+|{THEIRS}")


@pytest.fixture(scope="module")
def owner(database: Urls) -> Iterator[Connection]:
    """Look as the owner; each table holds a row of another tenant, until the end."""
    with psycopg.connect(database.admin_database_url) as connection:
        for table in of_tenants(connection):
            if table.kind in {"r", "p"} and "." not in table.name:
                write_row(connection, table, THEIRS)
        connection.execute("SELECT set_config('app.tenant_id', %s, true)", (THEIRS,))
        for statement in STANDING:
            assert connection.execute(statement).rowcount == 1, statement
        connection.execute("SELECT settle_writer_v1(%s, 0)", (WRITER,))
        yield connection
        connection.rollback()


def test_every_function_that_sees_all_tenants_is_known(owner: Connection) -> None:
    found = {row[0] for row in owner.execute(DEFINERS)}
    assert found == GIVES.keys(), "Say what it gives to whom."


def test_they_belong_to_a_role_without_a_login_and_the_application_alone_calls_them(
    owner: Connection,
) -> None:
    for name, belongs_to, configured, public, callers in owner.execute(DEFINERS):
        assert belongs_to == "asiento_appender", name
        assert PATH in (configured or ()), f"{name}: a caller could bring tables of its own."
        assert not public, name
        members = set(callers) - {"asiento_appender", APPLICATION}
        assert all(_is_a(owner, each, APPLICATION) for each in members), (name, members)


def _is_a(connection: Connection, role: str, of: str) -> bool:
    row = connection.execute("SELECT pg_has_role(%s, %s, 'MEMBER')", (role, of)).fetchone()
    return bool(row and row[0])


def given(connection: Connection, name: str, who: str | None) -> list[tuple[Any, ...]]:
    """Call a function as the application."""
    with acting(connection, who):
        call = sql.SQL("SELECT * FROM " + GIVES[name].call)
        return connection.execute(call).fetchall()


def said_of_others(rows: list[tuple[Any, ...]]) -> str:
    """Tell what an answer holds of the other tenant."""
    cells = [cell for row in rows for cell in row]
    if any(isinstance(cell, bytes) and MARK.encode() in cell for cell in cells):
        return BYTES
    texts = {found for cell in cells for found in SAID.findall(str(cell))}
    if texts - {THEIRS}:
        return NAMES
    return IDS if texts else NONE


@pytest.mark.parametrize("who", [None, OURS], ids=["of nobody", "of another tenant"])
@pytest.mark.parametrize("name", GIVES)
def test_a_function_gives_what_it_is_known_to_give(
    owner: Connection, name: str, who: str | None
) -> None:
    said, allowed = said_of_others(given(owner, name, who)), GIVES[name].of_others
    assert said == (NONE if allowed == FIGURES else allowed)


def test_a_search_finds_the_rows_of_the_tenant_that_is_set(owner: Connection) -> None:
    """It is told in which table to look and what to bring; never of whom."""
    assert given(owner, "search_keys_v1", THEIRS) != []
    assert given(owner, "search_keys_v1", OURS) == given(owner, "search_keys_v1", None) == []
    searched = [
        table
        for table in of_tenants(owner)
        if SEARCH in {column.name for column in columns(owner, table.oid)}
    ]
    assert len(searched) > 1
    for table in searched:
        asked = "SELECT search_keys_v1(%s, %s, '{%%}', 9999)"
        for who, expected in ((OURS, 0), (None, 0), (THEIRS, 1)):
            with acting(owner, who):
                found = owner.execute(asked, (table.name, SEARCH)).fetchall()
            assert len(found) == expected, table.name


def test_no_function_that_names_a_tenant_runs_as_another_role(owner: Connection) -> None:
    """Row-level security then binds it to the tenant that it names, for the one transaction."""
    found = owner.execute(SETTING).fetchall()
    assert {name for name, _, _ in found} >= {"look_v1"}
    for name, as_owner, text in found:
        assert not as_owner, name
        assert re.findall(r"set_config\('app\.tenant_id', [\w:]+, (\w+)\)", text) == ["true"], name
