"""Subscriptions: a job until it ends, and the log as it grows. Nothing is lost or told twice.

Each first listens, then reads what there is, then follows; where no news is heard, it looks.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Any, Final

import msgspec
import strawberry
from strawberry.types.field import StrawberryField

from adapters.following import JobNews, follow_job, pages
from adapters.graphql.asking import Asking, Info
from adapters.graphql.scalars import Json, Long, Position
from adapters.postgres.models.conditions import require
from adapters.redis.hub import HeadMoved, News
from application.codec import event_types
from application.errors import Malformed, NotFound
from application.ports import QueryItem, StoredEvent
from domain.ids import JobId, TenantId
from projections.jobs import Jobs

APPEAR_SECONDS_MAX: Final = 2.0
APPEAR_POLL_SECONDS: Final = 0.1
LOOK_SECONDS: Final = 1.0
EVENTS_PERMISSION: Final = "audit.event.read"
TYPES_MAX: Final = 100
CURSOR_DIGITS_MAX: Final = 18

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
    }


async def job_progress(
    info: Info, job: strawberry.ID, after: str | None = None
) -> AsyncGenerator[JobProgress, None]:
    require(info.context.context, Jobs.permission)
    async with aclosing(_appearing(info.context, JobId(job), _cursor(after))) as news:
        async for each in news:
            yield JobProgress(
                cursor=str(each.cursor),
                status=each.status,
                done=Long(each.done),
                total=None if each.total is None else Long(each.total),
                message=each.message,
            )


async def events(
    info: Info, after: Position | None = None, types: list[str] | None = None
) -> AsyncGenerator[LoggedEvent, None]:
    require(info.context.context, EVENTS_PERMISSION)
    async with aclosing(_log(info.context, after or 0, _known(types))) as log:
        async for stored in log:
            yield LoggedEvent(
                position=Position(stored.position),
                type=stored.type,
                recorded_at=stored.recorded_at,
                actor=stored.actor,
                data=Json(msgspec.Raw(stored.data.encode())),
            )


async def _appearing(asking: Asking, job: JobId, after: int) -> AsyncGenerator[JobNews, None]:
    """Follow a job that may be queued only in a moment.

    Raises:
        NotFound: It did not appear.

    """
    loop = asyncio.get_running_loop()
    until = loop.time() + APPEAR_SECONDS_MAX
    while True:
        try:
            async for each in follow_job(asking.runtime, asking.context.tenant, job, after):
                yield each
        except NotFound:
            if loop.time() > until:
                raise
        else:
            return
        await asyncio.sleep(APPEAR_POLL_SECONDS)


async def _log(
    asking: Asking, after: int, types: tuple[str, ...]
) -> AsyncGenerator[StoredEvent, None]:
    store, tenant = asking.runtime.store, asking.context.tenant
    query = [QueryItem(types=types)] if types else []
    async with asking.runtime.hub.listen() as news:
        while True:
            head = await store.head(tenant)
            async for page in pages(store.read(tenant, query, after=after, until=head)):
                for stored in await asking.runtime.vault.reveal(tenant, page):
                    yield stored
            after = max(after, head)
            await _grown(news, tenant, after)


async def _grown(news: "asyncio.Queue[News]", tenant: TenantId, after: int) -> None:
    """Wait until the log may have grown past *after*: by a hint, or by the time that went by."""
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            while True:
                match await news.get():
                    case HeadMoved(tenant=of, position=head) if of == tenant and head > after:
                        return
    except TimeoutError:
        return


def _cursor(after: str | None) -> int:
    if not after:
        return 0
    if len(after) <= CURSOR_DIGITS_MAX and after.isascii() and after.isdigit():
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
    return tuple(types or ())
