"""Invitations as whoever invites looks at them: what is open, for how long, and what became of it.

An open one whose time is over lets nobody in, until it is sent again.
"""

from datetime import datetime

from msgspec.structs import replace

from domain.access import (
    InvitationAccepted,
    InvitationEvent,
    InvitationId,
    InvitationResent,
    InvitationStatus,
    InvitationWithdrawn,
    MemberInvited,
    RoleId,
    UserId,
)
from projections.kernel import Indexed, ReadModel, Row


class InvitationRow(Row):
    """Somebody who is asked by letter to act for the tenant, and by which roles."""

    invitation: InvitationId
    email: str
    roles: tuple[RoleId, ...]
    status: Indexed[InvitationStatus]
    expires_at: Indexed[datetime]
    user: UserId | None = None


class Invitations(ReadModel[InvitationRow]):
    name = "invitations"
    row = InvitationRow
    key = "invitation"
    permission = "access.invitation.read"

    @staticmethod
    def apply(row: InvitationRow | None, event: InvitationEvent) -> InvitationRow | None:
        if isinstance(event, MemberInvited):
            return InvitationRow(
                invitation=event.invitation,
                email=event.email,
                roles=event.roles,
                status="open",
                expires_at=event.expires_at,
            )
        assert row is not None, "Somebody is invited before anything else happens to it."
        match event:
            case InvitationResent():
                return replace(row, expires_at=event.expires_at)
            case InvitationWithdrawn():
                return replace(row, status="withdrawn")
            case InvitationAccepted():
                return replace(row, status="accepted", user=event.user)
