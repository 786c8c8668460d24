"""A job is followed by its milestones and the ticks between, until it ends, with none missed."""

import asyncio
from uuid import uuid4

import pytest

from adapters.cli.output import progress
from adapters.cli.session import operator
from adapters.cli.watch import JobStopped, watch_job
from adapters.following import JobNews, follow_job
from adapters.runtime import Runtime
from application.codec import encode
from application.errors import NotFound
from application.ports import Append
from domain.ids import SYSTEM_TENANT, JobId, TenantId
from domain.jobs import (
    CancelJob,
    ConfirmCancel,
    FailJob,
    FinishJob,
    JobQueued,
    ReportProgress,
    StartJob,
)
from domain.kernel import Command
from domain.tenants import CloseTenant, CreateTenant, Slug


class Work:
    """A job of a tenant of its own, as a worker would drive it."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.tenant = TenantId(str(uuid4()))
        self.job = JobId(str(uuid4()))

    async def queue(self) -> None:
        queued = JobQueued(job=self.job, kind="tests.work", subject="s")
        event = encode(queued, actor="test", correlation_id="c", causation_id="")
        await self.runtime.store.append(self.tenant, Append(events=(event,)))

    async def do(self, *commands: Command) -> None:
        for command in commands:
            await self.runtime.bus.execute(command, operator(self.tenant))

    async def tick(self, done: int) -> None:
        await self.runtime.hub.tick(self.tenant, self.job, done=done, total=10, message="tick")

    async def followed(self, after: int = 0) -> list[JobNews]:
        news = follow_job(self.runtime, self.tenant, self.job, after)
        return [each async for each in news]


@pytest.fixture
async def work(runtime: Runtime) -> Work:
    work = Work(runtime)
    await work.queue()
    return work


async def test_a_finished_job_is_told_from_its_first_milestone(work: Work) -> None:
    started, halfway = StartJob(job=work.job), ReportProgress(job=work.job, done=5, total=10)
    await work.do(started, halfway, FinishJob(job=work.job, done=10, message="All."))
    told = await work.followed()
    assert [each.status for each in told] == ["queued", "running", "running", "succeeded"]
    assert [each.done for each in told] == [0, 0, 5, 10]
    assert told[-1].message == "All."


async def test_a_follower_that_comes_back_hears_only_what_is_new(work: Work) -> None:
    await work.do(StartJob(job=work.job), FinishJob(job=work.job, done=1))
    told = await work.followed()
    assert await work.followed(after=told[1].cursor) == told[2:]
    assert await work.followed(after=told[-1].cursor) == []


async def test_ticks_are_heard_between_milestones(work: Work) -> None:
    following = asyncio.create_task(work.followed())
    await work.do(StartJob(job=work.job))
    for done in (1, 2, 3):
        await asyncio.sleep(0.2)
        await work.tick(done)
    await asyncio.sleep(0.2)
    await work.do(FinishJob(job=work.job, done=3))
    told = await asyncio.wait_for(following, 10)
    assert "tick" in {each.message for each in told}
    assert told[-1].status == "succeeded"
    assert sorted(each.done for each in told) == [each.done for each in told]


async def test_who_comes_late_hears_the_last_tick(work: Work) -> None:
    await work.do(StartJob(job=work.job))
    await work.tick(7)
    news = follow_job(work.runtime, work.tenant, work.job)
    told = [await anext(news) for _ in range(3)]
    await news.aclose()
    assert [each.done for each in told] == [0, 0, 7]


async def test_a_job_that_is_not_there_is_not_found(runtime: Runtime) -> None:
    with pytest.raises(NotFound):
        await Work(runtime).followed()


async def test_a_failed_job_stops_its_watcher_with_its_own_code(work: Work) -> None:
    await work.do(FailJob(job=work.job, code="tests.broken", message="It broke.", hint="Mend it."))
    with progress() as bars, pytest.raises(JobStopped) as stopped:
        await watch_job(work.runtime, work.tenant, work.job, bars, "test")
    assert (stopped.value.code, stopped.value.hint) == ("tests.broken", "Mend it.")


async def test_a_cancelled_job_stops_its_watcher(work: Work) -> None:
    await work.do(CancelJob(job=work.job), ConfirmCancel(job=work.job))
    with progress() as bars, pytest.raises(JobStopped) as stopped:
        await watch_job(work.runtime, work.tenant, work.job, bars, "test")
    assert stopped.value.code == "jobs.cancelled"


async def test_a_job_whose_books_are_closed_stops_its_watcher(work: Work) -> None:
    slug = f"t-{work.tenant[:8]}"
    opened = CreateTenant(tenant=work.tenant, slug=Slug(slug), name="Closing", country="ES")
    for command in (opened, CloseTenant(tenant=work.tenant)):
        await work.runtime.bus.execute(command, operator(SYSTEM_TENANT))
    with progress() as bars, pytest.raises(JobStopped) as stopped:
        await watch_job(work.runtime, work.tenant, work.job, bars, "test")
    assert stopped.value.code == "tenants.closed"
