"""One job from start to end: under its lock, from where it stopped, whatever breaks on the way."""

import asyncio
from typing import Final

import structlog

from adapters.postgres.locks import held, lock_of_job
from adapters.postgres.staging import PostgresStaging
from adapters.runtime import Runtime
from application.errors import ApplicationError, Unavailable
from application.jobs import Task, Workplace, do_job
from domain.ids import JobId, TenantId
from domain.jobs import ReportWaiting
from domain.kernel import Refused

LOCK_SECONDS: Final = 5.0
RETRY_SECONDS_FIRST: Final = 0.5
RETRY_SECONDS_MAX: Final = 10.0
CLOSED: Final = "tenants.closed"
log = structlog.get_logger()


def workplace(runtime: Runtime) -> Workplace:
    """Give jobs what they work with."""
    return Workplace(
        bus=runtime.bus,
        store=runtime.store,
        staging=PostgresStaging(runtime.pool),
        blobs=runtime.blobs,
        progress=runtime.hub,
        clock=runtime.clock,
        chunk_rows=runtime.settings.import_chunk_rows,
    )


async def run_job(runtime: Runtime, tenant: TenantId, job: JobId, kind: str, subject: str) -> None:
    """Do a job to its end. While a server is away it waits, and says so."""
    task = Task(workplace(runtime), tenant, job, subject)
    pause = RETRY_SECONDS_FIRST
    with structlog.contextvars.bound_contextvars(job=job, tenant=tenant, kind=kind):
        while True:
            try:
                await _attempt(runtime, task, kind)
            except Refused as refusal:
                if refusal.code != CLOSED:
                    raise
                log.info("job.books_closed")  # It goes on where it stopped, should they reopen.
                return
            except Unavailable as error:
                await _say_waiting(task, error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, RETRY_SECONDS_MAX)
            else:
                return


async def _attempt(runtime: Runtime, task: Task, kind: str) -> None:
    url = runtime.settings.database_url or ""
    async with held(url, lock_of_job(task.tenant, task.job), seconds_max=LOCK_SECONDS) as mine:
        if not mine:
            log.info("job.held_elsewhere")
            return
        await do_job(task, kind)


async def _say_waiting(task: Task, error: Unavailable) -> None:
    """Say that the job stands still: to watchers, and in the log if it can be reached."""
    log.warning("job.waiting", reason=error.message)
    reason = f"Waiting: {error.message} It goes on by itself."
    await task.place.progress.tick(task.tenant, task.job, done=0, total=None, message=reason)
    try:
        await task.execute(ReportWaiting(job=task.job, reason=reason))
    except ApplicationError:
        log.info("job.waiting_not_noted")
