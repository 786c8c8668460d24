"""Following a log as it grows, and a job: milestones out of its log, ticks between out of Redis.

What Redis loses, the log still tells; so a follower that comes late or falls behind misses no
milestone, and ends when the job does.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Final, TypeAlias

from msgspec import Struct

from adapters.redis.hub import HeadMoved, News, Tick
from adapters.runtime import Runtime
from application.codec import check_tag, decode
from application.errors import NotFound
from application.ports import QueryItem, StoredEvent
from domain.ids import JobId, TenantId
from domain.jobs import Job, JobStatus
from domain.kernel import event_types_of
from projections.jobs import JobRow, Jobs
from projections.kernel import fold

LOOK_SECONDS: Final = 1.0
"""How often the log is looked at where nothing is heard."""

REST_SECONDS: Final = 0.01
"""The first news is answered at once; what comes so soon behind it, together."""

PAGE_EVENTS: Final = 500
PAGE_CHARACTERS: Final = 1_000_000
"""What a page may weigh, so that a reader who is slow holds little; an event has no size limit."""

MILESTONES: Final = tuple(event.__name__ for event in event_types_of(Job.evolve))
ENDED: Final = frozenset({"succeeded", "failed", "cancelled"})


Listening: TypeAlias = AbstractAsyncContextManager["asyncio.Queue[News]"]


class JobNews(Struct, frozen=True, kw_only=True):
    """How far a job is. Done and total count what the job counts, such as rows.

    Attributes:
        cursor: The position of the last milestone: following after it misses nothing.
        code: Why the job failed, for programs; None unless it did.
        passing: It stands between two milestones, and may be lost.

    """

    cursor: int
    status: JobStatus
    done: int
    total: int | None
    message: str
    code: str | None = None
    hint: str | None = None
    passing: bool = False

    @property
    def ended(self) -> bool:
        return self.status in ENDED


async def pages(found: AsyncIterator[StoredEvent]) -> AsyncGenerator[list[StoredEvent], None]:
    """Put what is read together by pages, so that what is sealed in one is opened at once."""
    page: list[StoredEvent] = []
    weight = 0
    async for event in found:
        page.append(event)
        weight += len(event.data)
        if len(page) == PAGE_EVENTS or weight >= PAGE_CHARACTERS:
            yield page
            page, weight = [], 0
    if page:
        yield page


async def follow_log(
    runtime: Runtime, tenant: TenantId, types: tuple[str, ...], after: int
) -> AsyncGenerator[tuple[list[StoredEvent], int], None]:
    """Yield what is behind a position by pages, as the log grows, each with its last position.

    An empty page says that there is no more up to its position for now. No types: all of them.

    Raises:
        Unavailable: PostgreSQL is away. Follow again after the last position.

    """
    query = [QueryItem(types=types)] if types else []
    async with runtime.hub.listen(tenant) as news:
        while True:
            head = max(after, await runtime.store.head(tenant))
            if head > after:
                async for page in pages(runtime.store.read(tenant, query, after=after, until=head)):
                    yield page, page[-1].position
            after = head
            yield [], after
            await grown(news, after)


async def grown(news: "asyncio.Queue[News]", after: int) -> int:
    """Wait until a log may have grown past *after*; return where to, or what it was."""
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            while True:
                match await news.get():
                    case HeadMoved(position=head) if head > after:
                        return head
    except TimeoutError:
        return after


async def follow_job(
    runtime: Runtime, tenant: TenantId, job: JobId, after: int = 0
) -> AsyncGenerator[JobNews, None]:
    """Yield each milestone after the position *after*, with ticks between, until the job ends.

    Raises:
        NotFound: The tenant has no such job.
        Unavailable: PostgreSQL is away. Follow again after the last cursor.

    """
    listening = runtime.hub.listen(tenant, job)
    async with aclosing(news_of(runtime, tenant, job, after, listening=listening)) as coming:
        async for each in coming:
            if not isinstance(each, int):
                yield each


async def news_of(
    runtime: Runtime,
    tenant: TenantId,
    job: JobId,
    after: int,
    *,
    listening: Listening,
    look_seconds: float = LOOK_SECONDS,
) -> AsyncGenerator[JobNews | int, None]:
    """As ``follow_job``; a cursor alone says that there are no more milestones up to it for now.

    The log is looked at when a hint is heard, and where none is, every *look_seconds*.
    """
    check_tag(f"job:{job}")
    loop = asyncio.get_running_loop()
    milestones = [QueryItem(types=MILESTONES, tags=(f"job:{job}",))]
    rows: dict[str, JobRow] = {}
    cursor, look_at = 0, 0.0
    async with listening as news:
        tick = await runtime.hub.last_tick(tenant, job)
        while True:
            if loop.time() >= look_at:
                async for stored in runtime.store.read(tenant, milestones, after=cursor):
                    fold(Jobs, rows, decode(stored))
                    cursor = stored.position
                    if cursor > after:
                        yield _milestone(rows[job], cursor)
                look_at = loop.time() + look_seconds
            if job not in rows:
                raise NotFound("jobs.absent", f"There is no job {job}.", hint="List the jobs.")
            if rows[job].status in ENDED:
                return
            yield max(cursor, after)
            if tick is not None and tick.done > rows[job].done:
                yield _between(tick, rows[job], cursor)
            rested_at = loop.time() + REST_SECONDS
            tick, moved = await _next(news, tenant, job, rested_at, look_at)
            look_at = 0.0 if moved else look_at


async def _next(
    news: "asyncio.Queue[News]", tenant: TenantId, job: JobId, rested_at: float, look_at: float
) -> tuple[Tick | None, bool]:
    """Wait for news: the last tick of the job, and whether the log may have grown."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout_at(look_at):
            heard = await news.get()
            while not _is_about(heard, tenant, job):
                heard = await news.get()
    except TimeoutError:
        return None, True
    if loop.time() < rested_at:
        await asyncio.sleep(rested_at - loop.time())
    mine = [
        each
        for each in (heard, *(news.get_nowait() for _ in range(news.qsize())))
        if _is_about(each, tenant, job)
    ]
    ticks = [each for each in mine if isinstance(each, Tick)]
    return (ticks[-1] if ticks else None), len(ticks) < len(mine)


def _is_about(heard: News, tenant: TenantId, job: JobId) -> bool:
    return heard.tenant == tenant and (not isinstance(heard, Tick) or heard.job == job)


def _milestone(row: JobRow, cursor: int) -> JobNews:
    return JobNews(
        cursor=cursor,
        status=row.status,
        done=row.done,
        total=row.total,
        message=row.message,
        code=row.error_code,
        hint=row.hint,
    )


def _between(tick: Tick, row: JobRow, cursor: int) -> JobNews:
    return JobNews(
        cursor=cursor,
        status=row.status,
        done=tick.done,
        total=tick.total,
        message=tick.message,
        passing=True,
    )
