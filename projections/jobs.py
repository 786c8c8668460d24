"""Jobs as people watch them: what runs, how far it is, what went wrong."""

from msgspec.structs import replace

from domain.ids import JobId
from domain.jobs import (
    JobCancelled,
    JobCancelRequested,
    JobEvent,
    JobFailed,
    JobProgressed,
    JobQueued,
    JobStarted,
    JobStatus,
    JobSucceeded,
    JobWaiting,
)
from projections.kernel import Indexed, ReadModel, Row


class JobRow(Row):
    """One job. Done and total count what the job's kind counts, such as rows."""

    job: JobId
    kind: Indexed[str]
    subject: Indexed[str]
    status: Indexed[JobStatus]
    done: int = 0
    total: int | None = None
    message: str = ""
    error_code: str | None = None
    hint: str | None = None


class Jobs(ReadModel[JobRow]):
    name = "jobs"
    row = JobRow
    key = "job"
    permission = "jobs.job.read"

    @staticmethod
    def apply(row: JobRow | None, event: JobEvent) -> JobRow | None:  # noqa: PLR0911 - one a case.
        if isinstance(event, JobQueued):
            return JobRow(job=event.job, kind=event.kind, subject=event.subject, status="queued")
        assert row is not None, "A job is queued before anything else happens to it."
        match event:
            case JobStarted():
                return replace(row, status="running", message="")
            case JobProgressed(done=done, total=total, message=message):
                return replace(row, done=done, total=total, message=message)
            case JobWaiting(reason=reason):
                return replace(row, message=reason)
            case JobSucceeded(done=done, message=message):
                return replace(row, status="succeeded", done=done, total=done, message=message)
            case JobFailed(code=code, message=message, hint=hint):
                return replace(row, status="failed", error_code=code, message=message, hint=hint)
            case JobCancelRequested():
                return replace(row, status="cancelling")
            case JobCancelled():
                return replace(row, status="cancelled")
