"""Every public command of the application is a command of the CLI."""

from pathlib import Path

from tests.cli.conftest import Asiento

LINES = '{"lines": [{"description": "Bolt", "quantity": "2", "unit_price": "1.50"}]}'


def test_a_drafted_invoice_is_issued_under_the_next_number(asiento: Asiento, tenant: str) -> None:
    draft = asiento("draft-invoice", "--tenant", tenant, "--input", LINES, "--json")
    assert draft.code == 0
    assert [event["type"] for event in draft.json["events"]] == ["InvoiceDrafted"]
    issue = ("issue-invoice", "--tenant", tenant, "--series", "T")
    issued = asiento(*issue, "--invoice", draft.json["invoice"], "--json")
    assert issued.json["position"] == issued.json["events"][0]["position"]
    assert issued.json["position"] > draft.json["position"]


def test_people_see_the_events_and_the_new_id(asiento: Asiento, tenant: str) -> None:
    answer = asiento("draft-invoice", "--tenant", tenant, "--input", LINES)
    assert "InvoiceDrafted" in answer.out
    assert "invoice: " in answer.out


def test_the_input_comes_from_stdin_or_a_file(
    asiento: Asiento, tenant: str, tmp_path: Path
) -> None:
    file = tmp_path / "draft.json"
    file.write_text(LINES)
    draft = ("draft-invoice", "--tenant", tenant, "--json", "--input")
    assert asiento(*draft, "-", given=LINES).code == 0
    assert asiento(*draft, f"@{file}").code == 0


def test_an_option_goes_before_the_input(asiento: Asiento, tenant: str) -> None:
    given = LINES.replace("{", '{"currency": "USD", "invoice": "unused", ', 1)
    draft = ("draft-invoice", "--tenant", tenant, "--json", "--input", given)
    assert asiento(*draft, "--invoice", "own-id").json["invoice"] == "own-id"


def test_a_missing_field_is_named(asiento: Asiento, tenant: str) -> None:
    answer = asiento("draft-invoice", "--tenant", tenant, "--json")
    assert answer.code == 2
    assert answer.json["error"]["code"] == "input.invalid"
    assert "lines" in answer.json["error"]["message"]


def test_the_same_idempotency_key_gets_the_first_answer(asiento: Asiento, tenant: str) -> None:
    draft = ("draft-invoice", "--tenant", tenant, "--input", LINES, "--json")
    first = asiento(*draft, "--idempotency-key", "k1")
    assert asiento(*draft, "--idempotency-key", "k1").json == first.json


def test_asking_for_what_is_so_already_says_so(asiento: Asiento, tenant: str) -> None:
    draft = ("draft-invoice", "--tenant", tenant, "--input", LINES, "--invoice", "same")
    assert asiento(*draft).code == 0
    again = asiento(*draft)
    assert again.code == 0
    assert "Nothing to do" in again.out


def test_choices_and_meanings_stand_in_the_help(asiento: Asiento) -> None:
    answer = asiento("create-tenant", "--help")
    assert "ES, EC" in " ".join(answer.out.split())
    assert "Lower-case letters" in answer.out
    assert "--tenant-slug" not in answer.out
