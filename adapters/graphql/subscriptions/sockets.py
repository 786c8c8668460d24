"""GraphQL over WebSocket by the protocol graphql-transport-ws, many operations at a time.

The caller shows its credential in the handshake or in the first message. Whoever breaks the
protocol, or may listen no longer, is closed with a code that says why; and nothing is completed
that has not ended.
"""

import asyncio
from contextlib import suppress
from time import monotonic
from typing import Any, Final

import msgspec
from litestar import WebSocket
from litestar.exceptions import WebSocketDisconnect
from msgspec import Struct

from adapters.access.door import Admission, admit
from adapters.access.shown import Shown, read_shown
from adapters.graphql.asked import Asked, decoder
from adapters.graphql.asking import Asking
from adapters.graphql.subscriptions.audience import Audience, audience_of
from adapters.graphql.subscriptions.operations import Operations
from adapters.graphql.subscriptions.outbox import Outbox
from adapters.runtime import Runtime
from application.errors import Forbidden, TooMany, Unauthenticated, Unavailable

PROTOCOL: Final = "graphql-transport-ws"
AT_ONCE: Final = "asiento.text"
"""What a server calls the function by which texts go out with no task for each."""

ID_CHARACTERS_MAX: Final = 200
CLOSE_SECONDS_MAX: Final = 1.0
REASON_CHARACTERS_MAX: Final = 100
"""Of a close frame, which holds 123 bytes (RFC 6455, section 5.5)."""

RESTARTING: Final = 1012
TRY_AGAIN_LATER: Final = 1013
BAD_REQUEST: Final = 4400
UNAUTHORIZED: Final = 4401
FORBIDDEN: Final = 4403
INIT_TIMEOUT: Final = 4408
ID_TAKEN: Final = 4409
TOO_MANY: Final = 4429

COME_BACK: Final = "Come back with your cursor."
ACK: Final = '{"type":"connection_ack"}'
PONG: Final = '{"type":"pong"}'

AnySocket = WebSocket[Any, Any, Any]  # Any: whatever the application keeps in it.


class Said(Struct, frozen=True):
    """A message of a client, as the protocol has them."""

    type: str
    id: str = ""
    payload: msgspec.Raw = msgspec.Raw(b"null")


_said = msgspec.json.Decoder(Said)
_asked = decoder(Asked)
_shown: msgspec.json.Decoder[dict[str, Any] | None] = msgspec.json.Decoder(dict[str, Any] | None)


async def converse(socket: AnySocket, runtime: Runtime) -> None:
    """Serve one WebSocket until it closes."""
    if PROTOCOL not in socket.scope["subprotocols"]:
        await socket.accept()
        await socket.close(code=BAD_REQUEST, reason=f"Speak {PROTOCOL}.")
        return
    await socket.accept(subprotocols=PROTOCOL)
    audience = audience_of(runtime)
    conversation = Conversation(socket, runtime, audience)
    try:
        audience.enter(conversation)
    except TooMany as error:
        await socket.close(code=TRY_AGAIN_LATER, reason=error.message[:REASON_CHARACTERS_MAX])
        return
    try:
        await conversation.hold()
    finally:
        audience.leave(conversation)


