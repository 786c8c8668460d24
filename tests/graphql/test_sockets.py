"""WebSockets that do not behave: they are closed, and the code says why."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import pytest
from msgspec.structs import replace
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from adapters.access.door import door_of
from adapters.access.refreshing import end_sessions
from adapters.access.sessions import Client as Place
from adapters.graphql.subscriptions import audience, operations
from adapters.graphql.subscriptions.audience import audience_of
from adapters.runtime import Runtime
from application.kernel import build
from domain.access import OWNER, AdmitMember, RemoveMember, RevokeApiKey, UserId
from domain.kernel import Command
from tests.graphql.client import Client
from tests.graphql.standing import EVENTS, PROTOCOL, standing_still
from tests.rest.api import OPERATOR


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


@asynccontextmanager
async def talking(client: Client, *, shown: bool = True) -> AsyncIterator[ClientConnection]:
    """Open a socket and, unless it shall not be shown, show the credential."""
    address = client.url.replace("http", "ws", 1)
    async with connect(address, subprotocols=[Subprotocol(PROTOCOL)], compression=None) as talk:
        if shown:
            await say(talk, type="connection_init", payload=client.headers)
            assert await hear(talk) == {"type": "connection_ack"}
        yield talk


async def say(talk: ClientConnection, **message: object) -> None:
    await talk.send(json.dumps(message))


async def subscribe(talk: ClientConnection, name: str, query: str, **variables: object) -> None:
    await say(talk, type="subscribe", id=name, payload={"query": query, "variables": variables})


async def hear(talk: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(10):
        heard: dict[str, Any] = json.loads(await talk.recv())
    return heard


async def execute_for_the_system(runtime: Runtime, command: type[Command], **given: object) -> None:
    await runtime.bus.execute(build(command, given, runtime.clock), OPERATOR)


async def admit_owner(runtime: Runtime, client: Client, user: str = "x") -> None:
    email = f"{user}@example.com"
    await execute(runtime, client, AdmitMember, user=user, email=email, roles=(OWNER,))


async def execute(
    runtime: Runtime, client: Client, command: type[Command], **given: object
) -> None:
    operator = replace(OPERATOR, tenant=client.tenant.id)
    await runtime.bus.execute(build(command, given, runtime.clock), operator)


async def test_pings_are_answered(client: Client) -> None:
    async with talking(client, shown=False) as talk:
        await say(talk, type="ping")
        assert await hear(talk) == {"type": "pong"}


async def test_who_it_is_can_be_said_once_only(client: Client) -> None:
    async with talking(client) as talk:
        await say(talk, type="connection_init")
        await read_to_the_end(talk)
        assert talk.close_code == 4429


async def test_who_never_says_who_it_is_is_closed(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audience, "INIT_SECONDS_MAX", 0.2)
    async with talking(client, shown=False) as talk:
        await read_to_the_end(talk)
        assert talk.close_code == 4408


async def test_two_operations_can_not_have_one_id(client: Client) -> None:
    async with talking(client) as talk:
        await subscribe(talk, "1", EVENTS)
        await subscribe(talk, "1", EVENTS)
        await read_to_the_end(talk)
        assert talk.close_code == 4409


async def test_an_id_is_free_again_once_it_is_completed(client: Client) -> None:
    await client.record("S-1")
    async with talking(client) as talk:
        for _ in range(2):
            await subscribe(talk, "1", EVENTS)
            assert (await hear(talk))["type"] == "next"
            await say(talk, type="complete", id="1")


async def test_one_that_subscribes_without_end_is_told_when_it_is_too_much(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "OPERATIONS_MAX", 5)
    async with talking(client) as talk:
        for number in range(50):
            await subscribe(talk, f"{number}", EVENTS)
        codes = {(await hear(talk))["payload"][0]["extensions"]["code"] for _ in range(45)}
        assert codes == {"subscriptions.too_many"}
        await client.record("S-1")
        assert {(await hear(talk))["id"] for _ in range(5)} == {*"01234"}


async def test_a_key_that_holds_too_many_sockets_gets_no_more(
    client: Client, other: Client, monkeypatch: pytest.MonkeyPatch, runtime: Runtime
) -> None:
    fewer = replace(runtime.settings, listeners_per_key_max=2)
    monkeypatch.setattr(audience_of(runtime), "_runtime", replace(runtime, settings=fewer))
    async with talking(client), talking(client), talking(client, shown=False) as talk:
        await say(talk, type="connection_init", payload=client.headers)
        await read_to_the_end(talk)
        assert talk.close_code == 4429
        async with talking(other):
            pass
    async with talking(client):
        pass


@pytest.mark.parametrize("query", [EVENTS, "subscription { changed(model: JOBS) { ids } }"])
async def test_a_revoked_key_is_closed_within_a_second(
    runtime: Runtime, client: Client, other: Client, query: str
) -> None:
    async with talking(client) as talk, talking(other) as unharmed:
        await subscribe(talk, "1", query)
        await execute_for_the_system(runtime, RevokeApiKey, key=client.tenant.key_id)
        revoked_at = asyncio.get_running_loop().time()
        await read_to_the_end(talk)
        assert talk.close_code == 4403
        assert asyncio.get_running_loop().time() - revoked_at < 1.5
        await say(unharmed, type="ping")
        assert await hear(unharmed) == {"type": "pong"}


async def token_of(runtime: Runtime, client: Client, user: str, *, seconds: int) -> str:
    """Log a member in, for so many seconds."""
    door, now = door_of(runtime), runtime.clock.now()
    opened = await door.sessions.open(UserId(user), client.tenant.id, "tokens", Place())
    session = opened.session.session
    return door.tokens.sign(f"user:{user}", client.tenant.id, session, now=now, seconds=seconds)


async def test_who_logs_out_is_closed_within_a_second(runtime: Runtime, client: Client) -> None:
    await admit_owner(runtime, client)
    token = await token_of(runtime, client, "x", seconds=60)
    client.headers = {"Authorization": f"Bearer {token}"}
    async with talking(client) as talk:
        await subscribe(talk, "1", EVENTS)
        ended = await end_sessions(runtime, UserId("x"))
        ended_at = asyncio.get_running_loop().time()
        await read_to_the_end(talk)
        assert (ended, talk.close_code) == (1, 4403)
        assert asyncio.get_running_loop().time() - ended_at < 1.5


async def test_a_token_that_runs_out_is_closed(runtime: Runtime, client: Client) -> None:
    await admit_owner(runtime, client)
    token = await token_of(runtime, client, "x", seconds=2)
    client.headers = {"Authorization": f"Bearer {token}"}
    async with talking(client) as talk:
        await read_to_the_end(talk)
        assert talk.close_code == 4403


async def test_a_member_who_was_removed_is_closed_within_a_second(
    runtime: Runtime, client: Client
) -> None:
    await admit_owner(runtime, client)
    await admit_owner(runtime, client, user="y")
    token = await token_of(runtime, client, "x", seconds=60)
    client.headers = {"Authorization": f"Bearer {token}"}
    async with talking(client) as talk:
        await subscribe(talk, "1", EVENTS)
        await execute(runtime, client, RemoveMember, user="x")
        removed_at = asyncio.get_running_loop().time()
        await read_to_the_end(talk)
        assert talk.close_code == 4403
        assert asyncio.get_running_loop().time() - removed_at < 1.5


async def test_a_process_that_ends_sends_everybody_elsewhere(
    runtime: Runtime, client: Client
) -> None:
    async with talking(client) as talk:
        await subscribe(talk, "1", EVENTS)
        await asyncio.sleep(0.1)
        audience_of(runtime).send_away()
        with pytest.raises(ConnectionClosed):
            await hear(talk)
        assert talk.close_code == 1012


async def test_many_who_follow_the_same_share_what_is_read_and_written(
    runtime: Runtime, client: Client
) -> None:
    topics = audience_of(runtime).topics
    async with AsyncExitStack() as stack:
        talks = [await stack.enter_async_context(talking(client)) for _ in range(10)]
        for talk in talks:
            await subscribe(talk, "1", EVENTS)
        async with asyncio.timeout(10):
            while sum(len(topic.members) for topic in topics) < len(talks):  # noqa: ASYNC110 - nobody tells.
                await asyncio.sleep(0.01)
        assert len(topics) == 1
        await client.record("S-1")
        told = [(await hear(talk))["payload"] for talk in talks]
        assert all(each == told[0] for each in told)
    async with asyncio.timeout(10):
        while len(topics):  # noqa: ASYNC110 - as above.
            await asyncio.sleep(0.01)


async def test_a_reader_that_stands_still_is_cut_off(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audience, "SEND_SECONDS_MAX", 0.3)
    line = {"description": "x" * 1_000, "quantity": "1", "unitPrice": "1"}
    for number in range(24):
        await client.record(f"L-{number}", lines=[line] * 400)
    async with standing_still(client) as talk:
        await asyncio.sleep(3)
        assert await read_to_the_end(talk) < 24
