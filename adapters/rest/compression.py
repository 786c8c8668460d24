"""Answers are compressed (gzip, RFC 1952) for whoever takes that, where it is worth the while.

The framework's own compresses event streams too, which then wait in its buffer, keeps the tag of
the plain answer, which is another (RFC 9110, 8.8.3), and does not read qualities.
"""

import asyncio
import re
import zlib
from collections.abc import Iterable
from typing import Final

from litestar.enums import ScopeType
from litestar.types import (
    ASGIApp,
    HTTPResponseBodyEvent,
    HTTPResponseStartEvent,
    Message,
    Receive,
    Scope,
    Send,
)

from adapters.coding import takes_gzip
from adapters.rest.headers import Header
from adapters.rest.tags import CODED

LEVEL: Final = 1
"""The quickest: JSON of many rows is a tenth by it, and little less by the slowest."""

WINDOW_OF_GZIP: Final = 31
ASIDE_BYTES: Final = 65_536
"""From so many bytes on others would wait for it, so it goes to a thread."""

TEXT: Final = re.compile(rb"(?:text/|image/svg|application/(?:[\w.+-]*json|javascript|graphql))")
EVENTS: Final = b"text/event-stream"
CODING: Final = b"content-encoding"


class Compression:
    """Wraps the application. Answers of fewer bytes than *bytes_min* go out as they are."""

    def __init__(self, app: ASGIApp, bytes_min: int) -> None:
        self._app = app
        self._bytes_min = bytes_min

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP and takes_gzip(_accepted(scope)):
            send = _Answer(send, self._bytes_min).send
        await self._app(scope, receive, send)


def _accepted(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"accept-encoding":
            return value.decode("latin-1")
    return ""


class _Answer:
    """One answer on its way out. Its start waits for the size of what follows."""

    def __init__(self, send: Send, bytes_min: int) -> None:
        self._send = send
        self._bytes_min = bytes_min
        self._start: HTTPResponseStartEvent | None = None
        self._packer: zlib._Compress | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_text(message["headers"]):
            self._start = message
        elif message["type"] == "http.response.body" and self._start is not None:
            await self._begin(self._start, message)
        elif message["type"] == "http.response.body" and self._packer is not None:
            await self._send(await self._packed(self._packer, message))
        else:
            await self._send(message)

    async def _begin(self, start: HTTPResponseStartEvent, message: HTTPResponseBodyEvent) -> None:
        """Send the start and the first part, now that it is known whether there are more."""
        self._start = None
        whole = not message.get("more_body")
        if whole and len(message["body"]) < self._bytes_min:
            start["headers"] = [*start["headers"], (b"vary", b"Accept-Encoding")]
            await self._send(start)
            await self._send(message)
            return
        self._packer = zlib.compressobj(LEVEL, zlib.DEFLATED, WINDOW_OF_GZIP)
        message = await self._packed(self._packer, message)
        start["headers"] = _coded(start["headers"], len(message["body"]) if whole else None)
        await self._send(start)
        await self._send(message)

    async def _packed(
        self, packer: "zlib._Compress", message: HTTPResponseBodyEvent
    ) -> HTTPResponseBodyEvent:
        body, more = message["body"], bool(message.get("more_body"))
        pack = asyncio.to_thread if len(body) >= ASIDE_BYTES else None
        packed = await pack(_pack, packer, body, more) if pack else _pack(packer, body, more)
        return {"type": "http.response.body", "body": packed, "more_body": more}


def _pack(packer: "zlib._Compress", body: bytes, more: bool) -> bytes:  # noqa: FBT001 - goes to a thread.
    # Each part can be read when it comes, and not only with the next.
    return packer.compress(body) + packer.flush(zlib.Z_SYNC_FLUSH if more else zlib.Z_FINISH)


def _is_text(headers: Iterable[Header]) -> bool:
    given = {name.lower(): value for name, value in headers}
    kind = given.get(b"content-type", b"")
    return CODING not in given and TEXT.match(kind) is not None and not kind.startswith(EVENTS)


def _coded(headers: Iterable[Header], length: int | None) -> list[Header]:
    """Say of what is compressed what holds for it."""
    headers = list(headers)
    others = [each for each in headers if each[0].lower() not in {b"content-length", b"etag"}]
    tags = [
        (name, value[:-1] + CODED.encode() + b'"' if value.endswith(b'"') else value)
        for name, value in headers
        if name.lower() == b"etag"
    ]
    coded = [*others, *tags, (CODING, b"gzip"), (b"vary", b"Accept-Encoding")]
    return coded if length is None else [*coded, (b"content-length", str(length).encode())]
