"""A version takes over once it is built: it has read what there was, and is not worse."""

from typing import Any

import psycopg
import pytest

from adapters.postgres.models.versions import (
    consumer_of,
    serving_table,
    serving_version,
    table_name,
)
from adapters.postgres.subject_keys import list_subjects
from adapters.runtime import Runtime, open_runtime
from adapters.settings import Settings
from application.errors import Unavailable
from projections.invoices import Invoices
from tests.privacy.conftest import Desk

NEXT = Invoices.version + 1
FORMER = consumer_of(Invoices)
READER = consumer_of(Invoices, NEXT)
Admin = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def admin(settings: Settings) -> Any:  # noqa: ANN401 - a connection, and the end of it.
    """Let the next version of invoices be made now, in a database with a log of three events."""
    with psycopg.connect(settings.database_admin_url or "", autocommit=True) as connection:
        connection.execute(
            "INSERT INTO read_model (name, version, shape) SELECT name, %s, shape FROM read_model"
            " WHERE name = 'invoices'",
            (NEXT,),
        )
        yield connection
        connection.execute(
            "DELETE FROM read_model WHERE version = %s AND name = 'invoices'", (NEXT,)
        )
        connection.execute("DELETE FROM projection_cursor")
        connection.execute("TRUNCATE event, event_tag, log_head, subject_key")


async def recorded(desk: Desk, many: int = 3) -> Desk:
    for number in range(1, many + 1):
        await desk.record(str(number))
    return desk


def stands(
    admin: Admin, desk: Desk, reader: str, position: int, *, failed: int | None = None
) -> None:
    admin.execute(
        "INSERT INTO projection_cursor (tenant_id, projection, position, failed_position)"
        " VALUES (%s, %s, %s, %s) ON CONFLICT (tenant_id, projection) DO UPDATE"
        " SET position = excluded.position, failed_position = excluded.failed_position",
        (desk.tenant, reader, position, failed),
    )


def built(admin: Admin, *, system: bool = False) -> bool:
    row = admin.execute("SELECT caught_up_v1('invoices', %s, %s)", (NEXT, system)).fetchone()
    assert row is not None
    caught_up: bool = row[0]
    return caught_up


def made(admin: Admin, seconds: int, *, recorded: int = 0) -> None:
    """Let the version have been made so long ago, and all events have been recorded so long ago."""
    admin.execute(
        "UPDATE read_model SET made_at = now() - make_interval(secs => %s) WHERE version = %s",
        (seconds, NEXT),
    )
    admin.execute("UPDATE event SET recorded_at = now() - make_interval(secs => %s)", (recorded,))


def test_without_events_there_is_nothing_to_build(admin: Admin) -> None:
    assert built(admin)


async def test_a_version_that_has_not_read_what_there_was_is_not_built(
    admin: Admin, desk: Desk
) -> None:
    await recorded(desk)
    made(admin, 0, recorded=1)
    assert not built(admin)
    stands(admin, desk, READER, 2)
    assert not built(admin)
    stands(admin, desk, READER, 3)
    assert built(admin)
    assert built(admin, system=True), "The log of the system is empty, and nobody else's counts."


async def test_what_was_written_in_the_last_seconds_does_not_hold_a_version_up(
    admin: Admin, desk: Desk
) -> None:
    await recorded(desk)
    stands(admin, desk, READER, 2)
    made(admin, 60, recorded=5)
    assert built(admin)
    made(admin, 60, recorded=15)
    assert not built(admin)


async def test_a_failure_that_the_former_version_did_not_have_holds_it_up(
    admin: Admin, desk: Desk
) -> None:
    await recorded(desk)
    made(admin, 0, recorded=1)
    stands(admin, desk, READER, 1, failed=2)
    assert built(admin), "There was nothing better before."
    stands(admin, desk, FORMER, 1, failed=2)
    assert built(admin), "The former version stopped there too."
    stands(admin, desk, FORMER, 2)
    assert not built(admin)


async def test_readers_are_told_to_wait_until_a_version_is_built(
    admin: Admin, settings: Settings, runtime: Runtime
) -> None:
    class Wider(Invoices):
        """Another shape, which no former version has."""

        version = NEXT
        search = ()  # type: ignore[assignment] # Invoices have three.

    with pytest.raises(Unavailable) as refused:
        await serving_table(runtime.pool, Wider)
    assert refused.value.code == "projection.building"

    class Anew(Invoices):
        """The same columns, folded otherwise."""

        version = NEXT

    assert await serving_table(runtime.pool, Anew) == table_name(Invoices)
    assert await serving_version(runtime.pool, Anew) == Invoices.version
    admin.execute("UPDATE read_model SET built_at = now() WHERE version = %s", (NEXT,))
    async with open_runtime(settings) as other:
        assert await serving_table(other.pool, Anew) == table_name(Anew)


async def test_whoever_is_forgotten_may_still_be_named_by_a_version_that_is_kept(
    admin: Admin, desk: Desk, runtime: Runtime
) -> None:
    await recorded(desk, 1)
    await desk.forget()
    stands(admin, desk, FORMER, 2)
    stands(admin, desk, READER, 1)
    (listed,) = await list_subjects(runtime.pool, desk.tenant, ("", -1), 10)
    assert listed.pending == (READER,)
    stands(admin, desk, READER, 2)
    (listed,) = await list_subjects(runtime.pool, desk.tenant, ("", -1), 10)
    assert listed.pending == ()
