"""The edge: each request gets an id, one line in the log, and its place in the counts."""

import re
import time
from collections import Counter
from typing import Final

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from adapters.rest.segments import hold_slashes
from application.kernel import new_id
from application.ports import Clock

SANE_ID: Final = re.compile(rb"[A-Za-z0-9._:-]{1,64}")
OLD_PREFIX: Final = "/v1/"
NEW_PREFIX: Final = "/api/v1/"
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

    def __init__(self, app: ASGIApp, counts: Counts, clock: Clock) -> None:
        self._app = app
        self._counts = counts
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = _given_id(scope) or new_id(self._clock.now())
        hold_slashes(scope)
        if scope["path"].startswith(OLD_PREFIX):
            scope["path"] = NEW_PREFIX + scope["path"].removeprefix(OLD_PREFIX)
        with bound_contextvars(request_id=request_id):
            if scope["type"] == ScopeType.HTTP:
                await self._http(scope, receive, send, request_id)
            else:
                await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        status, began = 500, time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode()),
                ]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - began
            # The route, not the path: ids in a path may be personal, and are without number.
            route = scope.get("path_template") or UNMATCHED
            method = str(scope.get("method", ""))
            self._counts.add(method, route, status, seconds)
            log.info(
                "request.answered",
                method=method,
                route=route,
                status=status,
                duration_ms=round(seconds * 1000, 1),
            )


def _given_id(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and SANE_ID.fullmatch(value):
            return str(value, "ascii")
    return None
