"""A reader that subscribes by WebSocket with little room for what comes, and takes nothing in."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.graphql.client import Client

PROTOCOL: Final = "graphql-transport-ws"
EVENTS: Final = "subscription { events { position data } }"


def narrow(port: int) -> socket.socket:
    """Connect with little room for what comes."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    raw.connect(("127.0.0.1", port))
    return raw


@asynccontextmanager
async def standing_still(client: Client) -> AsyncIterator[ClientConnection]:
    """Ask for all events, and read none of them unless the block does."""
    async with connect(
        client.url.replace("http", "ws", 1),
        sock=await asyncio.to_thread(narrow, urlsplit(client.url).port or 0),
        additional_headers=client.headers,
        subprotocols=[Subprotocol(PROTOCOL)],
        compression=None,
        max_queue=1,
        ping_interval=None,
        close_timeout=1,
    ) as talk:
        await talk.send(json.dumps({"type": "connection_init"}))
        asked = {"type": "subscribe", "id": "1", "payload": {"query": EVENTS}}
        await talk.send(json.dumps(asked))
        yield talk
