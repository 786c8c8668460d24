"""A closed log leaves the database only for a file that proves itself, and comes back equal."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psycopg
import pytest

from adapters.audit.archive import close_log, proved, remove, restore
from adapters.audit.export import export
from adapters.audit.keys import wrapped_keys
from adapters.audit.reading import verify_file
from adapters.postgres.models.versions import table_name
from adapters.runtime import Runtime
from adapters.worker.queue import CONSUMER
from application.errors import Conflict, Forbidden
from application.kernel import SystemClock
from application.ports import Append, QueryItem, StoredEvent
from domain.ids import SYSTEM_TENANT
from domain.kernel import Refused
from projections.invoices import Invoices
from tests.audit import files
from tests.audit.conftest import DRAFTS, Books, draft, fold_all, happened, rows_of
from tests.audit.files import one
from tests.cli.conftest import Asiento, Environment, command_line

LOG = "SELECT e::text FROM event AS e WHERE tenant_id = %s ORDER BY position"
TAGS = "SELECT t::text FROM event_tag AS t WHERE tenant_id = %s ORDER BY 1"
SECONDS_MAX = 30.0
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


def log_of(books: Books) -> tuple[list[str], list[str]]:
    with psycopg.connect(books.settings.database_admin_url or "") as connection:
        events = [text for (text,) in connection.execute(LOG, (books.tenant,))]
        return events, [text for (text,) in connection.execute(TAGS, (books.tenant,))]


def tables_with_rows(books: Books) -> set[str]:
    """Name the tables that hold something of a tenant."""
    statement = """
    SELECT c.relname FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
    WHERE a.attname = 'tenant_id' AND c.relkind = 'r'
      AND c.relnamespace = 'public'::regnamespace
    """
    with psycopg.connect(books.settings.database_admin_url or "") as connection:
        names = [name for (name,) in connection.execute(statement.encode())]
        return {
            name
            for name in names
            if connection.execute(
                f"SELECT 1 FROM {name} WHERE tenant_id = %s LIMIT 1".encode(), (books.tenant,)
            ).fetchone()
        }


async def noted_of(runtime: Runtime, books: Books) -> list[StoredEvent]:
    query = [QueryItem(tags=(f"tenant:{books.tenant}",))]
    return [each async for each in runtime.store.read(SYSTEM_TENANT, query)]


async def events_of(runtime: Runtime, books: Books) -> list[str]:
    return [each.type for each in await noted_of(runtime, books)]


def archive_of(books: Books, to: Path) -> Path:
    url = books.settings.database_url or ""
    export(url, books.owner, to, clock=SystemClock(), keys=wrapped_keys, archive=True)
    return to


def take_out(books: Books, to: Path) -> Path:
    """Close a log, archive it and remove it, without a note of it."""
    url = books.settings.database_url or ""
    close_log(url, books.tenant)
    archive_of(books, to)
    remove(books.settings.database_admin_url or "", proved(to))
    return to


def put_back(books: Books, archive: Path) -> None:
    url = books.settings.database_admin_url or ""
    restore(url, archive, proved(archive), reopen=False)


@contextmanager
def held(books: Books, table: str) -> Iterator[None]:
    """Lock a table, so that whoever comes to it waits."""
    with psycopg.connect(books.settings.database_admin_url or "") as connection:
        connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
        yield


def killed_waiting(books: Books, environment: Environment, *arguments: str) -> None:
    """Start a command that comes to wait for a lock, and kill it there."""
    with (
        psycopg.connect(books.settings.database_admin_url or "", autocommit=True) as watching,
        subprocess.Popen(
            command_line(*arguments),
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process,
    ):
        deadline = time.monotonic() + SECONDS_MAX
        while watching.execute(WAITING).fetchone() == (0,):
            assert process.poll() is None, "It ended before it came to the lock."
            assert time.monotonic() < deadline, "It did not come to the lock."
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()


async def test_a_closed_log_takes_no_event(runtime: Runtime, books: Books) -> None:
    close_log(books.settings.database_url or "", books.tenant)
    with pytest.raises(Refused) as refused:
        await runtime.store.append(books.tenant, Append(events=(happened(1),)))
    assert refused.value.code == "tenants.closed"
    assert books.verify().ok


async def test_a_log_without_events_can_be_closed(runtime: Runtime, books: Books) -> None:
    books.tamper(
        "DELETE FROM event WHERE tenant_id = %(tenant)s",
        "DELETE FROM event_tag WHERE tenant_id = %(tenant)s",
        "DELETE FROM log_head WHERE tenant_id = %(tenant)s",
    )
    close_log(books.settings.database_url or "", books.tenant)
    close_log(books.settings.database_url or "", books.tenant)
    with pytest.raises(Refused):
        await runtime.store.append(books.tenant, Append(events=(happened(1),)))


async def test_a_company_goes_into_its_archive(
    runtime: Runtime, company: Books, asiento: Asiento, tmp_path: Path
) -> None:
    slug, archive = company.owner.slug, str(tmp_path / "archive.gz")
    before, head = log_of(company), company.verify().head
    closed = asiento("tenant", "close", slug, "--to", archive, "--json")
    assert closed.code == 0, closed.err
    assert (closed.json["events"], closed.json["head"]) == (DRAFTS, head)
    assert verify_file(Path(archive)).sha256 == closed.json["sha256"]
    assert files.stand_alone(archive)[0] == 0
    noted = (await noted_of(runtime, company))[-1]
    assert (noted.type, closed.json["sha256"] in noted.data) == ("TenantArchived", True)
    with pytest.raises(Refused) as refused:
        await draft(runtime, company, 99)
    assert refused.value.code == "tenants.closed"

    unsure = asiento("tenant", "remove", slug, "--archive", archive, "--json")
    assert (unsure.code, unsure.json["error"]["code"]) == (2, "tenants.not_confirmed")
    assert log_of(company) == before
    removed = asiento("tenant", "remove", slug, "--archive", archive, "--yes", "--json")
    assert removed.code == 0, removed.err
    assert removed.json["rows"]["event"] == DRAFTS
    assert removed.json["rows"]["subject_key"] >= DRAFTS
    assert tables_with_rows(company) == {"log_head"}
    assert company.verify().ok
    with pytest.raises(Refused):
        await draft(runtime, company, 99)


async def test_a_company_comes_back_from_its_archive_as_it_was(
    runtime: Runtime, company: Books, asiento: Asiento, tmp_path: Path
) -> None:
    slug, archive = company.owner.slug, str(tmp_path / "archive.gz")
    before, rows, head = (
        log_of(company),
        rows_of(company, table_name(Invoices)),
        company.verify().head,
    )
    assert len(rows) == DRAFTS
    asiento("tenant", "close", slug, "--to", archive)
    asiento("tenant", "remove", slug, "--archive", archive, "--yes")

    restored = asiento("tenant", "restore", archive, "--json")
    assert (restored.code, restored.json["books"]) == (0, "closed"), restored.err
    assert (log_of(company), company.verify().head) == (before, head)
    await fold_all(runtime)
    assert rows_of(company, table_name(Invoices)) == rows
    with pytest.raises(Refused):
        await draft(runtime, company, 99)

    reopened = asiento("tenant", "restore", archive, "--reopen", "--json")
    assert (reopened.code, reopened.json["books"]) == (0, "open")
    await draft(runtime, company, 99)
    assert company.verify().events == DRAFTS + 1
    steps = ["Created", "Closed", "Locked", "Archived", "Removed", "Restored", "Reopened"]
    assert await events_of(runtime, company) == [f"Tenant{step}" for step in (*steps, "Unlocked")]
    late = asiento("tenant", "restore", archive, "--json")
    assert (late.code, late.json["error"]["code"]) == (1, "tenants.other_log")


def test_jobs_of_a_restored_log_are_not_queued_again(company: Books, tmp_path: Path) -> None:
    put_back(company, take_out(company, tmp_path / "archive.gz"))
    asked = "SELECT position FROM projection_cursor WHERE tenant_id = %s AND projection = %s"
    with psycopg.connect(company.settings.database_admin_url or "") as connection:
        found = connection.execute(asked, (company.tenant, CONSUMER)).fetchone()
    assert found == (DRAFTS,)


def test_an_archive_comes_back_in_another_database(
    company: Books, asiento: Asiento, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    archive = str(tmp_path / "archive.gz")
    assert asiento("tenant", "close", company.owner.slug, "--to", archive).code == 0
    urls = request.getfixturevalue("urls")
    elsewhere = f"elsewhere_{os.getpid()}"
    with psycopg.connect(urls.admin_database_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {elsewhere} TEMPLATE template0".encode())
        names = {
            name: psycopg.conninfo.make_conninfo(url, dbname=elsewhere)
            for name, url in (
                ("DATABASE_URL", urls.database_url),
                ("DATABASE_ADMIN_URL", urls.admin_database_url),
            )
        }
        try:
            assert asiento("migrate", **names).code == 0
            restored = asiento("tenant", "restore", archive, "--reopen", "--json", **names)
            assert restored.code == 0, restored.err
            found = asiento("audit", "verify", "--tenant", company.owner.slug, "--json", **names)
            assert (found.code, found.json["head"]) == (0, company.verify().head)
        finally:
            admin.execute(f"DROP DATABASE {elsewhere} WITH (FORCE)".encode())


def test_an_open_company_is_not_removed(company: Books, tmp_path: Path) -> None:
    archive = proved(company.export(tmp_path / "open.gz"))
    with pytest.raises(Refused) as refused:
        remove(company.settings.database_admin_url or "", archive)
    assert refused.value.code == "tenants.not_closed"
    assert company.verify().events == DRAFTS


async def test_an_archive_that_lacks_the_last_events_removes_nothing(
    runtime: Runtime, company: Books, tmp_path: Path
) -> None:
    old = proved(company.export(tmp_path / "old.gz"))
    await draft(runtime, company, 99)
    close_log(company.settings.database_url or "", company.tenant)
    with pytest.raises(Refused) as refused:
        remove(company.settings.database_admin_url or "", old)
    assert refused.value.code == "tenants.other_archive"
    assert company.verify().events == DRAFTS + 1


def test_a_tampered_archive_proves_nothing(company: Books, tmp_path: Path) -> None:
    archive = company.export(tmp_path / "archive.gz")
    files.tampered(archive, one(3, data="{}"), sealed=True)
    with pytest.raises(Conflict) as refused:
        proved(archive)
    assert (refused.value.code, "event 3" in refused.value.message) == ("audit.bad_file", True)


def test_an_archive_that_changed_after_it_was_proved_restores_nothing(
    company: Books, tmp_path: Path
) -> None:
    archive = take_out(company, tmp_path / "archive.gz")
    checked = proved(archive)
    files.tampered(archive, one(3, actor="nobody"), sealed=True)
    with pytest.raises(Conflict) as refused:
        restore(company.settings.database_admin_url or "", archive, checked, reopen=False)
    assert refused.value.code == "audit.not_restored"
    assert log_of(company) == ([], [])


def test_a_login_that_owns_nothing_removes_nothing(company: Books, tmp_path: Path) -> None:
    archive = proved(company.export(tmp_path / "archive.gz"))
    close_log(company.settings.database_url or "", company.tenant)
    with pytest.raises(Forbidden) as refused:
        remove(company.settings.database_url or "", archive)
    assert refused.value.code == "database.not_owner"
    assert company.verify().events == DRAFTS


def test_the_archive_of_another_company_removes_nothing(
    company: Books, books: Books, asiento: Asiento, tmp_path: Path
) -> None:
    other = str(archive_of(books, tmp_path / "other.gz"))
    close_log(company.settings.database_url or "", company.tenant)
    answer = asiento("tenant", "remove", company.owner.slug, "--archive", other, "--yes", "--json")
    assert (answer.code, answer.json["error"]["code"]) == (1, "tenants.other_archive")


def test_the_log_of_the_instance_stays_open(asiento: Asiento, tmp_path: Path) -> None:
    answer = asiento("tenant", "close", "system", "--to", str(tmp_path / "system.gz"), "--json")
    assert (answer.code, answer.json["error"]["code"]) == (1, "tenants.system")


async def test_a_closing_that_was_killed_goes_on(
    runtime: Runtime, company: Books, asiento: Asiento, environment: Environment, tmp_path: Path
) -> None:
    archive = tmp_path / "archive.gz"
    arguments = ("tenant", "close", company.owner.slug, "--to", str(archive))
    with held(company, "subject_key"):
        killed_waiting(company, environment, *arguments)
    assert not archive.exists()
    assert asiento(*arguments).code == 0
    first = archive.read_bytes()
    assert asiento(*arguments).code == 0
    assert archive.read_bytes() == first
    steps = ["TenantClosed", "TenantLocked", "TenantArchived"]
    assert (await events_of(runtime, company))[1:] == steps


async def test_two_who_close_at_once_take_turns(
    runtime: Runtime, company: Books, asiento: Asiento, tmp_path: Path
) -> None:
    archive = tmp_path / "archive.gz"
    closing = partial(asiento, "tenant", "close", company.owner.slug, "--to", str(archive))
    both = await asyncio.gather(*(asyncio.to_thread(closing) for _ in range(2)))
    assert [each.code for each in both] == [0, 0], [each.err for each in both]
    noted = await noted_of(runtime, company)
    assert [each.type for each in noted[1:]] == ["TenantClosed", "TenantLocked", "TenantArchived"]
    assert verify_file(archive).sha256 in noted[-1].data


async def test_a_removal_that_was_killed_did_nothing_and_goes_on(
    runtime: Runtime, company: Books, asiento: Asiento, environment: Environment, tmp_path: Path
) -> None:
    archive = str(tmp_path / "archive.gz")
    asiento("tenant", "close", company.owner.slug, "--to", archive)
    before = log_of(company)
    arguments = ("tenant", "remove", company.owner.slug, "--archive", archive, "--yes")
    with held(company, "snapshot"):
        killed_waiting(company, environment, *arguments)
    assert log_of(company) == before
    assert asiento(*arguments).code == 0
    assert asiento(*arguments).code == 0
    assert tables_with_rows(company) == {"log_head"}
    assert (await events_of(runtime, company)).count("TenantRemoved") == 1


async def test_a_restoration_that_was_killed_did_nothing_and_goes_on(
    runtime: Runtime, company: Books, asiento: Asiento, environment: Environment, tmp_path: Path
) -> None:
    before = log_of(company)
    archive = str(take_out(company, tmp_path / "archive.gz"))
    with held(company, "event_tag"):
        killed_waiting(company, environment, "tenant", "restore", archive)
    assert log_of(company) == ([], [])
    assert asiento("tenant", "restore", archive).code == 0
    assert asiento("tenant", "restore", archive).code == 0
    assert log_of(company) == before
    assert (await events_of(runtime, company)).count("TenantRestored") == 1
