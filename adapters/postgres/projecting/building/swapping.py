"""The moment in which new rows take the place of the old: a rename, and the last few events.

The projector waits from the fence on, for as long as the last events take; readers wait only for
the rename. A table that somebody reads for long is left alone, so that nobody queues behind us.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, LiteralString, TypeAlias

import structlog
from psycopg import errors, sql

from adapters.postgres.connections import SET_TENANT, Connection
from adapters.postgres.models.tables import guard_table
from adapters.postgres.models.versions import consumer_of
from adapters.postgres.projecting.building import ledger
from adapters.postgres.projecting.building.task import (
    ACT_FOR_NOW,
    AS_BEFORE,
    Task,
    former_name,
)
from adapters.postgres.projecting.cursors import BEGIN
from application.errors import Unavailable
from domain.ids import TenantId

ATTEMPTS_MAX: Final = 60
REST_SECONDS: Final = 0.5
FENCE: LiteralString = "SELECT pg_advisory_xact_lock(hashtextextended('projecting:' || %s, 0))"
# PostgreSQL's own vacuum gives way to whoever waits for more than a second (deadlock_timeout).
# This lock stands in the way of vacuums alone, so that we can wait for it.
NO_VACUUM: LiteralString = """
SET LOCAL lock_timeout = '5s'; LOCK TABLE {} IN SHARE UPDATE EXCLUSIVE MODE
"""
# Whoever comes behind us in a queue waits as long as we do.
PATIENCE: LiteralString = "SET LOCAL lock_timeout = '300ms'"
ONWARD: LiteralString = """
INSERT INTO projection_cursor AS c (tenant_id, projection, position)
SELECT t, %s, p FROM unnest(%s::uuid[], %s::bigint[]) AS m (t, p) WHERE p > 0
ON CONFLICT (tenant_id, projection) DO UPDATE
SET position = excluded.position, failed_position = NULL, error = NULL, updated_at = now()
WHERE c.position < excluded.position
"""
FORMER: LiteralString = """
UPDATE rebuild_piece AS p SET former_position = coalesce((
    SELECT c.position FROM projection_cursor AS c
    WHERE c.tenant_id = p.tenant_id AND c.projection = %s
), 0)
WHERE p.rebuild = %s AND p.piece = 0
"""
BACK: LiteralString = """
UPDATE projection_cursor AS c
SET position = p.former_position, failed_position = NULL, error = NULL, updated_at = now()
FROM rebuild_piece AS p
WHERE p.rebuild = %s AND p.piece = 0 AND c.tenant_id = p.tenant_id AND c.projection = %s
"""
# Logs that began after the swap have nothing in the former rows.
BEGUN_SINCE: LiteralString = """
DELETE FROM projection_cursor AS c
WHERE c.projection = %s AND NOT EXISTS (
    SELECT FROM rebuild_piece AS p WHERE p.rebuild = %s AND p.tenant_id = c.tenant_id
)
"""
HOLD_CURSOR: LiteralString = """
SELECT position FROM projection_cursor WHERE tenant_id = %s AND projection = %s FOR UPDATE
"""
CatchUp: TypeAlias = Callable[[], Awaitable[Mapping[TenantId, int]]]
"""Folds up to where the live rows are; returns the logs that the new rows know more of."""

log = structlog.get_logger()


async def swap(owner: Connection, task: Task, catch_up: CatchUp, kept_seconds: float) -> None:
    """Put the new table in the place of the old, which is kept beside it for a while.

    Raises:
        Conflict: Meanwhile the rebuild was broken off.
        Unavailable: Somebody reads the old one all the time.

    """
    former, consumer = former_name(task.live), consumer_of(task.model)
    await owner.execute(_drop(former))

    async def change_places() -> None:
        await owner.execute(FENCE, (consumer,))
        ahead = await catch_up()
        await owner.execute(ACT_FOR_NOW)
        await owner.execute(FORMER, (consumer, task.id))
        await _move_on(owner, consumer, ahead)
        await owner.execute(AS_BEFORE)
        await ledger.finish(owner, task, kept_seconds=kept_seconds)
        await owner.execute(_take_back(task.shadow))
        await owner.execute(guard_table(task.shadow))
        await owner.execute(_lock(task.live))
        await owner.execute(_rename(task.live, former))
        await owner.execute(_rename(task.shadow, task.live))
        await owner.execute(_may_empty("GRANT TRUNCATE ON {} TO asiento_app", former))

    await _patiently(owner, (task.live, task.shadow), change_places)
    if not kept_seconds:
        await owner.execute(_drop(former))
    log.info("projection.swapped", model=task.name)


async def replace_rows(owner: Connection, task: Task, tenant: TenantId, catch_up: CatchUp) -> None:
    """Put a tenant's new rows in the place of its old; the projector passes them by meanwhile.

    Raises:
        Conflict: Meanwhile the rebuild was broken off.

    """
    consumer, live = consumer_of(task.model), sql.Identifier(task.live)
    async with owner.transaction():
        await owner.execute(SET_TENANT, (tenant,))
        await owner.execute(BEGIN, (tenant, [consumer]))
        await owner.execute(HOLD_CURSOR, (tenant, consumer))
        ahead = await catch_up()
        await owner.execute(sql.SQL("DELETE FROM {} WHERE tenant_id = %s").format(live), (tenant,))
        await owner.execute(
            sql.SQL("INSERT INTO {} SELECT * FROM {}").format(live, sql.Identifier(task.shadow))
        )
        await owner.execute(ACT_FOR_NOW)
        await _move_on(owner, consumer, ahead)
        await owner.execute(AS_BEFORE)
        await ledger.finish(owner, task, kept_seconds=0)


async def swap_back(owner: Connection, task: Task, number: int, runner: str) -> None:
    """Let the former rows, kept by rebuild *number*, serve again; the projector does the rest.

    Raises:
        Unavailable: Somebody reads the table all the time.

    """
    former, consumer = former_name(task.live), consumer_of(task.model)

    async def change_places() -> None:
        await owner.execute(FENCE, (consumer,))
        await owner.execute(ACT_FOR_NOW)
        await owner.execute(BACK, (number, consumer))
        await owner.execute(BEGUN_SINCE, (consumer, number))
        await ledger.swapped_back(owner, number, runner)
        await owner.execute(AS_BEFORE)
        await owner.execute(_may_empty("REVOKE TRUNCATE ON {} FROM asiento_app", former))
        await owner.execute(_lock(task.live))
        await owner.execute(_drop(task.live))
        await owner.execute(_rename(former, task.live))

    await _patiently(owner, (task.live, former), change_places)
    log.info("projection.swapped_back", model=task.name)


async def _patiently(
    owner: Connection, tables: Sequence[str], change_places: Callable[[], Awaitable[None]]
) -> None:
    """Try again while somebody holds what must be ours for a moment."""
    no_vacuum = sql.SQL(NO_VACUUM).format(sql.SQL(", ").join(map(sql.Identifier, tables)))
    for _ in range(ATTEMPTS_MAX):
        try:
            async with owner.transaction():
                await owner.execute(no_vacuum)
                await owner.execute(PATIENCE)
                await change_places()
        except errors.LockNotAvailable:
            await asyncio.sleep(REST_SECONDS)
        else:
            return
    raise Unavailable(
        "projections.table_in_use",
        f"{tables[0]} was read or written all the time, and could not change places.",
        hint="End the long query or backup that reads it, and run the same again.",
    )


async def _move_on(owner: Connection, consumer: str, ahead: Mapping[TenantId, int]) -> None:
    """Bring the cursors to where the new rows are."""
    if ahead:
        await owner.execute(ONWARD, (consumer, list(ahead), list(ahead.values())))


def _lock(table: str) -> sql.Composed:
    return sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier(table))


def _rename(table: str, name: str) -> sql.Composed:
    return sql.SQL("ALTER TABLE {} RENAME TO {}").format(
        sql.Identifier(table), sql.Identifier(name)
    )


def _drop(table: str) -> sql.Composed:
    return sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(table))


def _take_back(table: str) -> sql.Composed:
    return sql.SQL("REVOKE ALL ON {} FROM asiento_appender").format(sql.Identifier(table))


def _may_empty(statement: LiteralString, table: str) -> sql.Composed:
    return sql.SQL(statement).format(sql.Identifier(table))
