"""Jobs: an event that wants work done is appended together with the job it queues."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import timedelta
from functools import cache
from typing import Final, TypeVar

import structlog
from msgspec import Struct

from application.bus import Bus
from application.discovery import modules_of
from application.errors import ApplicationError, Unavailable
from application.kernel import EVERYTHING, Context, Exposed, Outcome, new_id
from application.ports import Blobs, Clock, EventStore, Progress, Staging
from domain.ids import SYSTEM_TENANT, JobId, TenantId
from domain.jobs import (
    CancelJob,
    ConfirmCancel,
    FailJob,
    FinishJob,
    Job,
    JobQueued,
    ReportProgress,
    ReportWaiting,
    StartJob,
)
from domain.kernel import Boundary, Command, Event, Refused, State
from domain.profiles import Profile
from domain.tenants import CURRENCIES, Tenant

S = TypeVar("S", bound=State)
log = structlog.get_logger()
MILESTONE_SHARE: Final = 0.05
MILESTONE_TIME: Final = timedelta(seconds=5)
MILESTONE_REST: Final = timedelta(seconds=0.5)

WORK: Final = "jobs.job.work"
COMMANDS = (
    Exposed(command=CancelJob, permission="jobs.job.cancel", route="POST /jobs/{job}/cancel"),
    Exposed(command=StartJob, permission=WORK, always=True),
    Exposed(command=ReportProgress, permission=WORK, always=True),
    Exposed(command=ReportWaiting, permission=WORK, always=True),
    Exposed(command=FinishJob, permission=WORK, always=True),
    Exposed(command=FailJob, permission=WORK, always=True),
    Exposed(command=ConfirmCancel, permission=WORK, always=True),
)


class Cancelled(Exception):
    """The job was asked to stop, and stops between two chunks."""


class Workplace(Struct, frozen=True, kw_only=True):
    """What work is done with, in a worker process."""

    bus: Bus
    store: EventStore
    staging: Staging
    blobs: Blobs
    progress: Progress
    clock: Clock
    chunk_rows: int


class Report:
    """How far a job is: each step to watchers, every 5 per cent or 5 seconds an event.

    A job that runs through its 5 per cents faster than twice a second makes fewer events.
    """

    def __init__(self, task: "Task") -> None:
        self._task = task
        self._last_done = 0
        self._last_at = task.place.clock.now()

    async def advance(self, done: int, total: int | None = None, message: str = "") -> None:
        """Tell how much is done.

        Raises:
            Cancelled: Somebody asked the job to stop.

        """
        task, now = self._task, self._task.place.clock.now()
        await task.place.progress.tick(
            task.tenant, task.job, done=done, total=total, message=message
        )
        share = (done - self._last_done) / total if total else 0.0
        since = now - self._last_at
        if since >= MILESTONE_TIME or (share >= MILESTONE_SHARE and since >= MILESTONE_REST):
            self._last_done, self._last_at = done, now
            await task.execute(
                ReportProgress(job=task.job, done=done, total=total, message=message)
            )
        if (await task.fold(Job.at(job=task.job))).status == "cancelling":
            raise Cancelled


class Task:
    """One job in the hands of a worker."""

    def __init__(self, place: Workplace, tenant: TenantId, job: JobId, subject: str) -> None:
        self.place = place
        self.tenant = tenant
        self.job = job
        self.subject = subject
        self.report = Report(self)
        self._context = Context(
            tenant=tenant,
            actor=f"job:{job}",
            permissions=frozenset({EVERYTHING}),
            correlation_id=job,
            causation_id=job,
        )

    @property
    def chunk_rows(self) -> int:
        return self.place.chunk_rows

    def new_id(self) -> str:
        return new_id(self.place.clock.now())

    async def execute(self, command: Command) -> Outcome:
        """Run a command on behalf of the job."""
        return await self.place.bus.execute(command, self._context)

    async def execute_many(
        self,
        commands: Sequence[Command],
        closing: Callable[[Sequence[Outcome | Refused]], Awaitable[Command]] | None = None,
    ) -> list[Outcome | Refused]:
        """Run commands as one append on behalf of the job, closed by one more if need be."""
        return await self.place.bus.execute_many(commands, self._context, closing=closing)

    async def fold(self, boundary: Boundary[S]) -> S:
        """Read a state of the tenant, as it is now."""
        return await self.place.bus.fold(self.tenant, boundary)

    async def currency(self) -> str:
        """Return the currency of the company's profile, or else of its country."""
        profile = await self.fold(Profile.own())
        if profile.currency is not None:
            return profile.currency
        tenant = await self.place.bus.fold(SYSTEM_TENANT, Tenant.at(tenant=self.tenant))
        return CURRENCIES[tenant.country]


