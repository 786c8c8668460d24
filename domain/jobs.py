"""Jobs: long work that reports how far it is, resumes after a crash and can be cancelled."""

from collections.abc import Iterator
from typing import Literal, TypeAlias

from msgspec.structs import replace

from domain.ids import JobId
from domain.kernel import Boundary, Command, Event, Key, Refused, State

JobStatus: TypeAlias = Literal[
    "absent", "queued", "running", "cancelling", "succeeded", "failed", "cancelled"
]


class JobQueued(Event):
    """Work is wanted. Appended together with the event that wants it."""

    job: Key[JobId]
    kind: str  # module.work, such as imports.ingest
    subject: str  # The id of what is worked on.


class JobStarted(Event):
    job: Key[JobId]


class JobProgressed(Event):
    """A milestone. What lies between goes to Redis only."""

    job: Key[JobId]
    done: int
    total: int | None = None
    message: str = ""


class JobWaiting(Event):
    """Something outside is missing, such as disk space or the database; the job goes on later."""

    job: Key[JobId]
    reason: str


class JobSucceeded(Event):
    job: Key[JobId]
    done: int
    message: str = ""


class JobFailed(Event):
    job: Key[JobId]
    code: str
    message: str
    hint: str


class JobCancelRequested(Event):
    job: Key[JobId]


class JobCancelled(Event):
    job: Key[JobId]


JobEvent: TypeAlias = (
    JobQueued
    | JobStarted
    | JobProgressed
    | JobWaiting
    | JobSucceeded
    | JobFailed
    | JobCancelRequested
    | JobCancelled
)


class Job(State):
    status: JobStatus = "absent"
    done: int = 0

    def evolve(self, event: JobEvent) -> "Job":  # noqa: PLR0911 - one a case.
        match event:
            case JobQueued():
                return Job(status="queued")
            case JobStarted():
                return replace(self, status="running")
            case JobProgressed(done=done):
                return replace(self, done=done)
            case JobWaiting():
                return self
            case JobSucceeded(done=done):
                return Job(status="succeeded", done=done)
            case JobFailed():
                return replace(self, status="failed")
            case JobCancelRequested():
                return replace(self, status="cancelling")
            case JobCancelled():
                return replace(self, status="cancelled")

    @property
    def ended(self) -> bool:
        return self.status in {"succeeded", "failed", "cancelled"}


class _OnJob(Command):
    job: JobId

    def boundary(self) -> tuple[Boundary[Job]]:
        return (Job.at(job=self.job),)


class StartJob(_OnJob):
    """Note that a worker took the job up. After a crash another takes it up again."""

    def decide(self, job: Job) -> Iterator[JobEvent]:
        if job.status == "queued":
            yield JobStarted(job=self.job)


class ReportProgress(_OnJob):
    """Note how far the job is."""

    done: int
    total: int | None = None
    message: str = ""

    def decide(self, job: Job) -> Iterator[JobEvent]:
        if not job.ended and self.done != job.done:
            yield JobProgressed(
                job=self.job, done=self.done, total=self.total, message=self.message
            )


class ReportWaiting(_OnJob):
    """Note why the job stands still for now."""

    reason: str

    def decide(self, job: Job) -> Iterator[JobEvent]:
        if not job.ended:
            yield JobWaiting(job=self.job, reason=self.reason)


class FinishJob(_OnJob):
    """Note that all the work is done."""

    done: int
    message: str = ""

    def decide(self, job: Job) -> Iterator[JobEvent]:
        if not job.ended:
            yield JobSucceeded(job=self.job, done=self.done, message=self.message)


class FailJob(_OnJob):
    """Note that the work can't be done, and why."""

    code: str
    message: str
    hint: str

    def decide(self, job: Job) -> Iterator[JobEvent]:
        if not job.ended:
            yield JobFailed(job=self.job, code=self.code, message=self.message, hint=self.hint)


class CancelJob(_OnJob):
    """Ask a job to stop. It stops after the chunk it is working on; what is done stays."""

    def decide(self, job: Job) -> Iterator[JobEvent]:
        if job.status == "absent":
            raise Refused("jobs.absent", f"There is no job {self.job}.", hint="List the jobs.")
        if job.ended:
            raise Refused(
                "jobs.ended",
                f"Job {self.job} is over: it {job.status}.",
                hint="There is nothing left to cancel.",
            )
        if job.status != "cancelling":
            yield JobCancelRequested(job=self.job)


class ConfirmCancel(_OnJob):
    """Note that a job stopped because it was asked to."""

    def decide(self, job: Job) -> Iterator[JobEvent]:
        if job.status == "cancelling":
            yield JobCancelled(job=self.job)
