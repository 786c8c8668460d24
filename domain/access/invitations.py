"""Invitations: a person is asked by letter to act for the tenant, and comes in by it once.

Whoever invites gives the roles as if they admitted a member; what they lack, they can't give.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal, NewType, TypeAlias

from msgspec import Meta
from msgspec.structs import replace

from domain.access.people import Email, UserId
from domain.access.roles import (
    NOBODY,
    AdmitMember,
    Giver,
    Member,
    MemberEvent,
    Owners,
    Role,
    RoleId,
    Roles,
)
from domain.kernel import (
    FORGOTTEN,
    Boundary,
    Command,
    Event,
    Filled,
    Found,
    Key,
    Personal,
    Refused,
    State,
    Subject,
)

InvitationId = NewType("InvitationId", str)
InvitationStatus: TypeAlias = Literal["absent", "open", "accepted", "withdrawn"]
DAYS: Final = 7
ADDRESS: Final = (
    r"^[^\s@<>()\[\]\\,;:\"\x00-\x1f\x7f]{1,64}@[^\s@<>()\[\]\\,;:\"\x00-\x1f\x7f]+$(?!\n)"
)
"""Of what a header of a letter can be made without quoting anything."""

InvitedAddress: TypeAlias = Annotated[
    Email,
    Meta(
        pattern=ADDRESS,
        max_length=254,
        description="Where the letter goes.",
    ),
]
GivenId: TypeAlias = Annotated[InvitationId, Meta(pattern=r"^[0-9A-Za-z_-]{1,64}$(?!\n)")]
Days: TypeAlias = Annotated[
    int, Meta(ge=1, le=30, description="How many days the letter is good for.")
]


class MemberInvited(Event):
    """A letter is to ask somebody to act for the tenant, by these roles."""

    invitation: Key[Subject[InvitationId]]
    email: Personal[str]
    roles: tuple[RoleId, ...]
    expires_at: datetime


class InvitationResent(Event):
    """The letter is to go out once more, and is good for longer."""

    invitation: Key[InvitationId]
    expires_at: datetime


class InvitationWithdrawn(Event):
    """The letter lets nobody in."""

    invitation: Key[InvitationId]


class InvitationAccepted(Event):
    """Somebody came in by the letter; from here on it lets nobody in."""

    invitation: Key[InvitationId]
    user: Key[UserId]


InvitationEvent: TypeAlias = (
    MemberInvited | InvitationResent | InvitationWithdrawn | InvitationAccepted
)


class Invitation(State):
    status: InvitationStatus = "absent"
    email: Personal[str] = ""
    roles: tuple[RoleId, ...] = ()
    expires_at: datetime | None = None

    def evolve(self, event: InvitationEvent) -> "Invitation":
        match event:
            case MemberInvited():
                return Invitation(
                    status="open",
                    email=event.email,
                    roles=event.roles,
                    expires_at=event.expires_at,
                )
            case InvitationResent():
                return replace(self, expires_at=event.expires_at)
            case InvitationWithdrawn():
                return replace(self, status="withdrawn")
            case InvitationAccepted():
                return replace(self, status="accepted")

    def is_good(self, at: datetime) -> bool:
        """Tell whether somebody may come in by it at a moment. Who was forgotten may not."""
        if self.status != "open" or self.expires_at is None or self.email is FORGOTTEN:
            return False
        return at <= self.expires_at

    def check_open(self, name: InvitationId) -> None:
        """See that it was neither accepted nor withdrawn."""
        if self.status == "absent":
            raise Refused(
                "access.invitation_absent",
                f"There is no invitation {name}.",
                hint="List the invitations.",
            )
        if self.status != "open":
            raise Refused(
                "access.invitation_over",
                f"The invitation was {self.status} before.",
                hint="Invite the person anew.",
            )

    def check_good(self, name: InvitationId, at: datetime) -> None:
        """See that somebody may come in by it at a moment."""
        self.check_open(name)
        if not self.is_good(at):
            raise Refused(
                "access.invitation_over",
                f"The invitation was good until {self.expires_at:%Y-%m-%d %H:%M} UTC.",
                hint="Ask whoever invited you to send it again.",
            )


class InviteMember(Command):
    """Ask somebody by letter to act for the tenant. It is open until it is accepted."""

    invitation: Filled[GivenId]
    email: InvitedAddress
    roles: Roles
    days: Days = DAYS
    giver: Found[Giver] = NOBODY
    at: Found[datetime | None] = None

    def boundary(self) -> tuple[Boundary[Any], ...]:  # Any: of the invitation, and roles.
        return _with_roles(self.invitation, self.roles)

    def decide(self, invitation: Invitation, *roles: Role) -> Iterator[InvitationEvent]:
        if invitation.status != "absent":
            raise Refused(
                "access.invitation_taken",
                f"There is an invitation {self.invitation}.",
                hint="Leave the id out.",
            )
        self.giver.check_roles(zip(self.roles, roles, strict=True))
        yield MemberInvited(
            invitation=self.invitation,
            email=self.email,
            roles=self.roles,
            expires_at=_end(self.at, self.days),
        )


class ResendInvitation(Command):
    """Send the letter once more, good for so many days from now. It is the same link.

    Attributes:
        roles: Those of the invitation, which whoever sends it again gives as well.

    """

    invitation: InvitationId
    days: Days = DAYS
    roles: Found[tuple[RoleId, ...]] = ()
    giver: Found[Giver] = NOBODY
    at: Found[datetime | None] = None

    def boundary(self) -> tuple[Boundary[Any], ...]:  # Any: as above.
        return _with_roles(self.invitation, self.roles)

    def decide(self, invitation: Invitation, *roles: Role) -> Iterator[InvitationEvent]:
        invitation.check_open(self.invitation)
        self.giver.check_roles(zip(self.roles, roles, strict=True))
        yield InvitationResent(invitation=self.invitation, expires_at=_end(self.at, self.days))


class WithdrawInvitation(Command):
    """Let nobody in by the letter. Withdrawn again, nothing happens."""

    invitation: InvitationId

    def boundary(self) -> tuple[Boundary[Invitation]]:
        return (Invitation.at(invitation=self.invitation),)

    def decide(self, invitation: Invitation) -> Iterator[InvitationEvent]:
        if invitation.status != "withdrawn":
            invitation.check_open(self.invitation)
            yield InvitationWithdrawn(invitation=self.invitation)


class AcceptInvitation(Command):
    """Let a person in who showed the letter. Of several at the same time one comes in.

    Attributes:
        email: As it stands in the invitation, like the roles.

    """

    invitation: InvitationId
    user: UserId
    email: Email
    roles: Roles
    at: datetime
    giver: Found[Giver] = NOBODY

    def boundary(self) -> tuple[Boundary[Any], ...]:  # Any: as above.
        return (Invitation.at(invitation=self.invitation), *self._admission().boundary())

    def decide(
        self, invitation: Invitation, member: Member, owners: Owners, *roles: Role
    ) -> Iterator[InvitationEvent | MemberEvent]:
        invitation.check_good(self.invitation, self.at)
        yield from self._admission().decide(member, owners, *roles)
        yield InvitationAccepted(invitation=self.invitation, user=self.user)

    def _admission(self) -> AdmitMember:
        return AdmitMember(user=self.user, email=self.email, roles=self.roles, giver=self.giver)


def _with_roles(
    name: InvitationId, roles: Iterable[RoleId]
) -> tuple[Boundary[Any], ...]:  # Any: so.
    return (Invitation.at(invitation=name), *(Role.at(role=role) for role in roles))


def _end(at: datetime | None, days: int) -> datetime:
    assert at is not None, "It is looked up where the command is executed."
    return at + timedelta(days=days)
