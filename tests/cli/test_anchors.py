"""`asiento audit anchor`, `anchors`, `anchor-key` and `check-anchor`."""

import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Asiento, Environment, command_line

SECONDS_MAX = 60
STOP_SECONDS_MAX = 15
LINES = '{"lines": [{"description": "Bolt", "quantity": "2", "unit_price": "1.50"}]}'


@pytest.fixture(scope="module", autouse=True)
def books(tenant: str) -> str:
    """A log to anchor."""
    return tenant


def test_an_anchor_is_made_listed_and_checked(asiento: Asiento, tmp_path: Path) -> None:
    copy = tmp_path / "copy.json"
    made = asiento("audit", "anchor", "--to", str(copy), "--json")
    assert made.code == 0, made.err
    assert made.json["file"] == str(copy)
    assert made.json["heads"] >= 1
    key = asiento("audit", "anchor-key").out.strip()
    assert key == made.json["public_key"]
    checked = asiento("audit", "check-anchor", str(copy), "--public-key", key, "--json")
    assert (checked.code, checked.json["digest"]) == (0, made.json["digest"])
    listed = asiento("audit", "anchors", "--json").json
    assert [each["digest"] for each in listed if each["status"] == "kept"][-1] == (
        made.json["digest"]
    )


def test_a_copy_that_is_there_is_not_overwritten(asiento: Asiento, tmp_path: Path) -> None:
    copy = tmp_path / "copy.json"
    copy.write_text("dear to somebody")
    answer = asiento("audit", "anchor", "--to", str(copy), "--json")
    assert (answer.code, answer.json["error"]["code"]) == (1, "anchors.file_exists")
    assert str(copy) in answer.json["error"]["message"]
    assert copy.read_text() == "dear to somebody"


def test_a_timestamp_of_something_else_is_not_taken_for_the_copy(
    asiento: Asiento, tmp_path: Path
) -> None:
    (tmp_path / "copy.json.tsr").write_bytes(b"of another anchor")
    answer = asiento("audit", "anchor", "--to", str(tmp_path / "copy.json"), "--json")
    assert (answer.code, answer.json["error"]["code"]) == (1, "anchors.file_exists")


def test_no_anchor_is_made_whose_copy_cannot_be_written(asiento: Asiento, tmp_path: Path) -> None:
    def made() -> int:
        return len(asiento("audit", "anchors", "--json").json)

    (tmp_path / "file").touch()
    before = made()
    for name, code in (
        ("nowhere/copy.json", "audit.no_folder"),
        ("file/copy.json", "audit.no_folder"),
        ("x" * 255, "audit.not_written"),
    ):
        copy = tmp_path / name
        answer = asiento("audit", "anchor", "--to", str(copy), "--json")
        assert (answer.code, answer.json["error"]["code"]) == (1, code)
        assert str(copy) in answer.json["error"]["message"]
    assert made() == before


def test_the_copy_is_said_with_its_whole_path(
    asiento: Asiento, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = asiento("audit", "anchor", "--to", "copy.json")
    assert f"{tmp_path / 'copy.json'}\n" in answer.out


def test_an_export_and_an_anchor_say_alike_that_there_is_no_folder(
    asiento: Asiento, books: str, tmp_path: Path
) -> None:
    to = ("--to", str(tmp_path / "nowhere" / "file"), "--json")
    answers = [
        asiento("audit", "anchor", *to),
        asiento("audit", "export", "--tenant", books, *to),
    ]
    assert [each.code for each in answers] == [1, 1]
    assert answers[0].json == answers[1].json


def test_a_forged_anchor_is_named(asiento: Asiento, tmp_path: Path) -> None:
    copy = tmp_path / "copy.json"
    assert asiento("audit", "anchor", "--to", str(copy)).code == 0
    copy.write_text(copy.read_text().replace('"position":', '"position":1'))
    answer = asiento("audit", "check-anchor", str(copy), "--json")
    assert (answer.code, answer.json["error"]["code"]) == (1, "anchors.altered")


def test_a_log_is_verified_by_an_anchor(asiento: Asiento, books: str, tmp_path: Path) -> None:
    for _ in range(2):
        asiento("draft-invoice", "--tenant", books, "--input", LINES)
    copy = tmp_path / "copy.json"
    key = asiento("audit", "anchor", "--to", str(copy), "--json").json["public_key"]
    asiento("draft-invoice", "--tenant", books, "--input", LINES)
    call = ("audit", "verify", "--tenant", books, "--anchor", str(copy), "--public-key")
    good = asiento(*call, key, "--json")
    assert (good.code, good.json["ok"], good.json["events"]) == (0, True, 3)
    assert "passes through anchor" in asiento(*call, key).out
    wrong = asiento(*call, "ab" * 32, "--json")
    assert (wrong.code, wrong.json["error"]["code"]) == (1, "anchors.other_key")


def test_a_log_that_is_younger_than_the_anchor_is_named(asiento: Asiento, tmp_path: Path) -> None:
    copy = tmp_path / "copy.json"
    assert asiento("audit", "anchor", "--to", str(copy)).code == 0
    asiento("tenant", "create", "younger", "--name", "Younger", "--country", "ES")
    asiento("draft-invoice", "--tenant", "younger", "--input", LINES)
    call = ("audit", "verify", "--tenant", "younger", "--anchor", str(copy), "--json")
    answer = asiento(*call)
    assert (answer.code, answer.json["problem"]) == (1, "unanchored")


def test_two_schedulers_make_one_chain(asiento: Asiento, environment: Environment) -> None:
    each_second = environment | {"ANCHOR_EVERY_SECONDS": "1"}
    started = [
        subprocess.Popen(command_line("scheduler"), env=each_second, stderr=subprocess.DEVNULL)
        for _ in range(2)
    ]
    before = len(asiento("audit", "anchors", "--json").json)
    deadline = time.monotonic() + SECONDS_MAX
    listed: list[dict[str, object]] = []
    while len(listed) < before + 4 and time.monotonic() < deadline:
        listed = asiento("audit", "anchors", "--json").json
    for process in started:
        process.terminate()
    assert [process.wait(STOP_SECONDS_MAX) for process in started] == [0, 0]
    listed = asiento("audit", "anchors", "--json").json
    assert len(listed) >= before + 4
    assert [each["number"] for each in listed] == list(range(1, len(listed) + 1))
    assert {each["status"] for each in listed} == {"kept"}


def test_an_authority_that_is_away_is_told_and_loses_nothing(asiento: Asiento) -> None:
    answer = asiento("audit", "anchor", TSA_URL="http://127.0.0.1:1/")
    assert answer.code == 0, answer.err
    assert "can't be reached" in answer.out
