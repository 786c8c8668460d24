"""A token server that means it: it checks who asks, lets tokens end, and changes refresh tokens.

It knows the grants of OAuth 2 (RFC 6749), of Google's service accounts (RFC 7523) and of DocuWare,
and can be busy or broken when it is told to be.
"""

import asyncio
import time
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from secrets import token_hex
from urllib.parse import unquote_plus

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from tests.credentials.http import Asked, Said, serving

GOOGLE = "https://oauth2.googleapis.com/token"
BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
IDENTITY = "/identity"


class TokenServer:
    """Gives tokens to whom it knows. What is next in *script* is answered instead."""

    def __init__(self) -> None:
        self.port = 0
        self.clients = {"client-1": "word-1"}
        self.users = {"ana": "word-2"}
        self.account = RSAKey.generate_key(2048)
        self.account_email = "robot@project.example"
        self.refresh = token_hex(8)
        self.spent: set[str] = set()
        self.rotates = True
        self.token_seconds: float = 3_600
        self.delay_seconds = 0.0
        self.script: list[Said] = []
        self.asked: list[Asked] = []
        self.granted: list[str] = []
        self._until: dict[str, float] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def token_url(self) -> str:
        return f"{self.url}/token"

    @property
    def grants(self) -> int:
        return len(self.granted)

    def accepts(self, token: str) -> bool:
        """Tell whether a token opens anything now."""
        return time.monotonic() < self._until.get(token, 0.0)

    async def handle(self, asked: Asked) -> Said:
        self.asked.append(asked)
        await asyncio.sleep(self.delay_seconds)
        if self.script:
            return self.script.pop(0)
        match asked.method, asked.path:
            case "GET", "/DocuWare/Platform/Home/IdentityServiceInfo":
                return Said(200, {"IdentityServiceUrl": f"{self.url}{IDENTITY}"})
            case "GET", "/identity/.well-known/openid-configuration":
                return Said(200, {"token_endpoint": f"{self.url}{IDENTITY}/connect/token"})
            case "POST", "/token" | "/identity/connect/token":
                return self._grant(asked)
        return Said(404)

    def _grant(self, asked: Asked) -> Said:
        form = asked.form
        match form.get("grant_type"):
            case "client_credentials":
                return self._given() if self._client(asked) else _no("invalid_client", 401)
            case "refresh_token":
                return self._refreshed(asked)
            case grant if grant == BEARER:
                return self._given() if self._signed(form) else _no("invalid_grant")
            case "password" | "trusted":
                word = self.users.get(form.get("username", ""))
                right = word is not None and word == form.get("password")
                return self._given() if right else _no("invalid_grant")
            case "dwtoken":
                return self._given() if form.get("token") == self.refresh else _no("invalid_grant")
        return _no("unsupported_grant_type")

    def _client(self, asked: Asked) -> bool:
        form, header = asked.form, asked.headers.get("authorization", "")
        name, word = form.get("client_id", ""), form.get("client_secret", "")
        if header.startswith("Basic "):
            pair = b64decode(header.removeprefix("Basic ")).decode().partition(":")
            name, word = unquote_plus(pair[0]), unquote_plus(pair[2])
        return self.clients.get(name) == word

    def _refreshed(self, asked: Asked) -> Said:
        given = asked.form.get("refresh_token")
        if not self._client(asked):
            return _no("invalid_client", 401)
        if given in self.spent:
            self.refresh = token_hex(8)  # Somebody stole it: nobody is let in any more.
            return _no("invalid_grant")
        if given != self.refresh:
            return _no("invalid_grant")
        if not self.rotates:
            return self._given()
        self.spent.add(given)
        self.refresh = token_hex(8)
        return self._given(refresh_token=self.refresh)

    def _signed(self, form: dict[str, str]) -> bool:
        try:
            token = jwt.decode(form["assertion"], self.account, algorithms=["RS256"])
        except (JoseError, ValueError):
            return False
        claims, now = token.claims, time.time()
        who = (claims["iss"], claims["aud"], token.header["kid"])
        fresh = claims["iat"] <= now + 5 and now < claims["exp"] <= claims["iat"] + 3_600
        return who == (self.account_email, GOOGLE, "key-1") and fresh and bool(claims["scope"])

    def _given(self, **more: str) -> Said:
        token = f"token-{len(self.granted)}-{token_hex(8)}"
        self.granted.append(token)
        self._until[token] = time.monotonic() + self.token_seconds
        return Said(
            200,
            {
                "access_token": token,
                "expires_in": self.token_seconds,
                "token_type": "Bearer",
                **more,
            },
        )


def _no(code: str, status: int = 400) -> Said:
    return Said(status, {"error": code, "error_description": "It is all wrong."})


@asynccontextmanager
async def token_server() -> AsyncIterator[TokenServer]:
    """Run a token server."""
    server = TokenServer()
    async with serving(server.handle) as port:
        server.port = port
        yield server
