"""Asking people by letter, at a terminal."""

from tests.cli.conftest import Asiento


def test_a_person_is_invited_again_and_no_more(asiento: Asiento, tenant: str) -> None:
    of_tenant = ("--tenant", tenant, "--json")
    made = asiento("member", "invite", "luis@books.example", "--role", "auditor", *of_tenant)
    assert made.code == 0, made.err
    invitation = made.json["invitation"]
    for verb, event in (("resend", "InvitationResent"), ("withdraw", "InvitationWithdrawn")):
        done = asiento("member", verb, invitation, *of_tenant)
        assert [each["type"] for each in done.json["events"]] == [event]
    listed = asiento("member", "invitations", *of_tenant).json
    assert [(each["email"], each["roles"], each["status"]) for each in listed] == [
        ("luis@books.example", ["auditor"], "withdrawn")
    ]
    shown = asiento("member", "invitations", "--tenant", tenant)
    assert "luis@books.example" in shown.out


def test_nobody_is_invited_at_what_is_no_address(asiento: Asiento, tenant: str) -> None:
    refused = asiento("member", "invite", "luis", "--role", "auditor", "--tenant", tenant, "--json")
    assert (refused.code, refused.json["error"]["code"]) == (2, "input.invalid")
