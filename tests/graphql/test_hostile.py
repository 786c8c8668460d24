"""Clients that mean no good, against the API as it is served: bounded, and others unharmed."""

import asyncio
import json
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec.structs import replace
from websockets.exceptions import ConnectionClosed

from adapters.runtime import Runtime
from adapters.settings import Settings
from tests.graphql.client import Client, audited
from tests.graphql.standing import EVENTS
from tests.graphql.test_sockets import hear, read_to_the_end, say, subscribe, talking
from tests.rest.api import api_process, free_port, make_tenant

MIB = 2**20
SUBSCRIPTIONS = 10_000
SETTLE_SECONDS = 0.5


@pytest.fixture(scope="module")
def process(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Settings, subprocess.Popen[bytes]]]:
    served = replace(settings, port=free_port())
    with api_process(served, tmp_path_factory.mktemp("hostile") / "api.log") as process:
        yield served, process


@pytest_asyncio.fixture
async def served(
    runtime: Runtime, process: tuple[Settings, subprocess.Popen[bytes]]
) -> AsyncIterator[Client]:
    url = f"http://127.0.0.1:{process[0].port}/graphql"
    async with Client(url, await make_tenant(runtime, audited())) as client:
        yield client


def anonymous_bytes(process: subprocess.Popen[bytes]) -> int:
    """Return what the process holds of its own."""
    lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1_024 for line in lines if line.startswith("Anonymous"))


async def test_a_message_of_50_mb_is_refused(served: Client) -> None:
    async with talking(served) as unharmed, talking(served) as talk:
        with suppress(ConnectionClosed):
            await talk.send("x" * 50 * MIB)
        await read_to_the_end(talk)
        assert talk.close_code in {1006, 1009}
        await say(unharmed, type="ping")
        assert await hear(unharmed) == {"type": "pong"}


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="memory is read in /proc")
async def test_10_000_subscriptions_take_little(
    served: Client, process: tuple[Settings, subprocess.Popen[bytes]]
) -> None:
    async with talking(served) as talk:
        await subscribe(talk, "first", EVENTS)
        before = anonymous_bytes(process[1])

        async def flood() -> None:
            for number in range(SUBSCRIPTIONS):
                await subscribe(talk, f"{number}", EVENTS)

        flooding = asyncio.create_task(flood())
        refused = 0
        while refused < SUBSCRIPTIONS - 99:
            answer = await hear(talk)
            refused += answer["type"] == "error"
        await flooding
        assert anonymous_bytes(process[1]) - before < 32 * MIB
        await served.record("S-1")
        assert (await hear(talk))["type"] == "next"


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="memory is read in /proc")
async def test_an_idle_subscriber_takes_less_than_100_kib(
    served: Client, process: tuple[Settings, subprocess.Popen[bytes]]
) -> None:
    async with AsyncExitStack() as stack:
        before = 0
        for number in range(300):
            if number == 50:
                before = anonymous_bytes(process[1])
            talk = await stack.enter_async_context(talking(served))
            await subscribe(talk, "1", EVENTS)
        await asyncio.sleep(SETTLE_SECONDS)
        each = (anonymous_bytes(process[1]) - before) / 250
    assert each < 100 * 1_024


async def test_whoever_listens_is_sent_elsewhere_when_the_process_is_stopped(
    runtime: Runtime, settings: Settings, tmp_path: Path
) -> None:
    stopped = replace(settings, port=free_port())
    url = f"http://127.0.0.1:{stopped.port}/graphql"
    with api_process(stopped, tmp_path / "api.log") as process:
        async with Client(url, await make_tenant(runtime, audited())) as client:
            asked = {"query": EVENTS}
            headers = {"accept": "text/event-stream"}
            await client.record("S-1")
            async with (
                talking(client) as talk,
                client.http.stream("POST", url, json=asked, headers=headers) as answer,
            ):
                await subscribe(talk, "1", EVENTS)
                assert (await hear(talk))["type"] == "next"
                lines = answer.aiter_lines()
                assert await anext(lines) == "event: next"
                process.send_signal(signal.SIGTERM)
                told = [line async for line in lines]
                await read_to_the_end(talk)
                assert talk.close_code == 1012
                assert told[-2:] == ["retry: 1000", ""]
                assert "event: complete" not in told
        assert await asyncio.to_thread(process.wait, 10) == 0


async def test_what_is_no_text_is_closed(served: Client) -> None:
    async with talking(served) as talk:
        await talk.send(json.dumps({"type": "subscribe", "id": "", "payload": {"query": "x"}}))
        await read_to_the_end(talk)
        assert talk.close_code == 4400
