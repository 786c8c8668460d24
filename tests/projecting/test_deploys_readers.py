"""A deploy as the log's readers see it: what the new code breaks or adds, the old one bears."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from adapters.embedded.servers import Urls
from adapters.settings import Settings
from application.ports import Append, NewEvent
from tests.conftest import new_database
from tests.privacy.conftest import Desk
from tests.projecting.code import (
    INVOICES,
    NEXT,
    THIS,
    Code,
    code_of_today,
    settings_of,
    until,
    versions,
    with_line_count,
)

STAMPED = """
class InvoiceStamped(Event):
    invoice: Key[InvoiceId]
    stamp: str
"""
STAMPING = f"""
from domain.invoicing import InvoiceStamped
as_before = Invoices.apply
def stamped(row: InvoiceRow | None, event: InvoiceEvent | InvoiceStamped) -> InvoiceRow | None:
    if isinstance(event, InvoiceStamped):
        return replace(row, series=event.stamp)
    return as_before(row, event)
Invoices.apply = staticmethod(stamped)
Invoices.version = {NEXT}
"""
REACTION = '''"""Drafts are issued as soon as they are there."""
from datetime import date
from application.reactions import Reaction
from domain.invoicing import DraftInvoice, InvoiceRecorded
class DraftAgain(Reaction):
    name = "draft_again"
    @staticmethod
    def on(event: InvoiceRecorded) -> DraftInvoice | None:
        return DraftInvoice(invoice=f"{event.invoice}-again", lines=event.lines)
'''
FAILED = "failed_position IS NOT NULL AND NOT starts_with(error, 'projection.unknown_event')"
WAITING = "starts_with(error, 'projection.unknown_event')"


@pytest.fixture
def settings(urls: Urls, tmp_path: Path) -> Iterator[Settings]:
    """Lend each test a database of its own: what it leaves behind is other code's."""
    with new_database(urls) as own:
        yield settings_of(own, tmp_path / "data")


async def test_a_new_version_that_fails_where_the_old_one_did_not_is_never_switched_to(
    old: Code, new: Code, desk: Desk
) -> None:
    with_line_count(new, "len(row.lines) // (len(row.lines) - 1)")
    await desk.record("1")
    with old.process("projector"):
        until(lambda: numbers(old, THIS) == ["1"])
    new.run("migrate")
    with new.process("projector"):
        until(lambda: readers(new, NEXT, FAILED) == 1)
        position = (await desk.record("2")).position
        until(
            lambda: readers(new, None, f"projection LIKE 'jobs@%' AND position >= {position}") == 1
        )
        assert versions(new) == {THIS: "in_use", NEXT: "building"}
    assert new.said("projector").count("projection.failed") == 1
    with old.process("projector"):
        until(lambda: numbers(old, THIS) == ["1", "2"])


async def test_the_old_code_waits_at_an_event_that_only_the_new_one_knows(
    old: Code, new: Code, desk: Desk, tmp_path: Path
) -> None:
    knowing = code_of_today(tmp_path / "knowing", old.settings)
    for code in (new, knowing):
        code.add("domain/invoicing.py", STAMPED)
    new.add(INVOICES, STAMPING)
    new.run("migrate")
    with old.process("projector"):
        await desk.record("1")
        await desk.runtime.store.append(desk.tenant, Append(events=(a_stamp("i1"),)))
        await desk.record("2")
        until(lambda: readers(old, THIS, WAITING) == 1)
        assert numbers(old, THIS) == ["1"]
        with new.process("projector"):
            until(lambda: numbers(new, NEXT) == ["1", "2"])
        assert ("1", "S") in rows(new, NEXT, "number, series")
        assert readers(old, THIS, WAITING) == 1
        listed = [each for each in old.run("projections", "list") if each["name"] == "invoices"]
        assert [each["status"] for each in listed if each["version"] == THIS] == ["waiting"]
    with knowing.process("projector"):
        until(lambda: numbers(knowing, THIS) == ["1", "2"])
    assert readers(old, THIS, WAITING) == 0


async def test_an_event_is_reacted_to_once_though_two_versions_of_the_code_run(
    old: Code, new: Code, desk: Desk
) -> None:
    with_line_count(new)
    new.run("migrate")
    for code in (old, new):
        (code.folder / "application" / "impatience.py").write_text(REACTION)
    await desk.record("0")
    with old.process("projector"), new.process("projector"):
        until(lambda: ask(new, "SELECT name FROM reaction") == [("draft_again",)])
        for n in range(1, 21):
            await desk.record(str(n))
        until(lambda: len(rows(new, NEXT, "invoice")) == 41)
        until(lambda: len(rows(old, THIS, "invoice")) == 41)
    drafted = ask(new, "SELECT count(*) FROM event WHERE type = 'InvoiceDrafted'")
    assert drafted == [(20,)]
    assert ask(new, "SELECT FROM dead_letter") == []


async def test_a_rebuild_builds_a_new_version_of_a_long_log_ahead_of_its_projector(
    new: Code, desk: Desk
) -> None:
    with_line_count(new)
    for n in range(3):
        await desk.record(str(n))
    new.run("migrate")
    assert new.run("projections", "rebuild", "invoices")["rows"] == 3
    assert rows(new, NEXT, "line_count") == [(1,)] * 3
    assert versions(new)[NEXT] == "building"
    with new.process("projector"):
        until(lambda: versions(new)[NEXT] == "serving")
    assert rows(new, NEXT, "line_count") == [(1,)] * 3


def a_stamp(invoice: str) -> NewEvent:
    """Make an event of a type that this code does not know."""
    return NewEvent(
        type="InvoiceStamped",
        tags=(f"invoice:{invoice}",),
        data=f'{{"invoice": "{invoice}", "stamp": "S"}}',
        actor="system",
        correlation_id="",
        causation_id="",
    )


def ask(code: Code, query: str) -> list[tuple[Any, ...]]:
    """Look into the database as its administrator does."""
    with psycopg.connect(code.settings.database_admin_url or "") as connection:
        return connection.execute(query.encode()).fetchall()


def rows(code: Code, version: int, columns: str) -> list[tuple[Any, ...]]:
    """Read the table of a version of invoices."""
    return sorted(ask(code, f"SELECT {columns} FROM invoices_v{version}"))


def numbers(code: Code, version: int) -> list[str]:
    return [number for (number,) in rows(code, version, "number")]


def readers(code: Code, version: int | None, where: str) -> int:
    """Count the logs in which invoices of a version, or any reader, stand so."""
    name = f"projection = 'invoices@{version}' AND " if version else ""
    return len(ask(code, f"SELECT FROM projection_cursor WHERE {name}{where}"))
