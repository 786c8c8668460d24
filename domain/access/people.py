"""People: who may log in, each by an address of its own."""

from collections.abc import Iterator
from typing import Annotated, NewType

from msgspec import Meta

from domain.ids import TenantId
from domain.kernel import (
    Boundary,
    Command,
    Event,
    Filled,
    Key,
    Personal,
    Refused,
    Retired,
    State,
    Subject,
)

UserId = NewType("UserId", str)
KeyId = NewType("KeyId", str)
Email = NewType("Email", str)
EmailDigest = NewType("EmailDigest", str)
EmailText = Annotated[Email, Meta(pattern="^[^@\\s]+@[^@\\s]+$", max_length=254)]


class UserEnrolled(Event):
    """A person may log in. The password is kept as an Argon2id hash only.

    The digest is of the address, by a key of the instance: equal addresses have equal digests,
    and no digest tells its address. It is None where the event is a UserRegistered.
    """

    user: Key[Subject[UserId]]
    email: Personal[Email]
    password_hash: Personal[str]
    tenant: Key[TenantId]
    permissions: tuple[str, ...]
    email_digest: Key[EmailDigest] | None = None


class UserRegistered(Retired):
    """As UserEnrolled, with the address in clear and as a tag, where it can't be forgotten."""

    user: Key[UserId]
    email: Key[Email]
    password_hash: str
    tenant: Key[TenantId]
    permissions: tuple[str, ...]

    def upcast(self) -> UserEnrolled:
        return UserEnrolled(
            user=self.user,
            email=self.email,
            password_hash=self.password_hash,
            tenant=self.tenant,
            permissions=self.permissions,
        )


class EmailClaim(State):
    """Whose account an address is: by its digest, or by itself as it once was tagged."""

    user: UserId | None = None

    @property
    def taken(self) -> bool:
        return self.user is not None

    def evolve(self, event: UserEnrolled) -> "EmailClaim":
        return EmailClaim(user=event.user)


class Enrolment(State):
    """What a person was enrolled for, before there were members."""

    tenant: TenantId | None = None
    permissions: tuple[str, ...] = ()

    def evolve(self, event: UserEnrolled) -> "Enrolment":
        return Enrolment(tenant=event.tenant, permissions=event.permissions)


class RegisterUser(Command):
    """Let a person in, for one tenant."""

    user: Filled[UserId]
    email: EmailText
    email_digest: EmailDigest
    password_hash: str
    tenant: TenantId
    permissions: tuple[str, ...]

    def boundary(self) -> tuple[Boundary[EmailClaim], Boundary[EmailClaim]]:
        by_digest = EmailClaim.at(email_digest=self.email_digest)
        return by_digest, EmailClaim.at(email=self.email)

    def decide(self, by_digest: EmailClaim, by_address: EmailClaim) -> Iterator[UserEnrolled]:
        if by_digest.taken or by_address.taken:
            raise Refused(
                "access.email_taken",
                "This email address has an account.",
                hint="Log in, or use another address.",
            )
        yield UserEnrolled(
            user=self.user,
            email=self.email,
            email_digest=self.email_digest,
            password_hash=self.password_hash,
            tenant=self.tenant,
            permissions=self.permissions,
        )
