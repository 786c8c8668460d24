"""`kill -9` in the middle of sending: nothing is lost, and what comes twice has the same id."""

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGKILL

import psycopg

from adapters.settings import Settings
from tests.cli.conftest import command_line
from tests.webhooks.conftest import Office, exported
from tests.webhooks.receiver import Behaviour, Receiver, answers

STOP_SECONDS = 15


@contextmanager
def projecting(settings: Settings, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run `asiento projector`, which sends what is to be sent."""
    with log.open("ab") as file:
        process = subprocess.Popen(command_line("projector"), env=exported(settings), stderr=file)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def kills(process: "subprocess.Popen[bytes]", last: Behaviour | None) -> Behaviour:
    """Kill the sender while it waits for the answer, or right when it comes."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        if last is not None:
            await last(writer)
            await writer.drain()
        process.send_signal(SIGKILL)
        await asyncio.to_thread(process.wait)
        writer.close()

    return behave


async def test_a_killed_sender_loses_nothing_and_repeats_under_the_same_id(
    office: Office, receiver: Receiver, settings: Settings
) -> None:
    _, secret = await office.register(receiver)
    positions = [await office.record(str(number)) for number in range(12)]
    log = settings.data / "projector.log"
    well = answers(200)
    for after, last in ((3, None), (5, well)):
        with projecting(settings, log) as process:
            receiver.script = [*[well] * after, kills(process, last)]
            await asyncio.wait_for(asyncio.to_thread(process.wait), 60)
            assert process.returncode == -SIGKILL, log.read_text()
    with projecting(settings, log) as process:
        async with asyncio.timeout(60):
            while set(receiver.positions) != set(positions):
                await receiver.hears(len(receiver.heard) + 1)
        process.terminate()
        assert await asyncio.to_thread(process.wait, STOP_SECONDS) == 0, log.read_text()
    assert list(dict.fromkeys(receiver.positions)) == positions
    assert len({each.id for each in receiver.heard}) == len(positions)
    assert len(receiver.heard) <= len(positions) + 2
    assert [each.verified(secret)["data"]["position"] for each in receiver.heard[-3:]]
    assert receiver.positions[3] == receiver.positions[4] == positions[3]


async def test_connections_that_break_lose_nothing(
    office: Office, receiver: Receiver, settings: Settings
) -> None:
    """The database drops every connection again and again while messages are under way."""
    await office.register(receiver)
    positions = [await office.record(str(number)) for number in range(30)]
    await office.follow()
    running = asyncio.create_task(office.deliverer.run())
    try:
        for many in (3, 9, 15):
            await receiver.hears(many)
            await asyncio.to_thread(break_connections, settings)
        async with asyncio.timeout(60):
            while set(receiver.positions) != set(positions):
                await receiver.hears(len(receiver.heard) + 1)
    finally:
        running.cancel()
        await asyncio.wait([running])
    assert list(dict.fromkeys(receiver.positions)) == positions
    assert len({each.id for each in receiver.heard}) == len(positions)


def break_connections(settings: Settings) -> None:
    with psycopg.connect(settings.database_admin_url or "", autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


async def test_a_sender_that_is_told_to_stop_leaves_the_rest_to_the_next_at_once(
    office: Office, receiver: Receiver, settings: Settings
) -> None:
    await office.register(receiver)
    positions = [await office.record(str(number)) for number in range(5)]
    log = settings.data / "stopped.log"
    with projecting(settings, log) as process:
        await receiver.hears(1)
        process.terminate()
        assert await asyncio.to_thread(process.wait, STOP_SECONDS) == 0, log.read_text()
    async with asyncio.timeout(5):
        await office.idle()
    assert list(dict.fromkeys(receiver.positions)) == positions
