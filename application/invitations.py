"""Invitations and links of letters as the world may call them."""

from typing import Final

from msgspec.structs import replace

from application.kernel import Exposed, Looking, SystemClock
from application.roles import giver_of, standard_roles
from domain.access import (
    AcceptInvitation,
    AskEmailVerification,
    ForgetPassword,
    Giver,
    Invitation,
    InviteMember,
    NoteEmailVerified,
    ResendInvitation,
    VerifyEmail,
    WithdrawInvitation,
)

INVITE: Final = "access.member.invite"
ACCEPT: Final = "access.invitation.accept"
LINK: Final = "access.link.make"
VERIFY: Final = "access.email.verify"


async def _of_now(looking: Looking, command: InviteMember) -> InviteMember:
    """Tell the rule who gives, and the time: the letter is good from now on, whoever asks."""
    return replace(command, giver=giver_of(looking), at=SystemClock().now())


async def _as_invited(looking: Looking, command: ResendInvitation) -> ResendInvitation:
    """Tell the rule what the invitation gives, which never changes, as above."""
    found = await looking.fold(looking.tenant, Invitation.at(invitation=command.invitation))
    return replace(command, roles=found.roles, giver=giver_of(looking), at=SystemClock().now())


async def _with_roles(looking: Looking, command: AcceptInvitation) -> AcceptInvitation:
    """Tell the rule which roles there are. Whoever invited was asked whether they may give them."""
    return replace(command, giver=Giver(held=None, standard=standard_roles(looking.readable)))


COMMANDS = (
    Exposed(command=InviteMember, permission=INVITE, route="POST /invitations", find=_of_now),
    Exposed(
        command=ResendInvitation,
        permission=INVITE,
        route="POST /invitations/{invitation}/resend",
        find=_as_invited,
    ),
    Exposed(
        command=WithdrawInvitation,
        permission=INVITE,
        route="POST /invitations/{invitation}/withdraw",
    ),
    Exposed(command=AcceptInvitation, permission=ACCEPT, find=_with_roles),
    Exposed(command=AskEmailVerification, permission=LINK, system=True),
    Exposed(command=ForgetPassword, permission=LINK, system=True),
    Exposed(command=VerifyEmail, permission=VERIFY, system=True),
    Exposed(command=NoteEmailVerified, permission=VERIFY, system=True),
)
