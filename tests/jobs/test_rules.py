"""The rules of jobs."""

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from domain.ids import JobId
from domain.jobs import (
    CancelJob,
    ConfirmCancel,
    FailJob,
    FinishJob,
    Job,
    JobCancelled,
    JobCancelRequested,
    JobEvent,
    JobFailed,
    JobProgressed,
    JobQueued,
    JobStarted,
    JobSucceeded,
    JobWaiting,
    ReportProgress,
    ReportWaiting,
    StartJob,
)
from domain.kernel import Command, decide
from tests.kernel import given, history_of

JOB = JobId("j1")
queued = JobQueued(job=JOB, kind="imports.ingest", subject="b1")
started = JobStarted(job=JOB)
progressed = JobProgressed(job=JOB, done=50, total=100, message="half")
succeeded = JobSucceeded(job=JOB, done=100, message="done")
failed = JobFailed(job=JOB, code="imports.empty", message="It is empty.", hint="Send rows.")
asked = JobCancelRequested(job=JOB)
cancelled = JobCancelled(job=JOB)
ENDS = [(succeeded,), (failed,), (asked, cancelled)]

start, finish = StartJob(job=JOB), FinishJob(job=JOB, done=100, message="done")
progress = ReportProgress(job=JOB, done=50, total=100, message="half")
wait = ReportWaiting(job=JOB, reason="The disk is full.")
fail = FailJob(job=JOB, code="imports.empty", message="It is empty.", hint="Send rows.")
cancel, confirm = CancelJob(job=JOB), ConfirmCancel(job=JOB)


def test_a_worker_takes_a_queued_job_up() -> None:
    given(queued).when(start).then(started)


def test_taking_a_job_up_again_after_a_crash_changes_nothing() -> None:
    given(queued, started).when(start).then_nothing()


def test_progress_is_noted() -> None:
    given(queued, started).when(progress).then(progressed)


def test_the_same_progress_is_noted_once() -> None:
    given(queued, started, progressed).when(progress).then_nothing()


def test_a_job_says_why_it_stands_still() -> None:
    given(queued, started).when(wait).then(JobWaiting(job=JOB, reason="The disk is full."))


def test_waiting_changes_nothing_of_what_is_done() -> None:
    waiting = JobWaiting(job=JOB, reason="The disk is full.")
    job = Job.at(job=JOB).fold([queued, started, progressed, waiting])
    assert job == Job(status="running", done=50)


def test_a_job_succeeds() -> None:
    given(queued, started, progressed).when(finish).then(succeeded)


def test_a_job_fails_and_says_why() -> None:
    given(queued, started).when(fail).then(failed)


def test_a_job_is_asked_to_stop_and_stops() -> None:
    given(queued, started).when(cancel).then(asked)
    given(queued, started, asked).when(confirm).then(cancelled)


def test_asking_twice_to_stop_changes_nothing() -> None:
    given(queued, asked).when(cancel).then_nothing()


def test_nothing_stops_that_was_not_asked_to() -> None:
    given(queued, started).when(confirm).then_nothing()


def test_a_job_that_is_asked_to_stop_may_be_done_first() -> None:
    given(queued, started, asked).when(finish).then(succeeded)


def test_there_must_be_a_job_to_cancel() -> None:
    given().when(cancel).then_refused("jobs.absent")


@pytest.mark.parametrize("end", ENDS, ids=["succeeded", "failed", "cancelled"])
def test_a_job_that_is_over_is_not_cancelled(end: tuple[JobEvent, ...]) -> None:
    given(queued, started, *end).when(cancel).then_refused("jobs.ended")


@pytest.mark.parametrize("end", ENDS, ids=["succeeded", "failed", "cancelled"])
@pytest.mark.parametrize("command", [start, progress, wait, finish, fail, confirm])
def test_after_its_end_nothing_happens_to_a_job(
    end: tuple[JobEvent, ...], command: Command
) -> None:
    given(queued, started, *end).when(command).then_nothing()


everything = st.sampled_from([start, progress, wait, finish, fail, cancel, confirm])


@settings(max_examples=40)
@for_all(st.lists(everything, max_size=12))
def test_a_job_ends_once_and_nothing_follows(sequence: list[Command]) -> None:
    history = history_of(sequence, [queued])
    ends = [
        place
        for place, event in enumerate(history)
        if isinstance(event, JobSucceeded | JobFailed | JobCancelled)
    ]
    assert ends in ([], [len(history) - 1])
    if ends:
        assert all(decide(command, history) == () for command in sequence if command != cancel)
