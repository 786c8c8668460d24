"""Access: who may act for a tenant, by a password or by a key that is shown once."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, NewType, TypeAlias

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
    password_hash: str
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


class ApiKeyCreated(Event):
    """A program may act for a tenant. Of its secret the SHA-256 is kept, in hex."""

    key: Key[KeyId]
    tenant: Key[TenantId]
    name: str
    secret_sha256: str
    permissions: tuple[str, ...]
    expires_at: datetime | None = None


class ApiKeyRevoked(Event):
    key: Key[KeyId]


AccessEvent: TypeAlias = UserEnrolled | ApiKeyCreated | ApiKeyRevoked
KeyEvent: TypeAlias = ApiKeyCreated | ApiKeyRevoked


class EmailClaim(State):
    """Whether an address has an account: by its digest, or by itself as it once was tagged."""

    taken: bool = False

    def evolve(self, event: UserEnrolled) -> "EmailClaim":  # noqa: ARG002 - that it happened is all.
        return EmailClaim(taken=True)


class Enrolment(State):
    """What a person was enrolled for, before there were members."""

    tenant: TenantId | None = None
    permissions: tuple[str, ...] = ()

    def evolve(self, event: UserEnrolled) -> "Enrolment":
        return Enrolment(tenant=event.tenant, permissions=event.permissions)


class ApiKey(State):
    known: bool = False
    revoked: bool = False

    def evolve(self, event: KeyEvent) -> "ApiKey":
        match event:
            case ApiKeyCreated():
                return ApiKey(known=True)
            case ApiKeyRevoked():
                return ApiKey(known=True, revoked=True)


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

    def decide(self, by_digest: EmailClaim, by_address: EmailClaim) -> Iterator[AccessEvent]:
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


class CreateApiKey(Command):
    """Let a program in, for one tenant."""

    key: Filled[KeyId]
    tenant: TenantId
    name: str
    secret_sha256: str
    permissions: tuple[str, ...]
    expires_at: datetime | None = None

    def boundary(self) -> tuple[Boundary[ApiKey]]:
        return (ApiKey.at(key=self.key),)

    def decide(self, key: ApiKey) -> Iterator[AccessEvent]:
        if key.known:
            raise Refused(
                "access.key_taken", f"There is a key {self.key}.", hint="Leave the id out."
            )
        yield ApiKeyCreated(
            key=self.key,
            tenant=self.tenant,
            name=self.name,
            secret_sha256=self.secret_sha256,
            permissions=self.permissions,
            expires_at=self.expires_at,
        )


class RevokeApiKey(Command):
    """Lock a program out. Revoking again changes nothing."""

    key: KeyId

    def boundary(self) -> tuple[Boundary[ApiKey]]:
        return (ApiKey.at(key=self.key),)

    def decide(self, key: ApiKey) -> Iterator[AccessEvent]:
        if not key.known:
            raise Refused("access.key_absent", f"There is no key {self.key}.", hint="List them.")
        if not key.revoked:
            yield ApiKeyRevoked(key=self.key)
