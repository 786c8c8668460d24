"""The ways on where a projection stopped at an event: to try it again, or to leave it out.

Leaving out is an operator's decision, and an event in the log of the reserved tenant.
"""

from typing import LiteralString

from msgspec import Struct

from adapters.postgres.connections import Connection, tenant_transaction
from adapters.postgres.models.versions import consumer_of, read_consumer
from adapters.postgres.projecting.news import UNKNOWN_EVENT
from adapters.runtime import Runtime
from application.codec import event_types
from application.errors import NotFound
from application.kernel import Context, build
from domain.ids import TenantId
from domain.kernel import Refused
from domain.projections import SkipEvent
from projections.kernel import read_models

SKIP: LiteralString = """
INSERT INTO skipped_event (tenant_id, projection, position) VALUES (%s, %s, %s)
ON CONFLICT DO NOTHING
"""

# The projector leaves alone what is locked, and goes on with the rest.
STANDING: LiteralString = """
SELECT c.position, c.failed_position, c.error, e.type
FROM projection_cursor AS c
LEFT JOIN event AS e
    ON e.tenant_id = c.tenant_id AND e.position = coalesce(c.failed_position, c.position + 1)
WHERE c.tenant_id = %s AND c.projection = %s
FOR UPDATE OF c
"""
GO_ON: LiteralString = """
UPDATE projection_cursor
SET position = %s, failed_position = NULL, error = NULL, updated_at = now()
WHERE tenant_id = %s AND projection = %s
"""


class Stopped(Struct, frozen=True, kw_only=True):
    """Where a projection stood, and why; it goes on from here."""

    name: str
    version: int | None
    tenant: TenantId
    position: int
    event_type: str
    error: str


async def retry(runtime: Runtime, tenant: TenantId, name: str) -> Stopped:
    """Let a projection that stopped try the same event again.

    Raises:
        NotFound: Nothing of this name reads the log.
        Refused: It did not stop.

    """
    async with tenant_transaction(runtime.pool, tenant) as connection:
        stopped, position = await _stopped(connection, tenant, name)
        await connection.execute(GO_ON, (position, tenant, _consumer(name)))
    return stopped


async def skip(
    runtime: Runtime,
    tenant: TenantId,
    name: str,
    reason: str,
    by: Context,
    *,
    position: int | None = None,
) -> Stopped:
    """Leave out the one event that a projection stopped at, for ever, and let it go on.

    With its *position*, it is that event or none; then it may be told to retry, and not have
    come to it yet. The log says so before it is done: broken off in between, it stands as before,
    and skipping it again does the rest.

    Raises:
        NotFound: Nothing of this name reads the log.
        Refused: It did not fail at an event, or at another one.
        Malformed: The reason is empty or too long.

    """
    async with tenant_transaction(runtime.pool, tenant) as connection:
        stopped, _ = await _stopped(connection, tenant, name, position)
        unknown = stopped.event_type not in event_types()
        if stopped.error.startswith(UNKNOWN_EVENT) or (not stopped.error and unknown):
            raise Refused(
                "projections.waiting",
                f"{name} waits at event {stopped.position}, a {stopped.event_type}, for a version"
                " that knows it. It can't be said what would be lost.",
                hint="Deploy the version that wrote it; it goes on by itself.",
            )
        command = build(SkipEvent, _given(stopped, reason), runtime.clock)
        await runtime.bus.execute(command, by)
        await connection.execute(SKIP, (tenant, stopped.name, stopped.position))
        await connection.execute(GO_ON, (stopped.position, tenant, _consumer(name)))
    return stopped


def _given(stopped: Stopped, reason: str) -> dict[str, object]:
    return {
        "tenant": stopped.tenant,
        "projection": stopped.name,
        "version": stopped.version,
        "position": stopped.position,
        "event_type": stopped.event_type,
        "reason": reason,
    }


async def _stopped(
    connection: Connection, tenant: TenantId, name: str, asked: int | None = None
) -> tuple[Stopped, int]:
    """Lock the cursor of what stopped; return it, and the position before the event.

    Where an event is *asked* for, what did not stop at it may be about to take it.
    """
    consumer = _consumer(name)
    row = await (await connection.execute(STANDING, (tenant, consumer))).fetchone()
    if row is None and name in read_models():
        row = (0, None, None, None)  # It has nothing to fold yet.
    if row is None:
        raise NotFound(
            "projections.absent",
            f"There is no {name} that reads this log.",
            hint="`asiento projections list` names what there is.",
        )
    position, failed, error, event_type = row
    if failed is None and event_type is not None and asked == position + 1:
        failed = asked
    if failed is None or asked not in {None, failed}:
        raise _not_failed(name, position, failed, comes=event_type is not None)
    model, version = read_consumer(consumer)
    stopped = Stopped(
        name=model,
        version=version,
        tenant=tenant,
        position=failed,
        event_type=event_type or "",
        error=error or "",
    )
    return stopped, position


def _not_failed(name: str, position: int, failed: int | None, *, comes: bool) -> Refused:
    """Say where it stands; what was told to retry has not failed again as yet."""
    if failed is not None:
        said, hint = (
            f"failed at event {failed}",
            f"That is what can be skipped: --position {failed}.",
        )
    elif comes:
        said = "did not fail"
        hint = (
            f"Told to retry, it may not have come to event {position + 1} yet: ask again in a"
            f" moment, or skip it with --position {position + 1}."
        )
    else:
        said, hint = "did not fail", "There is nothing to retry or to skip."
    return Refused(
        "projections.not_failed", f"{name} stands at position {position} and {said}.", hint=hint
    )


def _consumer(name: str) -> str:
    """Name the cursors of a read model as this version of the code folds it, or of another."""
    model = read_models().get(name)
    return name if model is None else consumer_of(model)
