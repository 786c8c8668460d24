"""Asking servers outside, within bounds: what they answer is read to a limit and shown nowhere.

To the address that was checked and to no other, by the same rules as webhooks.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Final

import httpcore
from msgspec import Struct

from adapters.credentials.reaching import unreachable
from adapters.webhooks.sending import CheckedBackend
from application.webhooks import Reach
from domain.credentials import SECRET_CHARACTERS_MAX
from domain.kernel import Refused

CONNECTIONS_MAX: Final = 20
KEPT_SECONDS: Final = 10.0
ANSWER_BYTES_MAX: Final = 8 * SECRET_CHARACTERS_MAX


class NoAnswer(Exception):
    """Nothing came back that could be read. Why, in words that hold nothing of what was sent."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Reply(Struct, frozen=True, kw_only=True):
    """What a server answered. The body may be secret: it is shown nowhere."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"Reply({self.status})"


class Client:
    """Asks once; who needs an answer asks again."""

    def __init__(self, pool: httpcore.AsyncConnectionPool, seconds_max: float) -> None:
        self._pool = pool
        self._seconds_max = seconds_max

    async def get(self, url: str, headers: Mapping[str, str]) -> Reply:
        """Get what is at *url*; no redirect is followed.

        Raises:
            NoAnswer: Nothing came back that could be read.
            Refused: It is where nothing may be sent to.

        """
        return await self._ask("GET", url, headers, None)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """As ``get``, with a body."""
        return await self._ask("POST", url, headers, body)

    async def _ask(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> Reply:
        try:
            async with (
                asyncio.timeout(self._seconds_max),
                self._pool.stream(method, url, headers=_encoded(headers), content=body) as response,
            ):
                return Reply(
                    status=response.status,
                    headers=_decoded(response.headers),
                    body=await _read(response),
                )
        except Refused as error:
            raise unreachable(error) from None
        except (TimeoutError, httpcore.TimeoutException):
            raise NoAnswer(f"no answer came within {self._seconds_max:g} seconds") from None
        except (
            httpcore.NetworkError,
            httpcore.ProtocolError,
            httpcore.UnsupportedProtocol,
            UnicodeError,
        ) as error:
            raise NoAnswer(f"the connection failed ({type(error).__name__})") from None


@asynccontextmanager
async def open_outside(reach: Reach, seconds_max: float) -> AsyncIterator[Client]:
    """Open a client for addresses that tenants name."""
    async with httpcore.AsyncConnectionPool(
        max_connections=CONNECTIONS_MAX,
        keepalive_expiry=KEPT_SECONDS,
        network_backend=CheckedBackend(reach),
    ) as pool:
        yield Client(pool, seconds_max)


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


def _decoded(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}


async def _read(response: httpcore.Response) -> bytes:
    body = b""
    async for part in response.aiter_stream():
        body += part
        if len(body) > ANSWER_BYTES_MAX:
            raise NoAnswer(f"the answer is longer than {ANSWER_BYTES_MAX} bytes")
    return body
