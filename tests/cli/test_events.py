"""`asiento events` shows a log as it is, and goes on as it grows."""

import signal
import subprocess

import msgspec
import pytest

from tests.cli.conftest import Asiento, Environment, command_line

LINES = '{"lines": [{"description": "Bolt", "quantity": "2", "unit_price": "1.50"}]}'


@pytest.fixture(scope="module")
def log(asiento: Asiento) -> str:
    """The log of a tenant with two drafts, the first of them issued."""
    slug = "logged"
    asiento("tenant", "create", slug, "--name", "Logged", "--country", "EC")
    for invoice in ("one", "two"):
        draft = ("draft-invoice", "--tenant", slug, "--invoice", invoice, "--input", LINES)
        assert asiento(*draft).code == 0
    issue = ("issue-invoice", "--tenant", slug, "--invoice", "one", "--series", "A")
    assert asiento(*issue).code == 0
    return slug


def positions(out: str) -> list[int]:
    return [msgspec.json.decode(line)["position"] for line in out.splitlines()]


def test_every_event_is_a_line_with_its_envelope_and_its_data(asiento: Asiento, log: str) -> None:
    lines = [msgspec.json.decode(line) for line in asiento("events", "--tenant", log).out.split()]
    assert [line["position"] for line in lines] == [1, 2, 3]
    assert lines[2]["type"] == "InvoiceIssued"
    assert lines[2]["tags"] == ["invoice:one", "number:A-000001", "series:A"]
    assert lines[2]["actor"].startswith("cli:")
    assert lines[2]["data"]["lines"][0]["unit_price"] == "1.50"
    assert {"recorded_at", "correlation_id", "causation_id"} <= set(lines[2])


def test_events_after_a_position_leave_the_rest_out(asiento: Asiento, log: str) -> None:
    assert positions(asiento("events", "--tenant", log, "--after", "2").out) == [3]


def test_events_are_found_by_tag_and_type(asiento: Asiento, log: str) -> None:
    def found(*options: str) -> list[int]:
        return positions(asiento("events", "--tenant", log, *options).out)

    assert found("--tag", "invoice:one") == [1, 3]
    assert found("--type", "InvoiceDrafted") == [1, 2]
    assert found("--tag", "invoice:one", "--type", "InvoiceDrafted") == [1]
    assert found("--type", "InvoiceDrafted", "--type", "InvoiceIssued") == [1, 2, 3]
    assert found("--tag", "invoice:one", "--tag", "series:A") == [3]


def test_a_followed_log_shows_what_is_appended_until_ctrl_c(
    asiento: Asiento, environment: Environment
) -> None:
    asiento("tenant", "create", "followed", "--name", "Followed", "--country", "ES")
    with subprocess.Popen(
        command_line("events", "--tenant", "followed", "--follow"),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for position in (1, 2):
            asiento("draft-invoice", "--tenant", "followed", "--input", LINES)
            assert msgspec.json.decode(process.stdout.readline())["position"] == position
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == ""
    assert process.returncode == 0
