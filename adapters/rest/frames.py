"""WebSockets that are told much: a text goes out as one frame, with nothing in between.

The server's own way to a frame leads through a coroutine, a state machine and three lists, which
cost more than what is sent. An application that finds `AT_ONCE` in its scope may send texts by it
instead; all else goes the usual way.
"""

from typing import Any, Final

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from adapters.graphql.subscriptions.sockets import AT_ONCE

SHORT: Final = b"\x81%c"
"""The head of a frame that is a whole text, and short (RFC 6455, section 5.2)."""

SMALL_MAX: Final = 125
MEDIUM_MAX: Final = 65_535


class Frames(WebSocketsSansIOProtocol):
    """Sends texts at once where the application asks for it."""

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.handshake_complete:  # Otherwise it was refused, and nobody is asked.
            # Any: the server's own are objects, and ours is a function.
            offered: Any = {**(self.scope["extensions"] or {}), AT_ONCE: self._say}
            self.scope["extensions"] = offered

    def _say(self, text: str) -> bool:
        """Send a text; False: the client must take in first what it was sent.

        Raises:
            ClientDisconnected: It is gone.

        """
        transport = self.transport
        if self.disconnected or self.close_sent or transport.is_closing():
            raise ClientDisconnected
        if not self.writable.is_set():
            return False
        transport.write(framed(text.encode()))
        return True


def framed(payload: bytes) -> bytes:
    """Put a text into a frame, as a server does: not masked, not compressed."""
    length = len(payload)
    if length <= SMALL_MAX:
        return SHORT % length + payload
    if length <= MEDIUM_MAX:
        return b"\x81\x7e" + length.to_bytes(2) + payload
    return b"\x81\x7f" + length.to_bytes(8) + payload
