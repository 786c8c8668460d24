"""A transit engine of OpenBao or Vault: it wraps keys elsewhere, by a key that never leaves it.

What it answers is held to its shape; its token and its answers stand in no message and no log.
"""

import ssl
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

import httpcore
import msgspec
from msgspec import Struct

from adapters.credentials.outside import Client, NoAnswer
from adapters.settings import Settings
from application.errors import Malformed, Unavailable

SECONDS_MAX: Final = 5.0
TRANSIT: Final = "transit:"
"""How the id begins of what a transit engine wrapped. No master key's id holds a colon."""

ABOUT_PROBE: Final = b"asiento:probe"
WRAPPED_BY: Final = "vault:v"
"""How OpenBao and Vault both begin what they encrypted; the version of the key follows."""


class _Data(Struct):
    ciphertext: str = ""
    plaintext: str = ""


class _Answer(Struct):
    data: _Data


_decoder = msgspec.json.Decoder(_Answer)


class Transit:
    """A transit engine, and the key that wraps; without one, it opens what it wrapped before."""

    def __init__(self, client: Client, url: str, mount: str, token: str, key: str) -> None:
        self._client = client
        self._url = f"{url.rstrip('/')}/v1/{quote(mount, safe='/')}"
        self._key = key
        self._token = token

    async def current(self) -> str:
        """Return the id of the version that encrypts now, found out by encrypting a byte."""
        return (await self.wrap(bytes(1), ABOUT_PROBE))[0]

    async def wrap(self, key: bytes, about: bytes) -> tuple[str, bytes]:
        answer = await self._ask(
            "encrypt",
            self._key,
            {
                "plaintext": b64encode(key).decode(),
                "associated_data": b64encode(about).decode(),
            },
        )
        version = answer.ciphertext.removeprefix(WRAPPED_BY).partition(":")[0]
        if not answer.ciphertext.startswith(WRAPPED_BY) or not version.isdecimal():
            raise _odd()
        return f"{TRANSIT}{self._key}:v{version}", answer.ciphertext.encode()

    async def unwrap(self, master: str, wrapped: bytes, about: bytes) -> bytes:
        answer = await self._ask(
            "decrypt",
            master.removeprefix(TRANSIT).rpartition(":")[0],
            {
                "ciphertext": wrapped.decode(errors="replace"),
                "associated_data": b64encode(about).decode(),
            },
        )
        try:
            return b64decode(answer.plaintext, validate=True)
        except NotBase64:
            raise _odd() from None

    async def _ask(self, verb: str, key: str, body: dict[str, str]) -> _Data:
        url = f"{self._url}/{verb}/{quote(key, safe='')}"
        headers = {"x-vault-token": self._token, "content-type": "application/json"}
        try:
            reply = await self._client.post(url, headers, msgspec.json.encode(body))
        except NoAnswer as error:
            raise _away(key, error.why) from None
        if reply.status != HTTPStatus.OK:
            raise _away(key, f"it answers {verb} with HTTP {reply.status}")
        try:
            return _decoder.decode(reply.body).data
        except msgspec.MsgspecError:
            raise _odd() from None


def _away(key: str, why: str) -> Unavailable:
    return Unavailable(
        "credentials.transit_away",
        f"The transit engine does not serve the key {key}: {why}.",
        hint="See that it is unsealed and lets the token encrypt and decrypt with the key.",
    )


def _odd() -> Unavailable:
    return Unavailable(
        "credentials.odd_transit",
        "What answers at TRANSIT_URL is no transit engine.",
        hint="Mend TRANSIT_URL and TRANSIT_MOUNT.",
    )


@asynccontextmanager
async def open_transit(settings: Settings) -> AsyncIterator[Transit]:
    """Open the engine that settings name.

    Raises:
        Malformed: They name one without a token for it.

    """
    if not settings.transit_token:
        raise Malformed(
            "settings.half_a_transit",
            "TRANSIT_URL is set, and TRANSIT_TOKEN is not.",
            hint="Set both, or none.",
        )
    # The operator names it, so that it may be inside; the system's own authorities vouch for it.
    context = ssl.create_default_context()
    async with httpcore.AsyncConnectionPool(ssl_context=context, keepalive_expiry=10.0) as pool:
        yield Transit(
            Client(pool, SECONDS_MAX),
            settings.transit_url or "",
            settings.transit_mount,
            settings.transit_token,
            settings.transit_key or "",
        )
