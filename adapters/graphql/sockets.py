"""GraphQL over WebSocket (graphql-transport-ws): the library's protocol, our credential and limits.

The caller shows its credential in the handshake or in the first message; without one the socket
is closed with 4403.
"""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec
from litestar import WebSocket
from strawberry import UNSET
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.litestar.controller import LitestarWebSocketAdapter
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import (
    BaseGraphQLTransportWSHandler,
)

from adapters.access import authenticate
from adapters.graphql.asking import Asking
from adapters.graphql.schema import schema
from adapters.runtime import Runtime
from application.errors import Unauthenticated

INIT_SECONDS_MAX: Final = 10
SUBSCRIPTIONS_MAX: Final = 100
SEND_SECONDS_MAX: Final = 15.0
"""A reader this slow is cut off; it comes back with its cursor and misses nothing."""

CLOSE_SECONDS_MAX: Final = 1.0

BAD_REQUEST: Final = 4400
TRY_AGAIN_LATER: Final = 1013

AnySocket = WebSocket[Any, Any, Any]  # Any: whatever the application keeps in it.


async def converse(socket: AnySocket, runtime: Runtime) -> None:
    """Serve one WebSocket until it closes."""
    if GRAPHQL_TRANSPORT_WS_PROTOCOL not in socket.scope["subprotocols"]:
        await socket.accept()
        await socket.close(code=BAD_REQUEST, reason=f"Speak {GRAPHQL_TRANSPORT_WS_PROTOCOL}.")
        return
    await socket.accept(subprotocols=GRAPHQL_TRANSPORT_WS_PROTOCOL)
    view: Any = _View(socket.headers.get("authorization"))  # Any: it has what is asked of a view.
    wire = _Wire(view, socket, socket)
    handler = BaseGraphQLTransportWSHandler[Asking, None](
        view=view,
        websocket=wire,
        context=Asking(runtime=runtime),
        root_value=None,
        schema=schema(),
        connection_init_wait_timeout=timedelta(seconds=INIT_SECONDS_MAX),
        max_subscriptions_per_connection=SUBSCRIPTIONS_MAX,
    )
    serving = asyncio.create_task(handler.handle())
    stuck = asyncio.create_task(wire.stuck.wait())
    try:
        await asyncio.wait({serving, stuck}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stuck.cancel()
        if not serving.done():
            serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving
    if wire.stuck.is_set():
        await _cut_off(socket)


async def _cut_off(socket: AnySocket) -> None:
    """Say why, if the reader still takes that in; the server then drops the connection."""
    with suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_SECONDS_MAX):
            await socket.close(code=TRY_AGAIN_LATER, reason="Too slow. Come back with your cursor.")


_decoder = msgspec.json.Decoder(float_hook=Decimal)


class _View:
    """What the library's handler asks of its surroundings."""

    def __init__(self, authorization: str | None) -> None:
        self._authorization = authorization

    async def on_ws_connect(self, asking: Asking) -> object:
        params = {name.lower(): value for name, value in (asking.connection_params or {}).items()}
        shown = params.get("authorization", self._authorization)
        try:
            asking.caller = await authenticate(
                asking.runtime, shown if isinstance(shown, str) else None
            )
        except Unauthenticated:
            raise ConnectionRejectionError from None
        return UNSET

    @staticmethod
    def decode_json(text: str | bytes) -> object:
        try:
            return _decoder.decode(text)
        except msgspec.DecodeError as error:
            raise json.JSONDecodeError(str(error), str(text), 0) from error

    @staticmethod
    def encode_json(message: object) -> str:
        return msgspec.json.encode(message).decode()


class _Wire(LitestarWebSocketAdapter):
    """Sends within bounds, so that a reader that stands still holds nothing up for ever."""

    def __init__(self, view: Any, request: AnySocket, response: AnySocket) -> None:  # noqa: ANN401 - as above.
        super().__init__(view, request, response)
        self.stuck = asyncio.Event()

    async def send_json(self, message: Mapping[str, object]) -> None:
        try:
            async with asyncio.timeout(SEND_SECONDS_MAX):
                await super().send_json(message)
        except TimeoutError:
            self.stuck.set()
            raise WebSocketDisconnected from None
