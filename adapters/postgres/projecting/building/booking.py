"""One rebuild of a model at a time: begun, gone on with where it was left, or broken off.

Whoever works on it holds a lock that falls with its connection.
"""

import asyncio
import getpass
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, LiteralString

import structlog
from msgspec import Struct
from msgspec.structs import replace

from adapters.postgres.connections import Connection
from adapters.postgres.models.tables import shape_of
from adapters.postgres.models.versions import table_named
from adapters.postgres.projecting.building import ledger
from adapters.postgres.projecting.building.apart import remove_schema
from adapters.postgres.projecting.building.ledger import Entry
from adapters.postgres.projecting.building.shadow import drop_shadow, exists
from adapters.postgres.projecting.building.task import PUBLIC, Task, open_clerk, open_owner
from application.errors import Conflict, NotFound
from projections.kernel import ReadModel, read_models

WAIT_SECONDS_MAX: Final = 30.0
LOOK_SECONDS: Final = 0.2
TRY: LiteralString = "SELECT pg_try_advisory_lock(hashtextextended('rebuilding:' || %s, 0))"
HELD: LiteralString = """
SELECT NOT pg_try_advisory_xact_lock_shared(hashtextextended('rebuilding:' || %s, 0))
"""
log = structlog.get_logger()


class Office(Struct, frozen=True, kw_only=True):
    """A rebuild under way, its two connections, and the step that it was at."""

    owner: Connection
    clerk: Connection
    task: Task
    step: str


def model_named(name: str) -> type[ReadModel[Any]]:  # Any: of any row.
    """Find a read model.

    Raises:
        NotFound: There is none of this name.

    """
    model = read_models().get(name)
    if model is None:
        raise NotFound(
            "projections.absent",
            f"There is no read model {name}.",
            hint=f"Ask for one of {', '.join(read_models())}.",
        )
    return model


@asynccontextmanager
async def booked(task: Task, tenant: str | None, as_of: str | None) -> AsyncIterator[Office]:
    """Begin the rebuild that *task* describes, or go on with the same; hold it for the block.

    Raises:
        Conflict: Another process is at it, or another one was left unfinished.

    """
    model = task.model
    into = task.schema if task.is_apart else None
    asked = (model.version, shape_of(model), tenant, as_of, into)
    async with await open_owner(task.url) as owner, await open_clerk(task) as clerk:
        await lock(owner, clerk, task.name)
        left = await ledger.under_way(clerk, task.name)
        if left is not None and left.asked[:2] != asked[:2]:
            await _clear(owner, clerk, task, left)  # Of another version: nobody needs it.
            left = None
        if left is None:
            number = await ledger.begin(clerk, task.name, asked, runner())
            yield Office(owner=owner, clerk=clerk, task=replace(task, id=number), step="planning")
            return
        if left.asked != asked:
            raise unfinished(left)
        await ledger.take_over(clerk, left.id, runner())
        task = replace(task, id=left.id)
        step = left.step if await exists(owner, task.schema, task.shadow) else "planning"
        log.info("projection.rebuild_resumed", model=task.name, step=step)
        yield Office(owner=owner, clerk=clerk, task=task, step=step)


async def abort(task: Task) -> Entry:
    """Break off the rebuild of a model; the old rows go on serving.

    Raises:
        NotFound: There is none.
        Conflict: Whoever works on it does not let go of it.

    """
    async with await open_owner(task.url) as owner, await open_clerk(task) as clerk:
        left = await ledger.under_way(clerk, task.name)
        if left is None:
            raise NotFound(
                "projections.not_rebuilding",
                f"No rebuild of {task.name} is under way.",
                hint="`asiento projections status` shows all there were.",
            )
        await ledger.end(clerk, left.id, "aborted")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + WAIT_SECONDS_MAX
        while not await _taken(owner, task.name):
            if loop.time() > deadline:
                raise _busy(task.name, left)
            await asyncio.sleep(LOOK_SECONDS)
        await _clear(owner, clerk, task, left)
    return left


async def is_held(clerk: Connection, model: str) -> bool:
    """Tell whether somebody works on the rebuild of *model* at this moment."""
    row = await (await clerk.execute(HELD, (model,))).fetchone()
    return row == (True,)


async def lock(owner: Connection, clerk: Connection, model: str) -> None:
    """Keep others off the rebuilds of *model* for as long as *owner* is connected.

    Raises:
        Conflict: Another process is at one.

    """
    if not await _taken(owner, model):
        raise _busy(model, await ledger.under_way(clerk, model))


async def _taken(owner: Connection, model: str) -> bool:
    return await (await owner.execute(TRY, (model,))).fetchone() == (True,)


async def _clear(owner: Connection, clerk: Connection, task: Task, left: Entry) -> None:
    """Take away what an unfinished rebuild made."""
    await ledger.end(clerk, left.id, "aborted")
    await drop_shadow(owner, left.into_schema or PUBLIC, shadow_of(task, left))
    if left.into_schema:
        await remove_schema(owner, left.into_schema)


def shadow_of(task: Task, entry: Entry) -> str:
    """Name the table that a rebuild, perhaps of another version, was making."""
    live = table_named(task.name, entry.version)
    return f"{task.name if entry.into_schema else live}__next"


def unfinished(left: Entry) -> Conflict:
    """Say that a rebuild was left unfinished, and stands in the way."""
    return Conflict(
        "projections.unfinished",
        f"Another rebuild of {left.model} is unfinished, begun by {left.runner}.",
        hint=f"`asiento projections abort {left.model}` gives it up; the same again ends it.",
    )


def _busy(model: str, entry: Entry | None) -> Conflict:
    who = f"{entry.runner} since {entry.started_at:%Y-%m-%d %H:%M:%S}" if entry else "somebody"
    return Conflict(
        "projections.rebuilding",
        f"{model} is being rebuilt already, by {who}.",
        hint=f"`asiento projections status` shows how far it is, `… abort {model}` ends it.",
    )


def runner() -> str:
    """Name who does this: the user, the process and the machine."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.geteuid())  # A container may run as a user without a name.
    return f"{user}, process {os.getpid()} on {socket.gethostname()}"