class JobKind(Struct, frozen=True, kw_only=True):
    """Work that an event asks for. ``application/<module>.py`` lists its own as ``JOBS``.

    Attributes:
        name: ``module.work``, such as ``imports.ingest``.
        wanted_by: The event; it has a field ``job`` and the field named by *subject*.
        work: Does it, from where it stopped; returns how much is done and a last word.
        abandoned: Given the subject, the command that says a cancelled or failed job left it.

    """

    name: str
    wanted_by: type[Event]
    subject: str
    work: Callable[[Task], Awaitable[tuple[int, str]]]
    abandoned: Callable[[str], Command] | None = None


@cache
def job_kinds() -> dict[str, JobKind]:
    """Find the kinds of job that the modules of ``application`` list as ``JOBS``."""
    return {
        kind.name: kind
        for module in modules_of("application")
        for kind in getattr(module, "JOBS", ())
    }


@cache
def _by_event() -> dict[type[Event], JobKind]:
    return {kind.wanted_by: kind for kind in job_kinds().values()}


def companions(_command: Command, event: Event) -> Iterable[Event]:
    """Queue the job that *event* wants, in the same append."""
    kind = _by_event().get(type(event))
    if kind is not None:
        subject: str = getattr(event, kind.subject)
        job: JobId = getattr(event, "job")  # noqa: B009 - only events that want a job have it.
        yield JobQueued(job=job, kind=kind.name, subject=subject)


async def do_job(task: Task, kind: str) -> None:
    """Do a job from where it stopped, and note how it ended. A job that is over is left alone.

    Raises:
        Unavailable: A server is away; the job is to be done again.

    """
    if (await task.fold(Job.at(job=task.job))).ended:
        return
    await task.execute(StartJob(job=task.job))
    try:
        done, message = await job_kinds()[kind].work(task)
    except Unavailable:
        raise
    except Cancelled:
        await _abandon(task, kind, ConfirmCancel(job=task.job))
    except (Refused, ApplicationError) as error:
        await _abandon(task, kind, _failed(task.job, error))
    except Exception:
        log.exception("job.crashed")
        await _abandon(task, kind, _crashed(task.job))
    else:
        await task.place.progress.tick(
            task.tenant, task.job, done=done, total=done, message=message
        )
        await task.execute(FinishJob(job=task.job, done=done, message=message))
        log.info("job.succeeded", done=done)


async def _abandon(task: Task, kind: str, end: Command) -> None:
    """Free what the job was working on, then note its end."""
    abandoned = job_kinds()[kind].abandoned
    if abandoned is not None:
        await task.execute(abandoned(task.subject))
    await task.execute(end)
    log.info("job.ended", how=type(end).__name__)


def _failed(job: JobId, error: Refused | ApplicationError) -> FailJob:
    return FailJob(job=job, code=error.code, message=error.message, hint=error.hint)


def _crashed(job: JobId) -> FailJob:
    return FailJob(
        job=job,
        code="jobs.crashed",
        message="The job met an error of ours.",
        hint="It is in the log under the job's id. Ask whoever runs this instance.",
    )
