"""Posting to strangers: to the address that was checked, within bounds, and to nowhere else.

A host is looked up once, for the connection that is then made; a name can't lead to one address
while it is checked and to another while it is used. No redirect is followed.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Final

import httpcore
from httpcore import SOCKET_OPTION, AsyncNetworkBackend, AsyncNetworkStream
from msgspec import Struct

from application.webhooks import Address, Reach
from domain.kernel import Refused

CONNECTIONS_MAX: Final = 100
KEPT_CONNECTIONS_MAX: Final = 50
KEPT_SECONDS: Final = 10.0
ADDRESSES_TRIED_MAX: Final = 4
EXCERPT_CHARACTERS: Final = 500
ANSWER_BYTES_MAX: Final = 64 * 2**10
"""What is read of an answer, so that its connection can be used again; a longer one is cut off."""

SUCCESS: Final = range(200, 300)
GONE: Final = 410


class Answer(Struct, frozen=True, kw_only=True):
    """What a receiver said, or why it said nothing.

    Attributes:
        status: None where no answer came.
        error: None where the receiver took the message.
        excerpt: How the answer began, on one line.

    """

    status: int | None = None
    error: str | None = None
    excerpt: str = ""
    retry_after_seconds: float = 0.0

    @property
    def gone(self) -> bool:
        return self.status == GONE


class Sender:
    """Posts messages. Answers come back as they are; none of them is an exception."""

    def __init__(
        self, pool: httpcore.AsyncConnectionPool, reach: Reach, seconds_max: float
    ) -> None:
        self._pool = pool
        self._reach = reach
        self._seconds_max = seconds_max

    async def post(self, url: str, headers: list[tuple[bytes, bytes]], body: bytes) -> Answer:
        """Post once, and say what came of it. The status counts, whatever comes after it."""
        answer = Answer(error=f"No answer within {self._seconds_max:g} seconds.")
        try:
            self._reach.check(url)
            async with (
                asyncio.timeout(self._seconds_max),
                self._pool.stream("POST", url, headers=headers, content=body) as response,
            ):
                answer = _answer(response)
                answer = _answer(response, await _beginning(response))
        except Refused as error:
            return Answer(error=error.message)
        except (TimeoutError, httpcore.TimeoutException):
            return answer
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            told = f"The connection failed ({type(error).__name__}): {error}".rstrip(": ")
            return answer if answer.status else Answer(error=_line(told))
        return answer


@asynccontextmanager
async def open_sender(reach: Reach, seconds_max: float) -> AsyncIterator[Sender]:
    """Open a sender; its connections are closed at the end."""
    async with httpcore.AsyncConnectionPool(
        max_connections=CONNECTIONS_MAX,
        max_keepalive_connections=KEPT_CONNECTIONS_MAX,
        keepalive_expiry=KEPT_SECONDS,
        network_backend=CheckedBackend(reach),
    ) as pool:
        yield Sender(pool, reach, seconds_max)


class CheckedBackend(AsyncNetworkBackend):
    """Connects to where a host leads, unless that is inside our own network."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's own.
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> AsyncNetworkStream:
        """Connect.

        Raises:
            Refused: The host, or one of its addresses, leads inside.

        """
        addresses = await _look_up(host, port)
        for address in addresses:
            self._reach.check_address(address)
        failure = httpcore.ConnectError("The host has no address.")
        for address in addresses[:ADDRESSES_TRIED_MAX]:
            try:
                return await self._backend.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except httpcore.ConnectError as error:
                failure = error
        raise failure


async def _look_up(host: str, port: int) -> list[Address]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise httpcore.ConnectError("The host can't be found.") from None
    return [ip_address(place[0]) for *_, place in found]


def _answer(response: httpcore.Response, body: bytes = b"") -> Answer:
    taken = response.status in SUCCESS
    headers = {name.lower(): value for name, value in response.headers}
    return Answer(
        status=response.status,
        error=None if taken else f"It answered with HTTP {response.status}.",
        excerpt=_line(body.decode(errors="replace")),
        retry_after_seconds=_seconds(headers.get(b"retry-after", b"")),
    )


async def _beginning(response: httpcore.Response) -> bytes:
    beginning = b""
    async for part in response.aiter_stream():
        beginning += part
        if len(beginning) > ANSWER_BYTES_MAX:
            break
    return beginning


def _seconds(text: bytes) -> float:
    """Read a Retry-After (RFC 9110, 10.2.3) that counts seconds; dates are let be."""
    return float(text) if text.isdigit() and len(text) <= len("86400") else 0.0


def _line(text: str) -> str:
    """Write any text on one line, without what would break a table or a terminal."""
    plain = "".join(sign if sign.isprintable() else " " for sign in text[: 2 * EXCERPT_CHARACTERS])
    return " ".join(plain.split())[:EXCERPT_CHARACTERS]
