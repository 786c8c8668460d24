"""The edge: each request gets an id, one line in the log, and its place in the counts.

A request whose head is too large is refused here, before anything else looks at it.
"""

import re
import time
from collections import Counter
from collections.abc import Iterable
from http import HTTPStatus
from itertools import chain
from typing import Final

import structlog
from litestar import Request
from litestar.enums import ScopeType
from litestar.types import (
    ASGIApp,
    HTTPReceiveMessage,
    Message,
    Receive,
    Scope,
    Send,
)
from structlog.contextvars import bound_contextvars

from adapters.rest.headers import Header, safety_headers, with_defaults
from adapters.rest.problems import answer
from adapters.rest.segments import hold_slashes
from adapters.security.places import calling
from adapters.settings import Settings
from application.kernel import new_id
from application.ports import Clock

SANE_ID: Final = re.compile(rb"[A-Za-z0-9._:-]{1,64}")
OLD_PREFIX: Final = "/v1/"
NEW_PREFIX: Final = "/api/v1/"
NAMING_METHODS: Final = (HTTPStatus.NO_CONTENT, HTTPStatus.METHOD_NOT_ALLOWED)
UNMATCHED: Final = "unmatched"
log = structlog.get_logger()


class Counts:
    """Requests and the seconds they took, by method, route and status."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str, int]] = Counter()
        self.seconds: Counter[tuple[str, str]] = Counter()

    def add(self, method: str, route: str, status: int, seconds: float) -> None:
        self.requests[method, route, status] += 1
        # A Counter adds numbers of any kind; its types know of whole ones only.
        self.seconds[method, route] += seconds  # type: ignore[assignment]


class Edge:
    """Wraps the application. What passes here passes before routing."""

    def __init__(
        self, app: ASGIApp, counts: Counts, clock: Clock, settings: Settings | None = None
    ) -> None:
        settings = settings or Settings()
        self._app = app
        self._counts = counts
        self._clock = clock
        self._headers = safety_headers(settings)
        self._head_bytes_max = settings.request_head_bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = _given_id(scope) or new_id(self._clock.now())
        hold_slashes(scope)
        if scope["path"].startswith(OLD_PREFIX):
            scope["path"] = NEW_PREFIX + scope["path"].removeprefix(OLD_PREFIX)
        with bound_contextvars(request_id=request_id), calling(scope):
            if scope["type"] == ScopeType.HTTP:
                await self._http(scope, receive, send, request_id)
            else:
                await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        status, began = 500, time.perf_counter()
        method = str(scope.get("method", ""))
        scope = _as_get(scope)
        own = [*self._headers, (b"x-request-id", request_id.encode())]

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"]
                if status in NAMING_METHODS:
                    headers = _with_head(headers)
                message["headers"] = with_defaults(headers, own)
            await send(message)

        try:
            if _head_bytes(scope) > self._head_bytes_max:
                await self._too_large(scope, send_with_id)
            else:
                await self._app(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - began
            # The route, not the path: ids in a path may be personal, and are without number.
            route = scope.get("path_template") or UNMATCHED
            self._counts.add(method, route, status, seconds)
            log.info(
                "request.answered",
                method=method,
                route=route,
                status=status,
                duration_ms=round(seconds * 1000, 1),
            )

    async def _too_large(self, scope: Scope, send: Send) -> None:
        problem = answer(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            "http.request_header_fields_too_large",
            f"The address and the headers have more than {self._head_bytes_max:,} bytes.",
            "Send shorter headers, and a long filter as several requests.",
            headers={"Connection": "close"},
        )
        await problem.to_asgi_response(app=None, request=Request(scope))(scope, _nothing, send)


def _given_id(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and SANE_ID.fullmatch(value):
            return str(value, "ascii")
    return None


def _as_get(scope: Scope) -> Scope:
    """Let whoever answers GET answer HEAD; the server sends no body then (RFC 9110, 9.3.2)."""
    if scope["type"] != ScopeType.HTTP or scope["method"] != "HEAD":
        return scope
    as_get = scope.copy()  # The server keeps its own, to know that it was HEAD.
    as_get["method"] = "GET"
    as_get["state"] = {**scope.get("state", {}), "head": True}
    return as_get


def _with_head(headers: Iterable[Header]) -> list[Header]:
    return [
        (name, value + b", HEAD") if name.lower() == b"allow" and b"GET" in value else (name, value)
        for name, value in headers
    ]


def _head_bytes(scope: Scope) -> int:
    sent = sum(map(len, chain.from_iterable(scope["headers"])))
    return sent + len(scope.get("raw_path") or b"") + len(scope["query_string"])


async def _nothing() -> HTTPReceiveMessage:
    return {"type": "http.disconnect"}
