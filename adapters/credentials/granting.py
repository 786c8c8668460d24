"""How a token is asked for with each kind of secret. A form and an answer: RFC 6749, 7523.

No OAuth library does it: what they add to a form is a client of their own, which would connect to
wherever it is told to. Only the assertion for Google is made by Google's own.
"""

from base64 import b64encode
from collections.abc import Collection
from typing import Final
from urllib.parse import quote_plus

from msgspec import Struct
from msgspec.structs import replace

from adapters.credentials.asking import Asking
from adapters.credentials.outside import open_outside
from adapters.credentials.reaching import check_address
from application.secret_kinds import (
    Docuware,
    GoogleServiceAccount,
    Oauth2ClientCredentials,
    Oauth2RefreshToken,
    SecretDocument,
)
from application.webhooks import Reach
from domain.kernel import Refused

BEARER_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SECONDS_UNTOLD: Final = 300
"""How long a token is taken for good where its server does not say (RFC 6749, 5.1)."""

PLATFORM: Final = "/DocuWare/Platform"


class Granted(Struct, frozen=True, kw_only=True):
    """What a token server gives."""

    access_token: str
    expires_in: float | str | None = None
    token_type: str = "Bearer"  # noqa: S105 - the name of a kind.
    refresh_token: str | None = None

    def __repr__(self) -> str:
        return f"Granted(expires_in={self.expires_in!r})"

    @property
    def seconds(self) -> float:
        """How long it is good for. Some servers write numbers as texts."""
        try:
            return max(float(self.expires_in or SECONDS_UNTOLD), 0.0)
        except ValueError:
            return float(SECONDS_UNTOLD)


class _Identity(Struct, rename="pascal"):
    identity_service_url: str


class _Endpoints(Struct):
    token_endpoint: str


class Granting(Struct, frozen=True, kw_only=True):
    """Asks for tokens: where Google's are asked for is a setting, no tenant's choice."""

    reach: Reach
    google_token_uri: str
    seconds_max: float

    async def grant(self, name: str, document: SecretDocument, scopes: Collection[str]) -> Granted:
        """Ask for a token.

        Raises:
            Refused: The server says no, or the request lacks something.
            Unavailable: The server is away.

        """
        async with open_outside(self.reach, self.seconds_max) as client:
            asking = Asking(client, name, self.seconds_max)
            return await self._ask(asking, name, document, scopes)

    async def _ask(
        self, asking: Asking, name: str, document: SecretDocument, scopes: Collection[str]
    ) -> Granted:
        match document:
            case GoogleServiceAccount():
                return await self._google(asking, name, document, scopes)
            case Oauth2ClientCredentials() | Oauth2RefreshToken():
                check_address(self.reach, document.token_url)
                return await _oauth2(asking, document, scopes)
            case Docuware():
                return await self._docuware(asking, document)
            case _:
                raise TypeError(f"No token is got with {document!r}.")

    async def _google(
        self,
        asking: Asking,
        name: str,
        document: GoogleServiceAccount,
        scopes: Collection[str],
    ) -> Granted:
        asked = tuple(scopes) or document.scopes
        if not asked:
            raise Refused(
                "credentials.no_scopes",
                f"No scopes are named for {name}, and Google gives no token without.",
                hint="Name them with the request, or as scopes in the secret.",
            )
        from adapters.credentials.google import assertion_of  # noqa: PLC0415 - slow, and for few.

        form = {"grant_type": BEARER_GRANT, "assertion": assertion_of(document, asked)}
        return await asking.post(self.google_token_uri, form, {}, Granted)

    async def _docuware(self, asking: Asking, document: Docuware) -> Granted:
        """Find the identity service of the organisation, and ask it (DocuWare 7.10 or newer)."""
        base = document.url.rstrip("/").removesuffix(PLATFORM)
        found = f"{base}{PLATFORM}/Home/IdentityServiceInfo"
        check_address(self.reach, found)
        identity = (await asking.get(found, _Identity)).identity_service_url.rstrip("/")
        check_address(self.reach, identity)
        endpoints = await asking.get(f"{identity}/.well-known/openid-configuration", _Endpoints)
        check_address(self.reach, endpoints.token_endpoint)
        return await asking.post(endpoints.token_endpoint, _docuware_form(document), {}, Granted)


def renewed(document: SecretDocument, granted: Granted) -> SecretDocument | None:
    """Return the secret as it is now, where the server changed it; None where it did not."""
    given = granted.refresh_token
    if not isinstance(document, Oauth2RefreshToken) or given in {None, document.refresh_token}:
        return None
    return replace(document, refresh_token=given)


async def _oauth2(
    asking: Asking,
    document: Oauth2ClientCredentials | Oauth2RefreshToken,
    scopes: Collection[str],
) -> Granted:
    form: dict[str, str | None] = {
        "grant_type": "client_credentials",
        "scope": " ".join(scopes) or document.scope,
        "audience": document.audience,
    }
    if isinstance(document, Oauth2RefreshToken):
        form |= {"grant_type": "refresh_token", "refresh_token": document.refresh_token}
    headers = {}
    if document.client_secret is None or document.client_in == "body":
        form |= {"client_id": document.client_id, "client_secret": document.client_secret}
    else:
        # Each is encoded as in a form before both are joined (RFC 6749, 2.3.1).
        joined = f"{quote_plus(document.client_id)}:{quote_plus(document.client_secret)}"
        headers["authorization"] = f"Basic {b64encode(joined.encode()).decode()}"
    given = {name: value for name, value in form.items() if value is not None}
    return await asking.post(document.token_url, given, headers, Granted)


def _docuware_form(document: Docuware) -> dict[str, str]:
    login = {"username": document.username, "password": document.password}
    form: dict[str, str | None] = {"client_id": document.client_id, "scope": document.scope}
    match document.grant:
        case "password":
            form |= {"grant_type": "password", **login}
        case "trusted":
            form |= {"grant_type": "trusted", **login, "impersonateName": document.impersonate}
        case "token":
            form |= {"grant_type": "dwtoken", "token": document.token}
        case "client_credentials":
            form |= {"grant_type": "client_credentials", "client_secret": document.client_secret}
    return {name: value for name, value in form.items() if value is not None}
