"""WebSockets that do not behave: they are closed, and the code says why."""

import asyncio
from contextlib import suppress

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from adapters.graphql import sockets
from tests.graphql.client import Client
from tests.graphql.standing import PROTOCOL, standing_still


async def read_to_the_end(talk: ClientConnection) -> int:
    """Return how many messages came until the server closed."""
    heard = 0
    async with asyncio.timeout(10):
        with suppress(ConnectionClosed):
            while True:
                await talk.recv()
                heard += 1
    return heard


@pytest.mark.parametrize(
    ("protocol", "message", "code"),
    [
        ("graphql-ws", None, 4400),
        (PROTOCOL, "{", 4400),
        (PROTOCOL, '{"type": "odd"}', 4400),
        (PROTOCOL, '{"type": "connection_init", "payload": {"authorization": 1}}', 4403),
        (PROTOCOL, '{"type": "subscribe", "id": "1", "payload": {"query": "x"}}', 4401),
    ],
)
async def test_a_socket_that_speaks_otherwise_is_closed(
    url: str, protocol: str, message: str | None, code: int
) -> None:
    address = url.replace("http", "ws", 1)
    async with connect(address, subprotocols=[Subprotocol(protocol)]) as talk:
        if message:
            await talk.send(message)
        await read_to_the_end(talk)
        assert talk.close_code == code


async def test_a_reader_that_stands_still_is_cut_off(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "SEND_SECONDS_MAX", 0.3)
    line = {"description": "x" * 1_000, "quantity": "1", "unitPrice": "1"}
    for number in range(24):
        await client.record(f"L-{number}", lines=[line] * 400)
    async with standing_still(client) as talk:
        await asyncio.sleep(3)
        assert await read_to_the_end(talk) < 24
