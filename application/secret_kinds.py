"""What each kind of secret holds. None of these says what is in it when it is shown.

The rule of a field is checked when it is kept, in words that quote nothing of it.
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

Text = Annotated[str, Meta(min_length=1, max_length=4_000)]
Long = Annotated[str, Meta(min_length=1, max_length=20_000)]
DOCUWARE_CLIENT: Final = "docuware.platform.net.client"
GOOGLE_TOKEN_URIS: Final = (
    "https://oauth2.googleapis.com/token",
    "https://accounts.google.com/o/oauth2/token",
)
"""What Google writes into the files of service accounts. The request goes where settings say."""


class SecretDocument(Struct, frozen=True, kw_only=True):
    """What a secret of one kind holds."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return []

    @property
    def text(self) -> str:
        """Write it as it is kept."""
        return msgspec.json.encode(self).decode()

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses that it would be sent to."""
        return ()

    def check(self) -> None:
        """See that its fields fit each other.

        Raises:
            ValueError: They don't; the message quotes none of them.

        """


class GoogleServiceAccount(SecretDocument, frozen=True, kw_only=True):
    """The file of a service account, as Google gives it; scopes and a subject may be added."""

    type: Literal["service_account"]
    client_email: Text
    private_key: Long
    private_key_id: Text
    token_uri: Text = GOOGLE_TOKEN_URIS[0]
    scopes: tuple[Text, ...] = ()
    subject: Text | None = None

    def check(self) -> None:
        """Read the key. What names another token server was not made by Google."""
        if self.token_uri not in GOOGLE_TOKEN_URIS:
            raise ValueError("its token_uri is none of Google's")
        # Slow to import, and rarely needed.
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415
        from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
            load_pem_private_key,
        )

        try:
            key = load_pem_private_key(self.private_key.encode(), password=None)
        except (ValueError, TypeError):
            raise ValueError("its private_key can't be read") from None
        if not isinstance(key, RSAPrivateKey):
            raise ValueError("its private_key is none of RSA")  # noqa: TRY004 - of a text.


class _Oauth2(SecretDocument, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What any client of a token server says of itself (RFC 6749, 2.3.1)."""

    token_url: Text
    client_id: Text
    client_secret: Long | None = None
    client_in: Literal["header", "body"] = "header"
    scope: Text | None = None
    audience: Text | None = None

    @property
    def addresses(self) -> tuple[str, ...]:
        return (self.token_url,)


class Oauth2ClientCredentials(_Oauth2, frozen=True, kw_only=True):
    """The client itself is who is let in (RFC 6749, 4.4)."""

    client_secret: Long


class Oauth2RefreshToken(_Oauth2, frozen=True, kw_only=True):
    """Somebody has let the client in (RFC 6749, 6). The server may change the refresh token."""

    refresh_token: Long


class Docuware(SecretDocument, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A DocuWare organisation, and one of the ways into it."""

    url: Text
    grant: Literal["password", "trusted", "token", "client_credentials"] = "password"
    username: Text | None = None
    password: Long | None = None
    impersonate: Text | None = None
    token: Long | None = None
    client_id: Text = DOCUWARE_CLIENT
    client_secret: Long | None = None
    scope: Text = "docuware.platform"

    @property
    def addresses(self) -> tuple[str, ...]:
        return (self.url,)

    def check(self) -> None:
        """See that what the grant needs is there."""
        needed = {
            "password": ("username", "password"),
            "trusted": ("username", "password", "impersonate"),
            "token": ("token",),
            "client_credentials": ("client_secret",),
        }[self.grant]
        if missing := [name for name in needed if getattr(self, name) is None]:
            raise ValueError(f"the grant {self.grant} needs {missing[0]}")


class Oracle(SecretDocument, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A login of an Oracle database."""

    user: Text
    password: Long
    dsn: Text


class Smtp(SecretDocument, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A login of a mail server."""

    host: Text
    port: Annotated[int, Meta(ge=1, le=65_535)] = 587
    username: Text
    password: Long
    security: Literal["tls", "starttls"] = "starttls"


class PaymentProvider(SecretDocument, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of an account with a payment provider."""

    provider: Text
    api_key: Long
    webhook_secret: Long | None = None