class Conversation:
    """One client over one WebSocket: what it says is heard in turn, what it is told is sent."""

    def __init__(self, socket: AnySocket, runtime: Runtime, audience: Audience) -> None:
        self.outbox = Outbox()
        self.since = monotonic()
        self.admission: Admission | None = None
        self._socket = socket
        self._runtime = runtime
        self._audience = audience
        self._operations = Operations(self.outbox, audience.topics)
        self._asked_to_init = False
        self._closing: tuple[int, str] | None = None
        self._stuck = False
        self._hearing: asyncio.Task[Any] | None = None  # Any: the server's own.

    async def hold(self) -> None:
        """Hear and tell until either side closes."""
        self._hearing = asyncio.current_task()
        telling = asyncio.create_task(self._tell())
        try:
            await self._hear_all()
        except asyncio.CancelledError:
            if not self._stuck or self._hearing is None:
                raise
            self._hearing.uncancel()
        finally:
            self._operations.stop_all()
            telling.cancel()
            with suppress(asyncio.CancelledError):
                await telling
        if self._stuck and self._closing is not None:
            await self._closed(*self._closing)

    def be_late(self) -> None:
        self.close(INIT_TIMEOUT, "Connection initialisation timeout")

    def be_stuck(self) -> None:
        """Give up on a reader that takes nothing in, not even that it is closed."""
        if not self._stuck and self._hearing is not None:
            self._closing = self._closing or (TRY_AGAIN_LATER, f"Too slow. {COME_BACK}")
            self._stuck = True
            self._hearing.cancel()

    def be_shut_out(self) -> None:
        """Send not even what waits; a reader that does not take that in is asked no second time."""
        if self._closing is not None:
            return self.be_stuck()
        self.outbox.drop()
        return self.close(FORBIDDEN, "Forbidden")

    def be_sent_away(self) -> None:
        self.close(RESTARTING, f"Service restart. {COME_BACK}")

    def close(self, code: int, reason: str) -> None:
        """Say nothing more but why; what waits to be sent is still sent."""
        if self._closing is None:
            self._closing = (code, reason[:REASON_CHARACTERS_MAX])
            self._operations.stop_all()
            self.outbox.end()

    async def _tell(self) -> None:
        offered: dict[str, Any] = self._socket.scope.get("extensions") or {}  # Any: a server's own.
        at_once = offered.get(AT_ONCE)

        with suppress(WebSocketDisconnect, OSError, RuntimeError):
            await self.outbox.pass_on(self._socket.send_text, at_once)
            if self._closing is not None and not await self._closed(*self._closing):
                self.be_stuck()

    async def _closed(self, code: int, reason: str) -> bool:
        """Say why it is closed; return whether the reader takes that in."""
        with suppress(TimeoutError, WebSocketDisconnect, OSError, RuntimeError):
            async with asyncio.timeout(CLOSE_SECONDS_MAX):
                await self._socket.close(code=code, reason=reason)
                return True
        return False

    async def _hear_all(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if self._closing is None:
                said: Any = message.get("text") or message.get("bytes") or ""  # Any: text or bytes.
                await self._hear(said)
                await self.outbox.room()

    async def _hear(self, text: str | bytes) -> None:
        try:
            said = _said.decode(text)
        except (msgspec.MsgspecError, UnicodeError):
            return self.close(BAD_REQUEST, "This is no message of the protocol.")
        match said.type:
            case "connection_init":
                await self._init(said.payload)
            case "ping":
                self.outbox.put(PONG)
            case "pong":
                pass
            case "subscribe":
                await self._subscribe(said)
            case "complete":
                self._operations.stop(said.id)
            case _:
                self.close(BAD_REQUEST, "There is no such type of message.")
        return None

    async def _init(self, payload: msgspec.Raw) -> None:
        if self._asked_to_init:
            return self.close(TOO_MANY, "Too many initialisation requests")
        self._asked_to_init = True
        try:
            given = {name.lower(): value for name, value in (_shown.decode(payload) or {}).items()}
            admission = await admit(self._runtime, self._shown(given.get("authorization")))
            self._audience.admit(self, admission)
        except msgspec.MsgspecError:
            return self.close(BAD_REQUEST, "The payload is to be an object.")
        except (Unauthenticated, Forbidden):
            return self.close(FORBIDDEN, "Forbidden")
        except TooMany as error:
            return self.close(TOO_MANY, error.message)
        except Unavailable as error:
            return self.close(TRY_AGAIN_LATER, error.message)
        return self.outbox.put(ACK)

    def _shown(self, authorization: object) -> Shown:
        """Read what was shown: in the first message, or else when the socket was opened."""
        scope = self._socket.scope
        shown = read_shown(scope["headers"], None, scope["client"])
        if isinstance(authorization, str):
            return Shown(authorization=authorization, address=shown.address)
        return shown

    async def _subscribe(self, said: Said) -> None:
        if self.admission is None:
            return self.close(UNAUTHORIZED, "Unauthorized")
        try:
            asked = _asked.decode(said.payload)
        except msgspec.MsgspecError:
            return self.close(BAD_REQUEST, "The payload is to have a query.")
        if not 0 < len(said.id) <= ID_CHARACTERS_MAX:
            return self.close(BAD_REQUEST, f"An id has 1 to {ID_CHARACTERS_MAX} characters.")
        if said.id in self._operations:
            return self.close(ID_TAKEN, f"Subscriber for {said.id} already exists")
        asking = Asking(runtime=self._runtime, caller=self.admission.context)
        return await self._operations.start(said.id, asked, asking)
