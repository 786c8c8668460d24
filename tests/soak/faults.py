"""What can go wrong around projectors, each a function that does it and makes it good again."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from random import Random
from typing import Final, TypeAlias

from msgspec import Struct

from projections.kernel import read_models
from tests.faults.faults import BACKENDS, TERMINATE, ask
from tests.soak.processes import Projectors, Rebuilds
from tests.soak.servers import Servers, stand_still

STILL_SECONDS_MAX: Final = 2.0
LONG_STILL_SECONDS: Final = 5.0
KILL_AFTER_SECONDS_MAX: Final = 2.0


class Scene(Struct, frozen=True):
    """What a fault acts on."""

    servers: Servers
    projectors: Projectors
    rebuilds: Rebuilds
    random: Random


Fault: TypeAlias = Callable[[Scene], Awaitable[None]]


async def a_projector_is_killed(scene: Scene) -> None:
    for pid in _one(scene, scene.projectors.pids()):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


async def every_projector_is_killed(scene: Scene) -> None:
    for pid in scene.projectors.pids():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


async def a_projector_stands_still(scene: Scene) -> None:
    """Stop one in the middle of whatever it does; the others have to go on without it."""
    await stand_still(_one(scene, scene.projectors.pids()), _while(scene, LONG_STILL_SECONDS))


async def postgresql_stands_still(scene: Scene) -> None:
    await stand_still(scene.servers.postgres.processes(), _while(scene, STILL_SECONDS_MAX))


async def valkey_stands_still(scene: Scene) -> None:
    await stand_still(scene.servers.valkey_processes(), _while(scene, STILL_SECONDS_MAX))


async def connections_are_terminated(scene: Scene) -> None:
    await ask(scene.servers.postgres, TERMINATE)


async def postgresql_crashes(scene: Scene) -> None:
    """Kill -9 one backend: PostgreSQL then ends all others, and recovers what it had flushed."""
    for pid in _one(scene, [row[0] for row in await ask(scene.servers.postgres, BACKENDS)]):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


async def postgresql_is_killed(scene: Scene) -> None:
    """Kill -9 all of it: nobody is let in until it is there again."""
    await asyncio.to_thread(scene.servers.kill_postgres)


async def valkey_is_killed(scene: Scene) -> None:
    """Kill -9 it: who listened hears nothing until it is there again."""
    await asyncio.to_thread(scene.servers.kill_valkey)


async def a_rebuild_begins(scene: Scene) -> None:
    scene.rebuilds.begin(scene.random.choice(list(read_models())))


async def a_rebuild_is_killed(scene: Scene) -> None:
    """Begin a rebuild, and kill it somewhere on its way."""
    name = scene.random.choice(list(read_models()))
    scene.rebuilds.begin(name, scene.random.uniform(0.5, KILL_AFTER_SECONDS_MAX))


FAULTS: Final[dict[Fault, int]] = {
    a_projector_is_killed: 10,
    every_projector_is_killed: 1,
    a_projector_stands_still: 3,
    postgresql_stands_still: 3,
    valkey_stands_still: 3,
    connections_are_terminated: 2,
    postgresql_crashes: 2,
    postgresql_is_killed: 1,
    valkey_is_killed: 2,
    a_rebuild_begins: 3,
    a_rebuild_is_killed: 1,
}
"""Every fault, and how often it comes beside the others."""


def _one(scene: Scene, pids: Sequence[int]) -> list[int]:
    return [scene.random.choice(pids)] if pids else []


def _while(scene: Scene, seconds_max: float) -> float:
    return scene.random.uniform(0.1, seconds_max)
