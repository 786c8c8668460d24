"""Waiting for a job at a terminal: a bar that moves, and an answer when it ends."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeVar

from rich.progress import Progress, TaskID

from adapters.cli.output import note
from adapters.following import JobNews, follow_job
from adapters.postgres.connections import tenant_transaction
from adapters.runtime import Runtime
from application.errors import ApplicationError, Unavailable
from domain.ids import JobId, TenantId

UNTAKEN_SECONDS_MAX: Final = 10.0
"""A job that waits longer makes people wonder whether a worker runs."""

OUTAGE_SECONDS_MAX: Final = 120.0
"""How long a database may be away before the watcher gives up. The job itself goes on."""

STILL_SECONDS_MAX: Final = 30.0
POLL_SECONDS: Final = 0.02
RETRY_SECONDS: Final = 1.0
T = TypeVar("T")
CURSOR: Final = "SELECT position FROM projection_cursor WHERE tenant_id = %s AND projection = %s"


class JobStopped(ApplicationError):
    """A job ended without doing its work. Its own code says why."""


async def watch_job(
    runtime: Runtime, tenant: TenantId, job: JobId, bars: Progress, step: str
) -> JobNews:
    """Follow a job to its success, through outages, and return its last news.

    Raises:
        JobStopped: It failed or was cancelled, or the books were closed.
        Unavailable: PostgreSQL was away for too long.

    """
    following = asyncio.create_task(_follow(runtime, tenant, job, bars, step))
    try:
        while not following.done():
            await asyncio.wait({following}, timeout=RETRY_SECONDS)
            if not following.done():
                await _check_open(runtime, tenant)
        return following.result()
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def _check_open(runtime: Runtime, tenant: TenantId) -> None:
    """See that the books are not closed: no job could note its end in them."""
    with suppress(Unavailable):
        if await runtime.bus.is_locked(tenant):
            raise JobStopped(
                "tenants.closed",
                "The books were closed while the job ran.",
                hint="It goes on where it stopped, should they be reopened.",
            )


async def _follow(
    runtime: Runtime, tenant: TenantId, job: JobId, bars: Progress, step: str
) -> JobNews:
    bar = bars.add_task(step, total=None, said="")
    loop = asyncio.get_running_loop()
    seen, heard_at = 0, loop.time()
    reminder = loop.call_later(UNTAKEN_SECONDS_MAX, note, "No worker has taken the job up yet.")
    try:
        while True:
            try:
                async for news in follow_job(runtime, tenant, job, after=seen):
                    seen, heard_at = news.cursor, loop.time()
                    if news.status != "queued":
                        reminder.cancel()
                    _draw(bars, bar, news)
                    if news.ended:
                        return _succeeded(news)
            except Unavailable:
                if loop.time() - heard_at > OUTAGE_SECONDS_MAX:
                    raise
                bars.update(bar, said="PostgreSQL is away; waiting for it.")
                await asyncio.sleep(RETRY_SECONDS)
    finally:
        reminder.cancel()


async def through_outages(work: Callable[[], Awaitable[T]]) -> T:
    """Do what may be done twice, again and again while PostgreSQL is away.

    Raises:
        Unavailable: It was away for too long.

    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + OUTAGE_SECONDS_MAX
    while True:
        try:
            return await work()
        except Unavailable:
            if loop.time() > deadline:
                raise
            await asyncio.sleep(RETRY_SECONDS)


async def watch_projection(runtime: Runtime, tenant: TenantId, name: str, position: int) -> None:
    """Wait until the read model *name* holds what happened up to *position*.

    Raises:
        Unavailable: It stands still: no projector runs, or an event fails.

    """
    loop = asyncio.get_running_loop()
    at, moved_at = -1, loop.time()
    while True:
        async with tenant_transaction(runtime.pool, tenant) as connection:
            row = await (await connection.execute(CURSOR, (tenant, name))).fetchone()
        if row is not None and row[0] > at:
            at, moved_at = row[0], loop.time()
        if at >= position:
            return
        if loop.time() - moved_at > STILL_SECONDS_MAX:
            raise Unavailable(
                "projections.still",
                f"The projection {name} stands still at {max(at, 0)} of {position}.",
                hint="Start a projector; `asiento projections list` shows whether an event fails.",
            )
        await asyncio.sleep(POLL_SECONDS)


def _draw(bars: Progress, bar: TaskID, news: JobNews) -> None:
    total = news.done if news.status == "succeeded" else news.total
    bars.update(bar, completed=news.done, total=total, said=news.message)


def _succeeded(news: JobNews) -> JobNews:
    if news.status == "succeeded":
        return news
    raise JobStopped(
        news.code or "jobs.cancelled",
        news.message or f"The job was {news.status}.",
        hint=news.hint or "What it had done stays; start it again where it is wanted.",
    )
