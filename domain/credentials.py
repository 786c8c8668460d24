"""Credentials: what opens the systems outside, kept in versions and never shown again.

The secret itself lies beside the log: an event names a version of it, and never holds it.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Final, Literal, NewType, TypeAlias

from msgspec import Meta
from msgspec.structs import replace

from domain.kernel import Boundary, Command, Event, Filled, Key, Refused, Secret, State

CredentialName = NewType("CredentialName", str)
SecretId = NewType("SecretId", str)
Fingerprint = NewType("Fingerprint", str)

Kind: TypeAlias = Literal[
    "google_service_account",
    "oauth2_client_credentials",
    "oauth2_refresh_token",
    "docuware",
    "oracle",
    "smtp",
    "payment_provider",
    "generic",
]
Name = Annotated[
    CredentialName,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$(?!\n)",
        description="What it is called. Name nobody in it, and nothing that is secret.",
    ),
]
SecretIdText = Annotated[
    SecretId, Meta(pattern=r"^[0-9A-Za-z-]{1,40}$(?!\n)", description="Leave it out.")
]
SECRET_CHARACTERS_MAX: Final = 32_768
SecretText = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=SECRET_CHARACTERS_MAX,
        description="What is secret, as a text: the JSON of its kind; of a generic one, anything."
        " Send it as a variable, never inside a document. It is never shown again.",
    ),
]
Purpose = Annotated[str, Meta(min_length=1, max_length=200, description="What it is used for.")]
Expiry = Annotated[
    Annotated[datetime, Meta(tz=True)] | None,
    Meta(description="When the system outside will take it no more. It warns, and stops nothing."),
]
Status: TypeAlias = Literal["active", "revoked"]

CREDENTIALS: Final = "credentials:all"
"""The tag of every coming and going of a credential of a tenant."""

CREDENTIALS_MAX: Final = 200


class CredentialStored(Event):
    """The first version under a name, or the first again after it was revoked."""

    common_tags = frozenset({CREDENTIALS})

    credential: Key[CredentialName]
    kind: Kind
    secret_id: Key[SecretId]
    version: int
    fingerprint: Fingerprint
    expires_at: datetime | None


class CredentialRotated(Event):
    """A new version takes the place of the former one, whose secret is destroyed."""

    credential: Key[CredentialName]
    secret_id: Key[SecretId]
    version: int
    fingerprint: Fingerprint
    expires_at: datetime | None


class CredentialRevoked(Event):
    """It opens nothing more from here on, and its secret is destroyed."""

    common_tags = frozenset({CREDENTIALS})

    credential: Key[CredentialName]


class CredentialUsed(Event):
    """Its secret was opened, for this. Who did it is the actor of the event."""

    credential: Key[CredentialName]
    version: int
    purpose: str
    at: datetime


Versioned: TypeAlias = CredentialStored | CredentialRotated | CredentialRevoked
CredentialEvent: TypeAlias = Versioned | CredentialUsed


class Credential(State):
    """Which version is the current one. What was used and when is no matter of any rule."""

    status: Literal["absent", "active", "revoked"] = "absent"
    kind: Kind = "generic"
    secret_id: SecretId = SecretId("")
    version: int = 0
    fingerprint: Fingerprint = Fingerprint("")
    expires_at: datetime | None = None

    def evolve(self, event: Versioned) -> "Credential":
        match event:
            case CredentialStored():
                return Credential(
                    status="active",
                    kind=event.kind,
                    secret_id=event.secret_id,
                    version=event.version,
                    fingerprint=event.fingerprint,
                    expires_at=event.expires_at,
                )
            case CredentialRotated():
                return replace(
                    self,
                    secret_id=event.secret_id,
                    version=event.version,
                    fingerprint=event.fingerprint,
                    expires_at=event.expires_at,
                )
            case CredentialRevoked():
                return replace(self, status="revoked")

    def is_as(self, kind: Kind, fingerprint: str, expires_at: datetime | None) -> bool:
        """Tell whether this is what is there already."""
        there = (self.kind, self.fingerprint, self.expires_at)
        return self.status == "active" and there == (kind, fingerprint, expires_at)


class Credentials(State):
    """How many credentials a tenant has."""

    many: int = 0

    def evolve(self, event: CredentialStored | CredentialRevoked) -> "Credentials":
        match event:
            case CredentialStored():
                return Credentials(many=self.many + 1)
            case CredentialRevoked():
                return Credentials(many=self.many - 1)


class _Secretive(Command):
    """A command that brings a secret. The rule finds the fingerprint in its place."""

    credential: Name
    kind: Kind
    secret: Secret[SecretText]
    secret_id: Filled[SecretIdText]
    expires_at: Expiry = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.credential!r})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [("credential", self.credential)]


class StoreCredential(_Secretive):
    """Keep what opens a system outside, under a name. It is never shown again."""

    def boundary(self) -> tuple[Boundary[Credential], Boundary[Credentials]]:
        return (
            Credential.at(credential=self.credential),
            Credentials.at(credentials="all"),
        )

    def decide(self, credential: Credential, credentials: Credentials) -> Iterator[CredentialEvent]:
        if credential.is_as(self.kind, self.secret, self.expires_at):
            return
        if credential.status == "active":
            raise Refused(
                "credentials.name_taken",
                f"There is a credential {self.credential}, in version {credential.version}.",
                hint="Rotate it, or take another name.",
            )
        if credentials.many >= CREDENTIALS_MAX:
            raise Refused(
                "credentials.too_many",
                f"There are {credentials.many} credentials, and a tenant has at most"
                f" {CREDENTIALS_MAX}.",
                hint="Revoke one that is not needed any more.",
            )
        yield CredentialStored(
            credential=self.credential,
            kind=self.kind,
            secret_id=self.secret_id,
            version=credential.version + 1,
            fingerprint=Fingerprint(self.secret),
            expires_at=self.expires_at,
        )


class RotateCredential(_Secretive):
    """Put a new version in the place of the current one. Its kind is said again, and stays."""

    def boundary(self) -> tuple[Boundary[Credential]]:
        return (Credential.at(credential=self.credential),)

    def decide(self, credential: Credential) -> Iterator[CredentialEvent]:
        check(credential, self.credential)
        if credential.kind != self.kind:
            raise Refused(
                "credentials.other_kind",
                f"{self.credential} is of the kind {credential.kind}, and not {self.kind}.",
                hint="Store what is of another kind under another name.",
            )
        if not credential.is_as(self.kind, self.secret, self.expires_at):
            yield CredentialRotated(
                credential=self.credential,
                secret_id=self.secret_id,
                version=credential.version + 1,
                fingerprint=Fingerprint(self.secret),
                expires_at=self.expires_at,
            )


class RevokeCredential(Command):
    """Let a credential open nothing more, and destroy its secret."""

    credential: Name

    def boundary(self) -> tuple[Boundary[Credential]]:
        return (Credential.at(credential=self.credential),)

    def decide(self, credential: Credential) -> Iterator[CredentialEvent]:
        if credential.status == "revoked":
            return
        check(credential, self.credential)
        yield CredentialRevoked(credential=self.credential)


class UseCredential(Command):
    """Note in the log what a version is opened for, before it is opened."""

    credential: Name
    version: int
    purpose: Purpose
    at: Filled[datetime]

    def boundary(self) -> tuple[Boundary[Credential]]:
        return (Credential.at(credential=self.credential),)

    def decide(self, credential: Credential) -> Iterator[CredentialEvent]:
        check(credential, self.credential)
        if credential.version != self.version:
            raise Refused(
                "credentials.rotated",
                f"{self.credential} is in version {credential.version} now, and no more in"
                f" {self.version}.",
                hint="Take the new version.",
            )
        yield CredentialUsed(
            credential=self.credential, version=self.version, purpose=self.purpose, at=self.at
        )


def check(credential: Credential, name: CredentialName) -> None:
    """Let nothing pass that opens nothing.

    Raises:
        Refused: There is none, or it was revoked.

    """
    if credential.status == "absent":
        raise Refused(
            "credentials.absent",
            f"There is no credential {name}.",
            hint="Store it, or list those there are.",
        )
    if credential.status == "revoked":
        raise Refused(
            "credentials.revoked",
            f"The credential {name} was revoked.",
            hint="Store it anew, with a secret that is still good.",
        )
