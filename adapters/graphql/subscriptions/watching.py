"""Subscriptions: a job until it ends, and the log as it grows. Nothing is lost or told twice.

Whoever comes back with the cursor of the last message goes on behind it.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Any, Final

import msgspec
import strawberry
from strawberry.types.field import StrawberryField

from adapters.following import JobNews, follow_log, news_of
from adapters.graphql.asking import Asking, Info
from adapters.graphql.scalars import POSITION, Json, Long, Position
from adapters.graphql.subscriptions.audience import audience_of
from adapters.graphql.subscriptions.changes import changed_field
from adapters.graphql.subscriptions.feeds import Feed, Told, as_generator
from adapters.postgres.models.conditions import require
from application.codec import event_types
from application.errors import Malformed, NotFound
from application.ports import StoredEvent
from domain.ids import JobId
from projections.jobs import Jobs

APPEAR_SECONDS_MAX: Final = 2.0
APPEAR_POLL_SECONDS: Final = 0.1
LOOK_SECONDS: Final = 60.0
"""How often a job's own log is looked at, though every milestone is heard of."""

EVENTS_PERMISSION: Final = "audit.event.read"
TYPES_MAX: Final = 100

JOB_PROGRESS: Final = (
    "A job's milestones after the cursor `after`, and ticks between; ends with the job."
)
EVENTS: Final = "The events after the position `after` in their order, with no gap and no end."


@strawberry.type(description="How far a job is. Done and total count what the job counts.")
class JobProgress:
    cursor: str = strawberry.field(description="Following after it misses no milestone.")
    status: str = strawberry.field(
        description="queued, running, cancelling, succeeded, failed or cancelled."
    )
    done: Long
    total: Long | None
    message: str


@strawberry.type(description="An event of the tenant's log.")
class LoggedEvent:
    position: Position
    type: str
    recorded_at: datetime
    actor: str
    data: Json


def watching_fields() -> dict[str, StrawberryField]:
    """Make the fields of Subscription, by name."""
    making: Any = strawberry.subscription  # Any: it claims to return what the resolver does.
    return {
        "job_progress": making(resolver=job_progress, description=JOB_PROGRESS),
        "events": making(resolver=events, description=EVENTS),
        "changed": changed_field(),
    }


def job_progress(
    info: Info, job: strawberry.ID, after: str | None = None
) -> AsyncGenerator[JobProgress, None]:
    asking = info.context
    require(asking.context, Jobs.permission)
    start = _cursor(after) if asking.resume_after is None else asking.resume_after
    return as_generator(JobFeed(asking, JobId(job), start))


def events(
    info: Info, after: Position | None = None, types: list[str] | None = None
) -> AsyncGenerator[LoggedEvent, None]:
    asking = info.context
    require(asking.context, EVENTS_PERMISSION)
    start = (after or 0) if asking.resume_after is None else asking.resume_after
    return as_generator(LogFeed(asking, _known(types), start))


class JobFeed(Feed[JobProgress]):
    """Tells how far a job is, also of one that is queued only in a moment."""

    def __init__(self, asking: Asking, job: JobId, after: int) -> None:
        super().__init__(after, asking.context.tenant, job)
        self._runtime = asking.runtime
        self._tenant = asking.context.tenant
        self._job = job

    async def follow(self, after: int) -> AsyncGenerator[Told[JobProgress], None]:
        loop = asyncio.get_running_loop()
        until = loop.time() + APPEAR_SECONDS_MAX
        while True:
            try:
                async with aclosing(self._news(after)) as coming:
                    async for each in coming:
                        yield Told(each) if isinstance(each, int) else _progress(each)
            except NotFound:
                if loop.time() > until:
                    raise
            else:
                return
            await asyncio.sleep(APPEAR_POLL_SECONDS)

    def _news(self, after: int) -> AsyncGenerator[JobNews | int, None]:
        listening = audience_of(self._runtime).milestones.listen(self._tenant, self._job)
        return news_of(
            self._runtime,
            self._tenant,
            self._job,
            after,
            listening=listening,
            look_seconds=LOOK_SECONDS,
        )


class LogFeed(Feed[LoggedEvent]):
    """Tells the events of a log, of some types or of all."""

    def __init__(self, asking: Asking, types: tuple[str, ...], after: int) -> None:
        super().__init__(after, asking.context.tenant, types)
        self._runtime = asking.runtime
        self._tenant = asking.context.tenant
        self._types = types

    async def follow(self, after: int) -> AsyncGenerator[Told[LoggedEvent], None]:
        coming = follow_log(self._runtime, self._tenant, self._types, after)
        async with aclosing(coming):
            async for page, position in coming:
                for stored in await self._runtime.vault.reveal(self._tenant, page):
                    yield _logged(stored)
                if not page:
                    yield Told(position)


def _progress(news: JobNews) -> Told[JobProgress]:
    progress = JobProgress(
        cursor=str(news.cursor),
        status=news.status,
        done=Long(news.done),
        total=None if news.total is None else Long(news.total),
        message=news.message,
    )
    return Told(news.cursor, progress, passing=news.passing)


def _logged(stored: StoredEvent) -> Told[LoggedEvent]:
    event = LoggedEvent(
        position=Position(stored.position),
        type=stored.type,
        recorded_at=stored.recorded_at,
        actor=stored.actor,
        data=Json(msgspec.Raw(stored.data.encode())),
    )
    return Told(stored.position, event)


def _cursor(after: str | None) -> int:
    if not after:
        return 0
    if POSITION.fullmatch(after):
        return int(after)
    raise Malformed(
        "jobs.bad_cursor", "This is no cursor of a job's progress.", hint="Take the last one told."
    )


def _known(types: list[str] | None) -> tuple[str, ...]:
    """Check the names of events.

    Raises:
        Malformed: There is no event of a name; none would ever come.

    """
    unknown = [name for name in types or () if name not in event_types()]
    if unknown or len(types or ()) > TYPES_MAX:
        raise Malformed(
            "events.unknown_type",
            f"There are no events called {', '.join(unknown[:3])}.",
            hint="Leave types out to see what there is.",
        )
    return tuple(sorted(set(types or ())))
