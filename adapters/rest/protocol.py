"""Connections that keep us waiting: who does not send the rest of a request in time is let go.

It is timed where the bytes arrive, so that a request that comes at once costs nothing for it, and
one whose head never ends is bounded, which no application hears of.
"""

from asyncio import TimerHandle, Transport
from http import HTTPStatus
from typing import Any, ClassVar

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from adapters.rest.problems import MEDIA_TYPE, Problem


class Bounded(HttpToolsProtocol):
    """Counts the bytes of a head that is not complete, and how long nothing more comes."""

    bytes_max: ClassVar[int]
    seconds_max: ClassVar[float]

    def __init__(self, *given: Any, **named: Any) -> None:  # noqa: ANN401 - the server's own.
        super().__init__(*given, **named)
        self._waiting: TimerHandle | None = None
        self._begun = False  # A request, of which there is more to come.
        self._in_head = False
        self._bytes = 0

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override] # As the server's.
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begun = self._in_head = True
        self._bytes = 0

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._begun = False
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        self._begun = False  # From here on it is a protocol of another kind, with pings of its own.
        super().handle_websocket_upgrade()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._waiting is not None:
            self._stop_waiting()
        # Mostly a request comes at once, and there is nothing to count or to wait for.
        if not self._begun or self.transport.is_closing():
            return
        self._bytes += len(data)
        if self._in_head and self._bytes > self.bytes_max:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "Send shorter headers.")
        else:
            self._wait()

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(self.seconds_max, self._give_up)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        self._waiting = None
        if self.transport.is_closing():
            return
        if self.flow.read_paused:  # It is we who take nothing in.
            self._wait()
        elif self._in_head or (self._begun and not self.cycle.response_started):
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "Send the request once it is complete.")
        else:
            self.transport.close()

    def _refuse(self, status: HTTPStatus, hint: str) -> None:
        problem = Problem(
            title=status.phrase,
            status=status,
            detail=f"The head of a request may have {self.bytes_max:,} bytes, and its next part may"
            f" take {self.seconds_max:g} s.",
            code=f"http.{status.name.lower()}",
            hint=hint,
        )
        body = msgspec.json.encode(problem)
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {MEDIA_TYPE}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        self._begun = self._in_head = False
        self.transport.write(head.encode() + body)
        self.transport.close()


def bounded_protocol(bytes_max: int, seconds_max: float) -> type[Bounded]:
    """Make the protocol of connections whose heads are bounded so."""
    return type("Bounded", (Bounded,), {"bytes_max": bytes_max, "seconds_max": seconds_max})
