"""What can go wrong under an append, each as one function that does it and makes it good again."""

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, LiteralString, TypeAlias

import psycopg
from msgspec import Struct
from psycopg import AsyncConnection

from tests.faults.proxy import Point, Proxy
from tests.faults.server import Server
from tests.faults.writers import Writers

HELD_SECONDS: Final = 0.6
FULL_SECONDS: Final = 0.3
POLL_SECONDS: Final = 0.05
JUMPS: Final = ("-1 day", "1 hour", "-30 years", "10 years", "0")
SHORT_STATEMENTS: LiteralString = "ALTER ROLE asiento SET statement_timeout = '200ms'"
SHORT_IDLING: LiteralString = "ALTER ROLE asiento SET idle_session_timeout = '5ms'"
AS_BEFORE: LiteralString = "ALTER ROLE asiento RESET ALL"
HOLD: LiteralString = "LOCK TABLE log_head IN EXCLUSIVE MODE"
BACKENDS: LiteralString = """
SELECT pid FROM pg_stat_activity
WHERE backend_type = 'client backend' AND usename = 'asiento' ORDER BY pid
"""
TERMINATE: LiteralString = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND usename = 'asiento'
"""


class Scene(Struct, frozen=True):
    """What a fault acts on."""

    server: Server
    proxy: Proxy
    writers: Writers
    random: random.Random


Fault: TypeAlias = Callable[[Scene], Awaitable[None]]


def broken_at(point: Point) -> Fault:
    """Break the connection of the next append there."""

    async def fault(scene: Scene) -> None:
        scene.proxy.arm(point)

    fault.__name__ = f"broken {point.value}"
    return fault


async def every_connection_breaks(scene: Scene) -> None:
    scene.proxy.cut_all()


async def a_connection_breaks(scene: Scene) -> None:
    scene.proxy.cut_one(scene.random.randrange(1000))


async def a_writer_is_killed(scene: Scene) -> None:
    scene.writers.kill(scene.random.randrange(1000))


async def backends_are_terminated(scene: Scene) -> None:
    await ask(scene.server, TERMINATE)


async def a_backend_is_killed(scene: Scene) -> None:
    """Kill -9 one backend: PostgreSQL then ends all others and recovers."""
    pids = [row[0] for row in await ask(scene.server, BACKENDS)]
    if pids:
        with suppress(ProcessLookupError):
            os.kill(scene.random.choice(pids), signal.SIGKILL)


async def a_backend_hangs(scene: Scene) -> None:
    """Stop one backend where it is, break the connections, and let it go on later."""
    pids = [row[0] for row in await ask(scene.server, BACKENDS)]
    if pids:
        with suppress(ProcessLookupError):
            os.kill(pid := scene.random.choice(pids), signal.SIGSTOP)
            try:
                scene.proxy.cut_all()
                await asyncio.sleep(HELD_SECONDS)
            finally:
                os.kill(pid, signal.SIGCONT)


async def postgresql_is_killed(scene: Scene) -> None:
    """Kill -9 the postmaster, and start it again, which takes half a second."""
    scene.server.kill()
    await asyncio.sleep(scene.random.uniform(0, 0.5))
    scene.server.start()
    scene.proxy.target_port = scene.server.port


async def statements_time_out(scene: Scene) -> None:
    """Hold what an append needs for longer than a statement may take."""
    await ask(scene.server, SHORT_STATEMENTS)
    scene.proxy.cut_all()
    await _hold(scene.server)
    await ask(scene.server, AS_BEFORE)
    scene.proxy.cut_all()


async def idle_connections_time_out(scene: Scene) -> None:
    await ask(scene.server, SHORT_IDLING)
    scene.proxy.cut_all()
    await asyncio.sleep(HELD_SECONDS)
    await ask(scene.server, AS_BEFORE)
    scene.proxy.cut_all()


async def appends_are_held_up(scene: Scene) -> None:
    """Hold what an append needs, and break the connections while they wait for it."""
    holding = asyncio.create_task(_hold(scene.server))
    await asyncio.sleep(HELD_SECONDS / 2)
    scene.proxy.cut_all()
    await holding


async def the_disk_is_full(scene: Scene) -> None:
    """Let no file grow past a size; without room for its WAL, PostgreSQL stops in a panic."""
    scene.server.limit_files(scene.random.choice((1 << 16, 1 << 20, 1 << 23, 1 << 24)))
    await asyncio.sleep(FULL_SECONDS)
    scene.server.limit_files(None)
    if not scene.server.is_running():
        scene.server.start()
        scene.proxy.target_port = scene.server.port


async def the_clock_jumps(scene: Scene) -> None:
    with suppress(psycopg.OperationalError):
        await asyncio.to_thread(scene.server.make_clock_jump, scene.random.choice(JUMPS))


FAULTS: Final[dict[Fault, int]] = {
    **{broken_at(point): 4 for point in Point if point is not Point.SILENCE},
    broken_at(Point.SILENCE): 1,
    every_connection_breaks: 3,
    a_connection_breaks: 3,
    a_writer_is_killed: 3,
    backends_are_terminated: 3,
    a_backend_is_killed: 1,
    a_backend_hangs: 2,
    postgresql_is_killed: 2,
    statements_time_out: 1,
    idle_connections_time_out: 1,
    appends_are_held_up: 2,
    the_disk_is_full: 1,
    the_clock_jumps: 1,
}
"""Every fault, and how often it comes beside the others."""


async def make_good(scene: Scene) -> None:
    """Leave nothing broken, whatever was interrupted."""
    scene.server.limit_files(None)
    if not scene.server.is_running():
        scene.server.start()
    scene.proxy.target_port = scene.server.port
    scene.proxy.disarm()
    await _until_it_answers(scene.server)
    await ask(scene.server, AS_BEFORE)
    scene.proxy.cut_all()


async def _until_it_answers(server: Server) -> None:
    while True:
        if await ask(server, "SELECT 1"):
            return
        await asyncio.sleep(POLL_SECONDS)


async def _hold(server: Server) -> None:
    with suppress(psycopg.OperationalError):
        connection = await AsyncConnection.connect(server.admin_url)
        async with connection:
            await connection.execute(HOLD)
            await asyncio.sleep(HELD_SECONDS)


async def ask(server: Server, statement: str) -> list[tuple[Any, ...]]:  # Any: any rows.
    """Ask the server, which may be away."""
    with suppress(psycopg.OperationalError):
        return await asyncio.to_thread(server.ask, statement)
    return []
