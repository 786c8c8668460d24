"""What stands still is seen and set going again at the command line; the log says by whom."""

from pathlib import Path
from typing import LiteralString
from uuid import uuid4

import pytest

from adapters.runtime import Runtime, open_runtime
from domain.ids import TenantId
from tests.cli.conftest import Asiento, asiento, environment
from tests.cli.test_operators import LINES
from tests.projecting.office import Office
from tests.projecting.reacting import JOB, NAME, react

__all__ = ["asiento", "environment"]

LETTER: LiteralString = """
INSERT INTO dead_letter (tenant_id, reaction, position, code, message)
VALUES (%s, 'gone', 7, 'a.code', 'A message.')
"""


@pytest.fixture
async def stuck(asiento: Asiento, runtime: Runtime) -> tuple[str, Office]:
    """A tenant of two drafts, the first of which can't be read, and its short name."""
    slug = f"t-{uuid4().hex[:12]}"
    made = asiento("tenant", "create", slug, "--name", "Stuck", "--country", "ES", "--json")
    office = Office(runtime, TenantId(made.json["tenant"]))
    for _ in range(2):
        assert asiento("draft-invoice", "--tenant", slug, "--input", LINES).code == 0
    office.change(1, data="{}")
    await office.project()
    return slug, office


async def test_the_list_names_the_event_and_the_reason(
    asiento: Asiento, stuck: tuple[str, Office]
) -> None:
    slug, _ = stuck
    answer = asiento("projections", "list", "--tenant", slug, "--status", "failed", "--json")
    (found,) = answer.json
    assert (found["name"], found["slug"], found["status"]) == ("invoices", slug, "failed")
    assert (found["position"], found["failed_position"], found["lag"]) == (0, 1, 2)
    assert "event.unreadable" in found["error"]
    everything = asiento("projections", "list", "--json").json
    assert {"system", slug} <= {each["slug"] for each in everything}


async def test_a_rebuild_says_where_it_ends_with_the_live_rows(
    asiento: Asiento, stuck: tuple[str, Office]
) -> None:
    slug, office = stuck
    rebuild = ("projections", "rebuild", "invoices", "--jobs", "1", "--tenant", slug)
    (stopped,) = asiento(*rebuild, "--json").json["stopped"]
    assert (stopped["tenant"], stopped["position"]) == (office.tenant, 1)
    assert "event.unreadable" in stopped["error"]
    said = f"invoices of {slug} stands still at event 1: event.unreadable"
    assert said in asiento(*rebuild).out
    assert said in asiento("projections", "status").out
    (told,) = [e for e in asiento("projections", "status", "--json").json if e["stopped"]]
    assert (told["name"], told["stopped"]) == ("invoices", [stopped])


async def test_health_names_the_log_and_exits_with_1(
    asiento: Asiento, stuck: tuple[str, Office]
) -> None:
    slug, office = stuck
    answer = asiento("health", "--json")
    assert (answer.code, answer.json["status"]) == (1, "degraded")
    assert f"invoices of {slug} at event 1" in answer.json["checks"]["projections"]
    assert asiento("projections", "skip", "invoices", "--tenant", slug, "--reason", "x").code == 0
    await office.project()
    assert f"of {slug}" not in asiento("health", "--json").json["checks"]["projections"]


async def test_a_retry_says_what_it_tries(asiento: Asiento, stuck: tuple[str, Office]) -> None:
    slug, _ = stuck
    answer = asiento("projections", "retry", "invoices", "--tenant", slug)
    assert (answer.code, answer.out) == (0, "invoices tries event 1 (InvoiceDrafted) again.\n")
    again = asiento("projections", "retry", "invoices", "--tenant", slug, "--json")
    assert (again.code, again.json["error"]["code"]) == (1, "projections.not_failed")


async def test_a_skip_needs_a_reason_and_is_told_by_the_log_of_the_system(
    asiento: Asiento, stuck: tuple[str, Office]
) -> None:
    slug, office = stuck
    skip = ("projections", "skip", "invoices", "--tenant", slug)
    assert asiento(*skip).code == 2
    assert asiento(*skip, "--reason", "").code == 2
    answer = asiento(*skip, "--reason", "No line was ever in it.", "--json")
    assert answer.json["event_type"] == "InvoiceDrafted"
    await office.project()
    assert len(office.invoices()) == 1
    told = asiento("events", "--tenant", "system", "--type", "EventSkipped").out
    (line,) = [line for line in told.splitlines() if office.tenant in line]
    assert '"actor":"cli:' in line
    assert "No line was ever in it." in line


