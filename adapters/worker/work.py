"""One job from start to end: under its lock, from where it stopped, whatever breaks on the way."""

import asyncio
from typing import Final

import structlog

from adapters.postgres.locks import held
from adapters.postgres.staging import PostgresStaging
from adapters.runtime import Runtime
from application.errors import ApplicationError, Unavailable
from application.jobs import Cancelled, Task, Workplace, job_kinds
from domain.ids import JobId, TenantId
from domain.jobs import ConfirmCancel, FailJob, FinishJob, Job, ReportWaiting, StartJob
from domain.kernel import Refused

LOCK_SECONDS: Final = 5.0
RETRY_SECONDS_FIRST: Final = 0.5
RETRY_SECONDS_MAX: Final = 10.0
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
            except Unavailable as error:
                await _say_waiting(task, error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, RETRY_SECONDS_MAX)
            else:
                return


async def _attempt(runtime: Runtime, task: Task, kind: str) -> None:
    url = runtime.settings.database_url or ""
    async with held(url, f"job:{task.job}", seconds_max=LOCK_SECONDS) as mine:
        if not mine:
            log.info("job.held_elsewhere")
            return
        if (await task.fold(Job.at(job=task.job))).ended:
            log.info("job.over")
            return
        await task.execute(StartJob(job=task.job))
        try:
            done, message = await job_kinds()[kind].work(task)
        except Cancelled:
            await task.execute(ConfirmCancel(job=task.job))
            log.info("job.cancelled")
        except Unavailable:
            raise
        except (Refused, ApplicationError) as error:
            await _fail(task, error.code, error.message, error.hint)
        except Exception:
            log.exception("job.crashed")
            hint = "It is in the log under the job's id. Ask whoever runs this instance."
            await _fail(task, "jobs.crashed", "The job met an error of ours.", hint)
        else:
            await task.place.progress.tick(
                task.tenant, task.job, done=done, total=done, message=message
            )
            await task.execute(FinishJob(job=task.job, done=done, message=message))
            log.info("job.succeeded", done=done)


async def _fail(task: Task, code: str, message: str, hint: str) -> None:
    await task.execute(FailJob(job=task.job, code=code, message=message, hint=hint))
    log.info("job.failed", code=code)


async def _say_waiting(task: Task, error: Unavailable) -> None:
    """Say that the job stands still: to watchers, and in the log if it can be reached."""
    log.warning("job.waiting", reason=error.message)
    reason = f"Waiting: {error.message} It goes on by itself."
    await task.place.progress.tick(task.tenant, task.job, done=0, total=None, message=reason)
    try:
        await task.execute(ReportWaiting(job=task.job, reason=reason))
    except ApplicationError:
        log.info("job.waiting_not_noted")
