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
from litestar.exceptions import WebSocketDisconnect
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
    handler = BaseGraphQLTransportWSHandler[Asking, None](
        view=view,
        websocket=_Wire(view, socket, socket),
        context=Asking(runtime=runtime),
        root_value=None,
        schema=schema(),
        connection_init_wait_timeout=timedelta(seconds=INIT_SECONDS_MAX),
        max_subscriptions_per_connection=SUBSCRIPTIONS_MAX,
    )
    await handler.handle()


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
    """Sends within bounds, so that one reader that stands still holds nothing up for ever."""

    async def send_json(self, message: Mapping[str, object]) -> None:
        try:
            async with asyncio.timeout(SEND_SECONDS_MAX):
                await super().send_json(message)
        except TimeoutError:
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS_MAX):
                    await self.ws.close(
                        code=TRY_AGAIN_LATER, reason="Too slow. Come back with the last cursor."
                    )
            raise WebSocketDisconnected from None
        except WebSocketDisconnect as error:
            raise WebSocketDisconnected from error
