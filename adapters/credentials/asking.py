"""Asking token servers with patience: again where they are busy or broken, not where they say no.

Nothing of what was sent or answered goes into a message but a status, and an error code that the
standard names.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final, TypeVar
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from adapters.credentials.outside import Client, NoAnswer, Reply
from application.credentials import TokenServerAway
from application.errors import Unavailable
from domain.kernel import Refused

TRIES_MAX: Final = 5
PAUSE_SECONDS: Final = 0.25
"""Before the second try; before each further one twice as long, and up to half of it more."""

AGAIN: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
FORM: Final = {
    "content-type": "application/x-www-form-urlencoded",
    "accept": "application/json",
}
ERRORS: Final = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        "access_denied",
    }
)
"""Error codes of RFC 6749 (5.2). Any other text of an answer may hold anything."""

T = TypeVar("T")


class _Error(Struct):
    error: str = ""


class Asking:
    """Asks one server on behalf of one credential, until a time is up."""

    def __init__(self, client: Client, name: str, seconds_max: float) -> None:
        self._client = client
        self._name = name
        self._deadline = asyncio.get_running_loop().time() + seconds_max

    async def post(
        self, url: str, form: Mapping[str, str], headers: Mapping[str, str], shape: type[T]
    ) -> T:
        """Post a form, and read the answer.

        Raises:
            Refused: The server says no, or is where nothing may be sent to.
            Unavailable: It is away, or busy for longer than we wait.

        """
        body = urlencode(form).encode()
        return self._read(
            await self._patiently(lambda: self._client.post(url, {**FORM, **headers}, body)), shape
        )

    async def get(self, url: str, shape: type[T]) -> T:
        """As ``post``, for what a server says of itself."""
        headers = {"accept": FORM["accept"]}
        return self._read(await self._patiently(lambda: self._client.get(url, headers)), shape)

    async def _patiently(self, ask: Callable[[], Awaitable[Reply]]) -> Reply:
        pause = PAUSE_SECONDS
        for number in range(1, TRIES_MAX + 1):
            try:
                reply = await ask()
            except NoAnswer as error:
                why, asked = error.why, 0.0
            else:
                if reply.status not in AGAIN and reply.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                    return reply
                why, asked = f"it answers with HTTP {reply.status}", retry_after(reply)
            pause_seconds = max(asked, pause * random.uniform(1, 1.5))  # noqa: S311 - jitter.
            left = self._deadline - asyncio.get_running_loop().time()
            if number == TRIES_MAX or pause_seconds > left:
                raise self._away(why, asked)
            await asyncio.sleep(pause_seconds)
            pause *= 2
        raise AssertionError("The last try returns or raises.")

    def _read(self, reply: Reply, shape: type[T]) -> T:
        if reply.status != HTTPStatus.OK:
            raise self._refused(reply)
        try:
            return msgspec.json.decode(reply.body, type=shape)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise Unavailable(
                "credentials.odd_answer",
                f"What the token server of {self._name} answers is no token.",
                hint="See that the address of the credential is that of a token server.",
            ) from None

    def _refused(self, reply: Reply) -> Refused:
        try:
            code = msgspec.json.decode(reply.body, type=_Error).error
        except (msgspec.MsgspecError, UnicodeDecodeError):
            code = ""
        named = f" ({code})" if code in ERRORS else ""
        return Refused(
            "credentials.not_accepted",
            f"The token server of {self._name} answers with HTTP {reply.status}{named}.",
            hint="See that the secret is still good there; rotate the credential where it is not.",
        )

    def _away(self, why: str, asked_seconds: float) -> TokenServerAway:
        when = f" in {asked_seconds:g} seconds" if asked_seconds else " later"
        return TokenServerAway(
            "credentials.token_server_away",
            f"The token server of {self._name} gives no token: {why}.",
            hint=f"Ask again{when}.",
            seconds=asked_seconds,
        )


def retry_after(reply: Reply) -> float:
    """Read how many seconds a server asks to wait (RFC 9110, 10.2.3); 0: it does not say."""
    text = reply.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit() and len(text) <= len("86400"):
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return 0.0
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max((at - datetime.now(UTC)).total_seconds(), 0.0)
