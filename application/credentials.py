"""Credentials as the world may bring them: checked by their kind, then kept apart, then forgotten.

What is secret passes through here once, on its way in. Nothing here says what it held.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from application.errors import Malformed, Unavailable
from application.kernel import Context, Exposed, Looking
from application.secret_kinds import (
    Docuware,
    GoogleServiceAccount,
    Oauth2ClientCredentials,
    Oauth2RefreshToken,
    Oracle,
    PaymentProvider,
    SecretDocument,
    Smtp,
)
from domain.credentials import (
    CredentialName,
    Kind,
    RevokeCredential,
    RotateCredential,
    StoreCredential,
    UseCredential,
)
from domain.kernel import Command

MANAGE: Final = "credentials.secret.manage"
READ: Final = "credentials.secret.read"
USE: Final = "credentials.secret.use"

DOCUMENTS: Final[Mapping[Kind, type[SecretDocument]]] = MappingProxyType(
    {
        "google_service_account": GoogleServiceAccount,
        "oauth2_client_credentials": Oauth2ClientCredentials,
        "oauth2_refresh_token": Oauth2RefreshToken,
        "docuware": Docuware,
        "oracle": Oracle,
        "smtp": Smtp,
        "payment_provider": PaymentProvider,
    }
)
"""What each kind holds; a generic secret is any text."""


class TokenServerAway(Unavailable):
    """A token server is away or busy. It may have said for how long it wants to be left alone."""

    def __init__(self, code: str, message: str, *, hint: str, seconds: float) -> None:
        super().__init__(code, message, hint=hint)
        self.seconds = seconds


class AccessToken(Struct, frozen=True, kw_only=True):
    """What opens a system outside for a while. Its text is never written down."""

    text: str
    expires_at: datetime
    kind: str = "Bearer"

    def __repr__(self) -> str:
        return f"AccessToken(expires_at={self.expires_at.isoformat()})"


class Opened(Struct, frozen=True, kw_only=True):
    """A secret that was opened, in its version: a document of its kind, or a text."""

    version: int
    kind: Kind
    text: str

    def __repr__(self) -> str:
        return f"Opened({self.kind}, version {self.version})"

    @property
    def document(self) -> SecretDocument:
        """Read the document of its kind."""
        return msgspec.json.decode(self.text, type=DOCUMENTS[self.kind])


class AccessTokens(Protocol):
    """Gives adapters tokens that are valid: asked for once, for however many wait."""

    async def valid(
        self,
        context: Context,
        name: CredentialName,
        *,
        purpose: str,
        scopes: Collection[str] = (),
        refused: str | None = None,
    ) -> AccessToken:
        """Return a token of *name* that is good for a while yet.

        Where a system outside has *refused* one that looked good, another is asked for.

        Raises:
            Forbidden: The caller may not use credentials.
            Refused: There is no such credential, or the token server does not accept it.
            Unavailable: The token server is away, or asks for patience.

        """
        ...


async def keep(looking: Looking, command: StoreCredential | RotateCredential) -> Command:
    """Keep what is secret, and leave its fingerprint in its place.

    Raises:
        Malformed: It is nothing of its kind, or another is kept under this id.
        Refused: It would be sent where nothing may be sent to.
        Unavailable: It can't be kept now.

    """
    safe = looking.safe
    assert safe is not None, "Whoever takes secrets has a place for them."
    addresses = check_secret(command.kind, command.secret)
    safe.admit(addresses)
    fingerprint = await safe.keep(
        looking.tenant,
        credential=command.credential,
        secret_id=command.secret_id,
        secret=command.secret,
        expires_at=command.expires_at,
    )
    return replace(command, secret=fingerprint)


COMMANDS = (
    Exposed(command=StoreCredential, permission=MANAGE, route="POST /credentials", find=keep),
    Exposed(
        command=RotateCredential,
        permission=MANAGE,
        route="POST /credentials/{credential}/rotate",
        find=keep,
    ),
    Exposed(
        command=RevokeCredential,
        permission=MANAGE,
        route="POST /credentials/{credential}/revoke",
    ),
    Exposed(command=UseCredential, permission=USE),
)


def check_secret(kind: Kind, secret: str) -> Sequence[str]:
    """See that a secret is of its kind, and name the addresses that it would be sent to.

    Raises:
        Malformed: It is not. The message says where, and nothing of what stands there.

    """
    if any(sign < " " and sign not in "\t\r\n" for sign in secret) or not _is_text(secret):
        raise _bad(kind, "it holds a control character")
    shape = DOCUMENTS.get(kind)
    if shape is None:
        return ()
    try:
        document = msgspec.json.decode(secret, type=shape)
        document.check()
    except msgspec.ValidationError as error:
        raise _bad(kind, _place(str(error), shape)) from None
    except msgspec.DecodeError:
        raise _bad(kind, "it is no JSON") from None
    except ValueError as error:
        raise _bad(kind, str(error)) from None  # Of our own words: see ``SecretDocument.check``.
    return document.addresses


def _is_text(secret: str) -> bool:
    try:
        secret.encode()
    except UnicodeEncodeError:
        return False
    return True


def _place(message: str, shape: type[Struct]) -> str:
    """Name the field of an error, and nothing else of it: it may quote what was sent."""
    named = [name for name in shape.__struct_fields__ if f"`{name}`" in message]
    path = message.rpartition(" - at `$.")[2].rstrip("`")
    named += [name for name in shape.__struct_fields__ if name == path]
    return f"{named[-1]} is missing or is not as it should be" if named else "its fields are others"


def _bad(kind: Kind, why: str) -> Malformed:
    return Malformed(
        "credentials.bad_secret",
        f"This is no secret of the kind {kind}: {why}.",
        hint="Compare it with the fields of its kind; none of it was kept.",
    )
