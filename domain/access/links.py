"""Links that letters bring: by one an address is shown to be somebody's, or a password is chosen.

A link has an id and a time by which it is over. What opens it is in no event; that it was opened
is, and then it opens nothing more.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import NewType, TypeAlias

from msgspec.structs import replace

from domain.access.people import EmailDigest, UserId
from domain.kernel import Boundary, Command, Event, Filled, Key, Refused, State

LinkId = NewType("LinkId", str)


class EmailVerificationAsked(Event):
    """A person is to show that letters to their address reach them."""

    link: Key[LinkId]
    user: Key[UserId]
    expires_at: datetime


class EmailVerified(Event):
    """Letters to a person's address reach them. They followed the link, or another letter's."""

    user: Key[UserId]
    link: Key[LinkId] | None = None


class PasswordForgotten(Event):
    """Somebody asked to choose another password for an address, whether or not it has an account.

    The address is known by its digest alone, which tells nobody what it is.
    """

    link: Key[LinkId]
    email_digest: Key[EmailDigest]
    expires_at: datetime


LinkEvent: TypeAlias = EmailVerificationAsked | PasswordForgotten
VerificationEvent: TypeAlias = EmailVerificationAsked | EmailVerified


class Mailbox(State):
    """Whether letters are known to reach a person."""

    verified: bool = False

    def evolve(self, event: EmailVerified) -> "Mailbox":  # noqa: ARG002 - that it happened is all.
        return Mailbox(verified=True)


class VerificationLink(State):
    """By which a person shows that letters reach them; nobody's, where there is none."""

    user: UserId | None = None
    expires_at: datetime | None = None
    used: bool = False

    def evolve(self, event: VerificationEvent) -> "VerificationLink":
        match event:
            case EmailVerificationAsked():
                return VerificationLink(user=event.user, expires_at=event.expires_at)
            case EmailVerified():
                return replace(self, used=True)

    def check(self, at: datetime) -> UserId:
        """Name the person of a link that is good at a moment.

        Raises:
            Refused: It was used, its time is over, or there never was one.

        """
        if self.user is None or self.expires_at is None or self.used:
            raise spent("was used before, or is none of ours")
        _check_time(self.expires_at, at)
        return self.user


class ResetLink(State):
    """By which somebody chooses another password; for no address, where there is none."""

    email_digest: EmailDigest | None = None
    expires_at: datetime | None = None

    def evolve(self, event: PasswordForgotten) -> "ResetLink":
        return ResetLink(email_digest=event.email_digest, expires_at=event.expires_at)

    def check(self, at: datetime) -> EmailDigest:
        """Name the address of a link that is good at a moment, if it was not used meanwhile.

        Raises:
            Refused: Its time is over, or there never was one.

        """
        if self.email_digest is None or self.expires_at is None:
            raise spent("is none of ours")
        _check_time(self.expires_at, at)
        return self.email_digest


class AskEmailVerification(Command):
    """Have a letter sent by which a person shows that letters reach them, unless that is known."""

    link: Filled[LinkId]
    user: UserId
    expires_at: datetime

    def boundary(self) -> tuple[Boundary[Mailbox]]:
        return (Mailbox.at(user=self.user),)

    def decide(self, mailbox: Mailbox) -> Iterator[LinkEvent]:
        if not mailbox.verified:
            yield EmailVerificationAsked(link=self.link, user=self.user, expires_at=self.expires_at)


class VerifyEmail(Command):
    """Note that the letter came. A link does so once."""

    link: LinkId
    at: datetime

    def boundary(self) -> tuple[Boundary[VerificationLink]]:
        return (VerificationLink.at(link=self.link),)

    def decide(self, link: VerificationLink) -> Iterator[EmailVerified]:
        yield EmailVerified(user=link.check(self.at), link=self.link)


class NoteEmailVerified(Command):
    """Note that letters reach a person, as another one did. Known already, nothing happens."""

    user: UserId

    def boundary(self) -> tuple[Boundary[Mailbox]]:
        return (Mailbox.at(user=self.user),)

    def decide(self, mailbox: Mailbox) -> Iterator[EmailVerified]:
        if not mailbox.verified:
            yield EmailVerified(user=self.user)


class ForgetPassword(Command):
    """Have a letter sent by which another password is chosen, where the address has an account."""

    link: Filled[LinkId]
    email_digest: EmailDigest
    expires_at: datetime

    def boundary(self) -> tuple[Boundary[ResetLink]]:
        return (ResetLink.at(link=self.link),)

    def decide(self, _link: ResetLink) -> Iterator[LinkEvent]:
        yield PasswordForgotten(
            link=self.link, email_digest=self.email_digest, expires_at=self.expires_at
        )


def spent(why: str) -> Refused:
    """Say that a link opens nothing, and why."""
    return Refused("access.link_spent", f"This link {why}.", hint="Ask for a new letter.")


def _check_time(until: datetime, at: datetime) -> None:
    if at > until:
        raise spent(f"was good until {until:%Y-%m-%d %H:%M} UTC")
