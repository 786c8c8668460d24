"""The rules of invitations, and of links that letters bring."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from domain.access import (
    OWNER,
    AcceptInvitation,
    AskEmailVerification,
    Email,
    EmailDigest,
    EmailVerificationAsked,
    EmailVerified,
    ForgetPassword,
    Giver,
    Invitation,
    InvitationAccepted,
    InvitationId,
    InvitationResent,
    InvitationWithdrawn,
    InviteMember,
    LinkId,
    Member,
    MemberAdmitted,
    MemberInvited,
    NoteEmailVerified,
    PasswordForgotten,
    ResendInvitation,
    ResetLink,
    RoleId,
    UserId,
    VerificationLink,
    VerifyEmail,
    WithdrawInvitation,
)
from domain.kernel import FORGOTTEN, Command, Refused
from projections.invitations import InvitationRow, Invitations
from projections.kernel import project
from tests.kernel import given, history_of

LETTER, ANA, LUIS = InvitationId("i1"), UserId("u1"), UserId("u2")
ADDRESS = Email("luis@books.example")
READER = RoleId("reader")
READ, DEFINE = "invoicing.invoice.read", "access.role.define"
STANDARD: dict[RoleId, tuple[str, ...]] = {OWNER: (DEFINE, READ), READER: (READ,)}
NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
WEEK = NOW + timedelta(days=7)
LATE = NOW + timedelta(days=8)
READS: dict[str, Any] = {"giver": Giver(held=frozenset({READ}), standard=STANDARD), "at": NOW}
OWNS: dict[str, Any] = {"giver": Giver(held=None, standard=STANDARD), "at": NOW}

invite = InviteMember(invitation=LETTER, email=ADDRESS, roles=(READER,), **READS)
resend = ResendInvitation(invitation=LETTER, roles=(READER,), days=8, **READS)
withdraw = WithdrawInvitation(invitation=LETTER)
accept = AcceptInvitation(invitation=LETTER, user=LUIS, email=ADDRESS, roles=(READER,), **OWNS)
invited = MemberInvited(invitation=LETTER, email=ADDRESS, roles=(READER,), expires_at=WEEK)
admitted = MemberAdmitted(user=LUIS, email=ADDRESS, roles=(READER,))
accepted = InvitationAccepted(invitation=LETTER, user=LUIS)
withdrawn = InvitationWithdrawn(invitation=LETTER)


def test_an_invitation_is_good_for_a_week() -> None:
    given().when(invite).then(invited)
    given(invited).when(invite).then_refused("access.invitation_taken")


def test_nobody_invites_to_more_than_they_hold() -> None:
    more = InviteMember(invitation=LETTER, email=ADDRESS, roles=(OWNER,), **READS)
    given().when(more).then_refused("access.not_yours_to_give")
    absent = InviteMember(invitation=LETTER, email=ADDRESS, roles=(RoleId("none"),), **READS)
    given().when(absent).then_refused("access.role_absent")


def test_who_accepts_is_a_member_and_the_invitation_is_over() -> None:
    given(invited).when(accept).then(admitted, accepted)
    for command in (accept, resend, withdraw):
        given(invited, admitted, accepted).when(command).then_refused("access.invitation_over")


def test_who_is_a_member_already_is_not_let_in_twice() -> None:
    given(invited, admitted).when(accept).then_refused("access.member_there")


def test_an_invitation_lets_nobody_in_once_its_time_is_over() -> None:
    late = msgspec.structs.replace(accept, at=LATE)
    given(invited).when(late).then_refused("access.invitation_over")
    resent = InvitationResent(invitation=LETTER, expires_at=LATE)
    given(invited).when(resend).then(resent)
    given(invited, resent).when(late).then(admitted, accepted)


def test_who_was_forgotten_does_not_come_in() -> None:
    forgotten = msgspec.structs.replace(invited, email=FORGOTTEN)
    given(forgotten).when(accept).then_refused("access.invitation_over")


def test_nobody_sends_again_what_gives_more_than_they_hold() -> None:
    of_owner = msgspec.structs.replace(resend, roles=(OWNER,))
    given(invited).when(of_owner).then_refused("access.not_yours_to_give")


def test_a_withdrawn_invitation_lets_nobody_in() -> None:
    given(invited).when(withdraw).then(withdrawn)
    given(invited, withdrawn).when(withdraw).then_nothing()
    for command in (accept, resend):
        given(invited, withdrawn).when(command).then_refused("access.invitation_over")


@pytest.mark.parametrize("command", [accept, resend, withdraw], ids=lambda c: type(c).__name__)
def test_there_is_no_invitation_that_nobody_sent(command: Command) -> None:
    given().when(command).then_refused("access.invitation_absent")


def test_lists_show_what_became_of_invitations() -> None:
    row = InvitationRow(
        invitation=LETTER, email=ADDRESS, roles=(READER,), status="open", expires_at=WEEK
    )
    replace = msgspec.structs.replace
    assert project(Invitations, [invited]) == {LETTER: row}
    resent = InvitationResent(invitation=LETTER, expires_at=LATE)
    assert project(Invitations, [invited, resent]) == {LETTER: replace(row, expires_at=LATE)}
    assert project(Invitations, [invited, withdrawn])[LETTER].status == "withdrawn"
    came = project(Invitations, [invited, accepted])[LETTER]
    assert (came.status, came.user) == ("accepted", LUIS)


some = st.sampled_from([invite, resend, withdraw])
some_accept = st.builds(
    lambda user, at: msgspec.structs.replace(accept, user=user, at=at),
    st.sampled_from([ANA, LUIS]),
    st.sampled_from([NOW, LATE]),
)


@for_all(st.lists(some | some_accept, max_size=20))
@settings(max_examples=60)
def test_whatever_is_asked_an_invitation_lets_in_one_person_at_most(asked: list[Command]) -> None:
    history = history_of(asked)
    came = [event for event in history if isinstance(event, MemberAdmitted)]
    assert len(came) <= 1
    status = Invitation.at(invitation=LETTER).fold(history).status
    assert (status == "accepted") == bool(came)
    for event in came:
        assert Member.at(user=event.user).fold(history).roles == (READER,)


@pytest.mark.parametrize(
    "address",
    [
        "luis",
        "luis@",
        "a@b@c",
        "luis@books.example\n",
        "luis@books.example\r\nBcc: all@books.example",
        "Luis <luis@books.example>",
        '"luis"@books.example',
        "luis@books.example,ana@books.example",
        f"{'x' * 65}@books.example",
        f"x@{'y' * 253}",
    ],
)
def test_nobody_is_invited_at_what_is_no_address(address: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"invitation": "i", "email": address, "roles": ["r"]}, InviteMember)


LINK = LinkId("l1")
DIGEST = EmailDigest("d1")
asked = EmailVerificationAsked(link=LINK, user=LUIS, expires_at=WEEK)
verified = EmailVerified(user=LUIS, link=LINK)


def test_an_address_is_verified_by_a_link_once() -> None:
    ask = AskEmailVerification(link=LINK, user=LUIS, expires_at=WEEK)
    given().when(ask).then(asked)
    given(asked).when(VerifyEmail(link=LINK, at=NOW)).then(verified)
    used = given(asked, verified)
    used.when(VerifyEmail(link=LINK, at=NOW)).then_refused("access.link_spent")
    used.when(ask).then_nothing()


def test_a_link_verifies_nothing_once_its_time_is_over() -> None:
    given(asked).when(VerifyEmail(link=LINK, at=LATE)).then_refused("access.link_spent")
    given().when(VerifyEmail(link=LINK, at=NOW)).then_refused("access.link_spent")


def test_who_came_by_another_letter_is_known_to_have_their_address() -> None:
    note = NoteEmailVerified(user=LUIS)
    given().when(note).then(EmailVerified(user=LUIS))
    given(verified).when(note).then_nothing()


def test_a_link_for_a_password_names_its_address_until_its_time_is_over() -> None:
    forgotten = PasswordForgotten(link=LINK, email_digest=DIGEST, expires_at=WEEK)
    given().when(ForgetPassword(link=LINK, email_digest=DIGEST, expires_at=WEEK)).then(forgotten)
    link = ResetLink.at(link=LINK).fold([forgotten])
    assert link.check(NOW) == DIGEST
    for each, at in ((link, LATE), (ResetLink(), NOW)):
        with pytest.raises(Refused, match="This link"):
            each.check(at)


def test_a_link_that_nobody_made_is_nobodys() -> None:
    with pytest.raises(Refused, match="none of ours"):
        VerificationLink().check(NOW)