async def test_a_skip_is_taken_back_with_a_reason_and_a_rebuild_brings_the_event_in(
    asiento: Asiento, stuck: tuple[str, Office]
) -> None:
    slug, office = stuck
    of = ("invoices", "--tenant", slug)
    assert asiento("projections", "skip", *of, "--reason", "x").code == 0
    await office.project()
    unskip = ("projections", "unskip", *of, "--position", "1")
    assert asiento(*unskip).code == 2
    assert asiento(*unskip, "--reason", "").code == 2
    why = ("--reason", "It was repaired.")
    failing = asiento(*unskip, *why, "--json")
    assert (failing.code, failing.json["error"]["code"]) == (1, "projections.still_failing")
    office.change(1, data=office.data_of(2))
    answer = asiento(*unskip, *why)
    assert answer.out.startswith("invoices leaves event 1 (InvoiceDrafted) out no more.\n")
    assert f"asiento projections rebuild invoices --tenant {slug}" in " ".join(answer.out.split())
    again = asiento(*unskip, *why, "--json")
    assert (again.code, again.json["error"]["code"]) == (1, "projections.not_skipped")
    told = asiento("events", "--tenant", "system", "--type", "EventUnskipped").out
    (line,) = [line for line in told.splitlines() if office.tenant in line]
    assert '"actor":"cli:' in line
    rebuilt = asiento("projections", "rebuild", *of, "--jobs", "1", "--json")
    assert (rebuilt.code, rebuilt.json["events"]) == (0, 2)


async def test_only_a_skip_of_a_read_model_of_a_tenant_is_taken_back(asiento: Asiento) -> None:
    of = ("--position", "1", "--reason", "Why.", "--json")
    for name, tenant, code in (
        ("nothing", "system", "projections.absent"),
        ("reaction:copies", "system", "projections.absent"),
        ("invoices", "nobody", "tenants.absent"),
        ("tenants", "system", "projections.not_skipped"),
    ):
        answer = asiento("projections", "unskip", name, "--tenant", tenant, *of)
        assert (answer.code, answer.json["error"]["code"]) == (1, code)


async def test_dead_letters_are_listed(asiento: Asiento, runtime: Runtime) -> None:
    slug = f"t-{uuid4().hex[:12]}"
    made = asiento("tenant", "create", slug, "--name", "Dead", "--country", "ES", "--json")
    office = Office(runtime, TenantId(made.json["tenant"]))
    await react(runtime)
    await office.record("REFUSED-1")
    await react(runtime)
    office.do(LETTER, office.tenant)
    everything = asiento("reactions", "dead", "--tenant", slug, "--json").json
    assert [(each["reaction"], each["position"]) for each in everything] == [("gone", 7), (NAME, 1)]
    (mine,) = asiento("reactions", "dead", "--reaction", NAME, "--json").json
    assert (mine["slug"], mine["code"]) == (slug, "invoicing.not_a_draft")
    assert asiento("reactions", "list", "--json").code == 0


async def test_only_a_reaction_that_is_there_is_replayed(asiento: Asiento) -> None:
    answer = asiento("reactions", "replay", "nothing", "--tenant", "system", "--json")
    assert (answer.code, answer.json["error"]["code"]) == (1, "reactions.unknown")


async def test_a_log_that_comes_back_from_its_archive_is_not_reacted_to_again(
    asiento: Asiento, runtime: Runtime, tmp_path: Path
) -> None:
    slug, archive = f"t-{uuid4().hex[:12]}", str(tmp_path / "archive.gz")
    made = asiento("tenant", "create", slug, "--name", "Back", "--country", "ES", "--json")
    office = Office(runtime, TenantId(made.json["tenant"]))
    await react(runtime)
    await office.queue(JOB)
    await office.record("1")
    await react(runtime)
    assert asiento("tenant", "close", slug, "--to", archive).code == 0
    assert asiento("tenant", "remove", slug, "--archive", archive, "--yes").code == 0
    assert asiento("tenant", "restore", archive, "--reopen").code == 0
    async with open_runtime(runtime.settings) as fresh:
        await react(fresh)
        back = Office(fresh, office.tenant)
        assert len(await back.events("JobWaiting")) == 1
        await back.record("2")
        await react(fresh)
        assert len(await back.events("JobWaiting")) == 2
