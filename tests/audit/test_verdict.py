"""A log that is gone, empty or not anchored is never said to be what was appended."""

from pathlib import Path

import pytest

from adapters.runtime import Runtime
from tests.audit.conftest import DRAFTS, Books, draft, fold_all
from tests.cli.conftest import Asiento

WIPE = (
    "DELETE FROM event_tag WHERE tenant_id = %(tenant)s",
    "DELETE FROM event WHERE tenant_id = %(tenant)s",
    "DELETE FROM log_head WHERE tenant_id = %(tenant)s",
)
NO_CURSORS = "DELETE FROM projection_cursor WHERE tenant_id = %(tenant)s"


@pytest.fixture
def anchor(asiento: Asiento, company: Books, tmp_path: Path) -> str:
    """Anchor the log of ``company``."""
    path = str(tmp_path / "anchor.json")
    assert company.verify().ok
    assert asiento("audit", "anchor", "--to", path).code == 0
    return path


def test_a_removed_log_is_said_to_be_removed(
    company: Books, asiento: Asiento, anchor: str, tmp_path: Path
) -> None:
    slug, archive = company.owner.slug, str(tmp_path / "archive.gz")
    closed = asiento("tenant", "close", slug, "--to", archive, "--json").json
    assert asiento("tenant", "remove", slug, "--archive", archive, "--yes").code == 0
    verify = ("audit", "verify", "--tenant", slug)
    said = asiento(*verify)
    assert (said.code, closed["sha256"] in said.out, "removed" in said.out) == (0, True, True)
    assert "what was appended" not in said.out
    found = asiento(*verify, "--anchor", anchor, "--json")
    assert (found.code, found.json["anchored"]) == (0, "passed")
    assert found.json["removed"]["archive"] == closed["sha256"]
    assert asiento("audit", "verify", "--file", archive, "--anchor", anchor).code == 0


async def test_a_log_that_was_wiped_is_found_by_who_had_read_it(
    company: Books, asiento: Asiento
) -> None:
    company.tamper(*WIPE)
    found = asiento("audit", "verify", "--tenant", company.owner.slug, "--json")
    assert (found.code, found.json["problem"]) == (1, "truncated")


async def test_a_log_that_was_wiped_is_found_by_what_was_noted(
    runtime: Runtime, company: Books, asiento: Asiento, tmp_path: Path
) -> None:
    slug, archive = company.owner.slug, str(tmp_path / "archive.gz")
    assert asiento("tenant", "close", slug, "--to", archive).code == 0
    assert asiento("tenant", "restore", archive, "--reopen").code == 0
    await draft(runtime, company, 99)
    assert asiento("audit", "verify", "--tenant", slug).code == 0
    company.tamper(*WIPE, NO_CURSORS)
    found = asiento("audit", "verify", "--tenant", slug, "--json")
    assert (found.code, found.json["problem"]) == (1, "truncated")
    assert f"noted {DRAFTS}" in found.json["reason"]


def test_a_log_that_was_wiped_without_a_trace_is_found_by_its_anchor(
    company: Books, asiento: Asiento, anchor: str
) -> None:
    company.tamper(*WIPE, NO_CURSORS)
    verify = ("audit", "verify", "--tenant", company.owner.slug)
    alone = asiento(*verify)
    assert (alone.code, "is empty" in alone.out) == (0, True)
    found = asiento(*verify, "--anchor", anchor, "--json")
    assert (found.code, found.json["problem"], found.json["anchored"]) == (1, "anchor", "failed")


async def test_one_log_and_all_of_them_are_judged_alike(
    runtime: Runtime, company: Books, asiento: Asiento, anchor: str
) -> None:
    slug = f"younger-{company.owner.slug}"
    assert asiento("tenant", "create", slug, "--name", "Y", "--country", "ES").code == 0
    lines = '{"lines": [{"description": "Bolt", "quantity": "2", "unit_price": "1.50"}]}'
    assert asiento("draft-invoice", "--tenant", slug, "--input", lines).code == 0
    await fold_all(runtime)
    alone = asiento("audit", "verify", "--tenant", slug, "--anchor", anchor, "--json")
    together = asiento("audit", "verify", "--all", "--anchor", anchor, "--json")
    assert (alone.code, together.code) == (1, 1)
    judged = {each["slug"]: each for each in together.json["logs"]}
    assert {**judged[slug], "anchor": alone.json["anchor"]} == alone.json
    assert (alone.json["problem"], alone.json["anchored"]) == ("unanchored", "absent")
    assert (judged[company.owner.slug]["anchored"], judged["system"]["anchored"]) == (
        "passed",
        "passed",
    )
    assert together.json["anchor"]["number"] >= 1
    assert "not in it" in asiento("audit", "verify", "--all", "--anchor", anchor).out


def test_the_position_of_a_change_stands_in_the_table(company: Books, asiento: Asiento) -> None:
    company.tamper("UPDATE event SET data = '{}' WHERE tenant_id = %(tenant)s AND position = 4")
    said = asiento("audit", "verify", "--all")
    assert (said.code, "Event 4:" in said.out) == (1, True)


def test_a_key_without_an_anchor_is_wrong_usage(company: Books, asiento: Asiento) -> None:
    verify = ("audit", "verify", "--tenant", company.owner.slug, "--public-key", "ab" * 32)
    assert asiento(*verify).code == 2
