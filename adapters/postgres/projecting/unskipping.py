"""The way back from leaving an event out of a read model, once there is code that can fold it.

It is gone only where the rows it touches can be folded with it: else nothing that folds them anew
could come past it, and the live rows, which have, could not be made to leave it out again.
"""

from typing import LiteralString

from msgspec import Struct
from psycopg.errors import InsufficientPrivilege

from adapters.postgres.connections import SET_TENANT, Connection, tenant_transaction
from adapters.postgres.models.moments import Log, events_of_row, open_log, read_events
from adapters.postgres.models.versions import Model, consumer_of
from adapters.postgres.projecting.building import ledger
from adapters.postgres.projecting.building.booking import lock, model_named
from adapters.postgres.projecting.building.task import PUBLIC, Task, open_clerk, open_owner
from adapters.postgres.projecting.news import FoldingFailed
from adapters.runtime import Runtime
from application.errors import Conflict, Forbidden, Unavailable
from application.kernel import Context, build
from domain.ids import TenantId
from domain.kernel import Command, Refused
from domain.projections import UnskipEvent
from projections.kernel import Row

# Whoever folds a log holds its cursor: once it is had, all know of the skip or none does.
REACHED: LiteralString = """
SELECT position FROM projection_cursor WHERE tenant_id = %s AND projection = %s FOR UPDATE
"""
LEFT_OUT: LiteralString = """
SELECT e.type, coalesce(c.position, 0)
FROM skipped_event AS s
JOIN event AS e ON e.tenant_id = s.tenant_id AND e.position = s.position
LEFT JOIN projection_cursor AS c ON c.tenant_id = s.tenant_id AND c.projection = %s
WHERE s.tenant_id = %s AND s.projection = %s AND s.position = %s
"""
# The application's role may add to what is left out, and take nothing away.
UNSKIP: LiteralString = """
DELETE FROM skipped_event WHERE tenant_id = %s AND projection = %s AND position = %s
"""


class Unskipped(Struct, frozen=True, kw_only=True):
    """An event that is left out no more.

    Attributes:
        rebuild: Whether rows were folded without it, so that only a rebuild brings it into them.

    """

    name: str
    version: int
    tenant: TenantId
    position: int
    event_type: str
    rebuild: bool


class Place(Struct, frozen=True, kw_only=True):
    """An event of a log, and the read model that leaves it out."""

    model: Model
    tenant: TenantId
    position: int


async def unskip(runtime: Runtime, place: Place, reason: str, by: Context) -> Unskipped:
    """Leave an event out of a read model no more; rows that were folded without it stay so.

    The log says so before it is done: broken off in between, the same again does the rest.

    Raises:
        Refused: It is not left out, or the rows still can't be folded with it.
        Conflict: A rebuild is under way: parts of it would hold the event, and others would not.
        Malformed: The reason is empty or too long.
        Forbidden: The login does not own the tables.

    """
    kind, reached = await _left_out(runtime, place)
    command = build(UnskipEvent, _given(place, kind, reason), runtime.clock)
    await _try(runtime, place, max(place.position, reached))
    try:
        reached = await _take_off(runtime, place, command, by)
    except InsufficientPrivilege as error:
        raise Forbidden(
            "database.not_owner",
            "This login does not own the tables.",
            hint="Set DATABASE_ADMIN_URL to the login that migrates.",
        ) from error
    return Unskipped(
        name=place.model.name,
        version=place.model.version,
        tenant=place.tenant,
        position=place.position,
        event_type=kind,
        rebuild=reached >= place.position,
    )


def place_of(name: str, tenant: TenantId, position: int) -> Place:
    """Name an event of a read model.

    Raises:
        NotFound: There is no read model of this name.

    """
    return Place(model=model_named(name), tenant=tenant, position=position)


async def _left_out(runtime: Runtime, place: Place) -> tuple[str, int]:
    """Return the type of the event, and how far the live rows are."""
    name, consumer = place.model.name, consumer_of(place.model)
    asked = (consumer, place.tenant, name, place.position)
    async with tenant_transaction(runtime.pool, place.tenant) as connection:
        row = await (await connection.execute(LEFT_OUT, asked)).fetchone()
    if row is None:
        raise Refused(
            "projections.not_skipped",
            f"Event {place.position} is not left out of {name}.",
            hint="`asiento events --tenant system --type EventSkipped` lists what is.",
        )
    return row[0], row[1]


async def _try(runtime: Runtime, place: Place, until: int) -> None:
    """Fold the rows that the event touches as if it were not left out, as far as the live ones."""
    log = await open_log(runtime, place.model, place.tenant)
    log = Log(log.tenant, log.store, log.vault, log.skipped - {place.position})
    at = place.position
    try:
        keys: set[str] = set()
        async for _, event in read_events(log, place.model, (), after=at - 1, until=at):
            keys.update(place.model.keys(event))
        for key in keys:
            row: Row | None = None
            async for stored, event in events_of_row(log, place.model, key, until=until):
                at = stored.position
                row = place.model.fold(row, event, key)
    except Unavailable:
        raise
    except Exception as error:
        raise Refused(
            "projections.still_failing",
            f"{place.model.name} can't be folded with event {place.position}."
            f" {FoldingFailed(at, error)}",
            hint="It stays left out. Deploy a version that can fold it, or begin with an earlier"
            " one that is left out.",
        ) from error


async def _take_off(runtime: Runtime, place: Place, command: Command, by: Context) -> int:
    """Take the skip off the list, and return how far the live rows are."""
    settings, name, tenant = runtime.settings, place.model.name, place.tenant
    url = settings.database_admin_url or settings.database_url or ""
    task = Task(id=0, url=url, name=name, schema=PUBLIC, keyring=runtime.keyring)
    async with await open_owner(url) as owner, await open_clerk(task) as clerk:
        await _keep_rebuilds_off(owner, clerk, name)
        async with owner.transaction():
            await owner.execute(SET_TENANT, (tenant,))
            found = await owner.execute(REACHED, (tenant, consumer_of(place.model)))
            (reached,) = await found.fetchone() or (0,)
            await runtime.bus.execute(command, by)
            await owner.execute(UNSKIP, (tenant, name, place.position))
    return int(reached)


async def _keep_rebuilds_off(owner: Connection, clerk: Connection, name: str) -> None:
    """Let no rebuild of the model begin for as long as *owner* is connected."""
    await lock(owner, clerk, name)
    left = await ledger.under_way(clerk, name)
    if left is not None:
        raise Conflict(
            "projections.unfinished",
            f"A rebuild of {name} is unfinished, begun by {left.runner}; it leaves the event out.",
            hint=f"Run it again to its end, or `asiento projections abort {name}` gives it up.",
        )


def _given(place: Place, kind: str, reason: str) -> dict[str, object]:
    return {
        "tenant": place.tenant,
        "projection": place.model.name,
        "version": place.model.version,
        "position": place.position,
        "event_type": kind,
        "reason": reason,
    }
