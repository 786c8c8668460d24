"""What operators do beside rebuilding: look how far it is, go back to former rows, drop them."""

from datetime import datetime
from typing import Final

from msgspec import Struct
from psycopg import sql

from adapters.postgres.connections import Connection
from adapters.postgres.projecting.building import ledger
from adapters.postgres.projecting.building.booking import (
    is_held,
    lock,
    model_named,
    runner,
    unfinished,
)
from adapters.postgres.projecting.building.shadow import exists
from adapters.postgres.projecting.building.standstill import StoodStill, stood_still
from adapters.postgres.projecting.building.swapping import swap_back
from adapters.postgres.projecting.building.task import (
    PUBLIC,
    Task,
    former_name,
    open_clerk,
    open_owner,
)
from application.errors import NotFound
from projections.kernel import read_models

OVER: Final = frozenset({"done", "swapped back"})


class Standing(Struct, frozen=True, kw_only=True):
    """The last rebuild of a model: how far it is, or what came of it.

    Attributes:
        status: running; unfinished, where nobody works on it; done, failed, aborted or swapped
            back.
        step: Where it is, or broke off; None where nothing is left to do.
        done: Events folded, about, of so many in total.
        runner: Who works on it or did so last; who swapped back.
        kept_until: Till when the former rows can serve again.
        stopped: Logs that it did not go through, as the live rows stand still in them.

    """

    name: str
    version: int
    tenant: str | None
    as_of: str | None
    into: str | None
    status: str
    step: str | None
    done: int
    total: int
    runner: str
    started_at: datetime
    ended_at: datetime | None
    error: str | None
    kept_until: datetime | None
    stopped: tuple[StoodStill, ...]


async def standings(task: Task) -> list[Standing]:
    """Tell of the last rebuild of each model."""
    async with await open_clerk(task) as clerk:
        return [await _standing(clerk, entry) for entry in await ledger.latest(clerk)]


async def _standing(clerk: Connection, entry: ledger.Entry) -> Standing:
    sums = await ledger.sums(clerk, entry.id)
    running = "running" if await is_held(clerk, entry.model) else "unfinished"
    return Standing(
        name=entry.model,
        version=entry.version,
        tenant=entry.tenant,
        as_of=entry.as_of,
        into=entry.into_schema,
        status=entry.outcome or running,
        step=None if entry.outcome in OVER else entry.step,
        done=sums.done,
        total=sums.total,
        runner=entry.runner,
        started_at=entry.started_at,
        ended_at=entry.ended_at,
        error=entry.error,
        kept_until=entry.kept_until,
        stopped=await _stopped(clerk, entry),
    )


async def _stopped(clerk: Connection, entry: ledger.Entry) -> tuple[StoodStill, ...]:
    known = read_models().get(entry.model)
    if entry.outcome != "done" or known is None or known.version != entry.version:
        return ()  # Its rows don't serve, or other code reads them.
    return await stood_still(clerk, entry.model, entry.id)


async def go_back(task: Task) -> None:
    """Let the former rows of a model serve again.

    Raises:
        NotFound: None are kept.
        Conflict: A rebuild is under way, or was left unfinished.
        Unavailable: Somebody reads the table all the time.

    """
    async with await open_owner(task.url) as owner, await open_clerk(task) as clerk:
        await lock(owner, clerk, task.name)
        left = await ledger.under_way(clerk, task.name)
        if left is not None:
            raise unfinished(left)
        entry = await _kept(owner, clerk, task)
        await swap_back(owner, task, entry.id, runner())


async def drop_former(task: Task) -> None:
    """Drop the former rows of a model.

    Raises:
        NotFound: None are kept.
        Conflict: A rebuild is under way.

    """
    async with await open_owner(task.url) as owner, await open_clerk(task) as clerk:
        await lock(owner, clerk, task.name)
        entry = await _kept(owner, clerk, task)
        former = sql.Identifier(former_name(task.live))
        await owner.execute(sql.SQL("DROP TABLE {}").format(former))
        await ledger.let_go(clerk, entry.id)


async def _kept(owner: Connection, clerk: Connection, task: Task) -> ledger.Entry:
    entry = await ledger.kept(clerk, task.name, model_named(task.name).version)
    if entry is None or not await exists(owner, PUBLIC, former_name(task.live)):
        raise NotFound(
            "projections.nothing_kept",
            f"No former rows of {task.name} are kept.",
            hint="They are kept for a while after a rebuild: REBUILD_KEPT_SECONDS.",
        )
    return entry
