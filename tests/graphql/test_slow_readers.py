"""Readers that take nothing in: little is held for them, and then they are disconnected."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Sequence

import pytest
import uvicorn
from litestar import Litestar
from litestar.datastructures import State
from msgspec.structs import replace

from adapters import following
from adapters.following import pages
from adapters.graphql.http import graphql_handlers
from adapters.graphql.subscriptions import audience
from adapters.rest import serve
from adapters.runtime import Runtime
from application.ports import StoredEvent
from domain.ids import TenantId
from tests.graphql.client import Client
from tests.graphql.standing import EVENTS, narrow, standing_still
from tests.rest.api import free_port

HEAVY = 24
LINE = {"description": "x" * 1_000, "quantity": "1", "unitPrice": "1"}


@pytest.fixture
async def server(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[uvicorn.Server]:
    """Serve on a port that was taken as `asiento api` takes its own."""
    monkeypatch.setattr(serve, "STUCK_SECONDS_MAX", 1)
    listener = serve._listen(replace(runtime.settings, port=free_port()))
    assert listener is not None
    app = Litestar([*graphql_handlers()], state=State({"runtime": runtime}), openapi_config=None)
    config = uvicorn.Config(
        app, ws="websockets-sansio", log_level="warning", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it.
        await asyncio.sleep(0.01)
    yield server
    server.should_exit = True
    await serving
    listener.close()


async def heavy_log(
    client: Client, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> list[StoredEvent]:
    """Fill a log with more than sockets hold; return what is opened of it from now on."""
    for number in range(HEAVY):
        await client.record(f"L-{number}", lines=[LINE] * 400)
    opened: list[StoredEvent] = []
    reveal = runtime.vault.reveal

    async def noted(tenant: TenantId, stored: Sequence[StoredEvent]) -> Sequence[StoredEvent]:
        opened.extend(stored)
        return await reveal(tenant, stored)

    monkeypatch.setattr(runtime.vault, "reveal", noted)
    return opened


def ask(client: Client, port: int) -> socket.socket:
    """Subscribe by server-sent events, and read nothing."""
    raw = narrow(port)
    body = json.dumps({"query": EVENTS})
    named = {
        "Host": "localhost",
        "Content-Type": "application/json",
        "Accept": "text/event-stream",
        "Content-Length": len(body),
        **client.headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    raw.sendall(f"POST /graphql HTTP/1.1\r\n{head}\r\n{body}".encode())
    return raw


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="The system has no such limit.")
async def test_a_reader_of_server_sent_events_that_stands_still_is_disconnected(
    client: Client, runtime: Runtime, server: uvicorn.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = await heavy_log(client, runtime, monkeypatch)
    listening = runtime.hub.listeners
    port = server.servers[0].sockets[0].getsockname()[1]
    raw = await asyncio.to_thread(ask, client, port)
    async with asyncio.timeout(20):
        while not server.server_state.connections:  # noqa: ASYNC110 - as above.
            await asyncio.sleep(0.01)
        while server.server_state.connections or runtime.hub.listeners > listening:  # noqa: ASYNC110 - as above.
            await asyncio.sleep(0.05)
    raw.close()
    assert 0 < len(opened) < HEAVY


async def test_little_is_held_for_a_websocket_that_stands_still(
    client: Client, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audience, "SEND_SECONDS_MAX", 0.3)
    opened = await heavy_log(client, runtime, monkeypatch)
    listening = runtime.hub.listeners
    async with standing_still(client):
        async with asyncio.timeout(20):
            while not opened or runtime.hub.listeners > listening:  # noqa: ASYNC110 - as above.
                await asyncio.sleep(0.05)
    assert 0 < len(opened) < HEAVY


async def test_a_page_weighs_little_however_heavy_its_events_are(
    monkeypatch: pytest.MonkeyPatch, client: Client, runtime: Runtime
) -> None:
    monkeypatch.setattr(following, "PAGE_CHARACTERS", 10_000)
    for number in range(5):
        await client.record(f"P-{number}", lines=[LINE] * 4)
    await client.record("P-5", lines=[LINE] * 30)
    found = [len(page) async for page in pages(runtime.store.read(client.tenant.id))]
    assert found == [3, 3]


async def test_a_reader_that_takes_in_late_is_told_everything_in_order(client: Client) -> None:
    for number in range(HEAVY):
        await client.record(f"L-{number}", lines=[LINE] * 400)
    async with asyncio.timeout(30), standing_still(client) as talk:
        await talk.recv()
        await asyncio.sleep(0.5)
        for number in range(HEAVY, HEAVY + 3):
            await client.record(f"L-{number}", lines=[LINE] * 400)
        told = [json.loads(await talk.recv()) for _ in range(HEAVY + 3)]
    positions = [int(each["payload"]["data"]["events"]["position"]) for each in told]
    assert positions == [*range(1, HEAVY + 4)]
