"""`asiento events`: the log of a tenant as JSON lines, from any position, and on as it grows."""

import asyncio
from datetime import datetime
from typing import Annotated, Final

import msgspec
from cyclopts import Parameter
from msgspec import Struct

from adapters.cli.options import LogOption
from adapters.cli.output import write_lines
from adapters.cli.session import find_log, with_runtime
from adapters.following import pages
from adapters.redis.hub import News
from adapters.runtime import Runtime
from application.ports import QueryItem, StoredEvent
from domain.ids import TenantId

POLL_SECONDS: Final = 1.0


class Line(Struct, frozen=True, kw_only=True):
    """An event as a line shows it."""

    position: int
    type: str
    tags: tuple[str, ...]
    recorded_at: datetime
    actor: str
    correlation_id: str
    causation_id: str
    data: msgspec.Raw


def events(
    *,
    tenant: LogOption,
    follow: bool = False,
    after: int = 0,
    tag: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    type_: Annotated[tuple[str, ...], Parameter(name="--type", negative="")] = (),
) -> int:
    """Write a JSON line an event, oldest first.

    Args:
        tenant: Whose log; `system` is that of what belongs to no tenant.
        follow: Go on as events are appended, until Ctrl-C.
        after: Leave out the events up to this position.
        tag: Only events about this, such as `invoice:7f3`; given again: about both.
        type_: Only events of this type; given again: of either.

    """
    query = [QueryItem(types=type_, tags=tag)] if tag or type_ else []

    async def work(runtime: Runtime) -> int:
        owner = await find_log(runtime, tenant)
        position = await _write(runtime, owner, query, after)
        if follow:
            async with runtime.hub.listen() as news:
                while True:
                    position = await _write(runtime, owner, query, position)
                    await _growth(news, owner)
        return 0

    try:
        return with_runtime(work)
    except KeyboardInterrupt:
        if not follow:
            raise
        return 0  # There is no other end to it.


async def _write(runtime: Runtime, tenant: TenantId, query: list[QueryItem], after: int) -> int:
    """Write what there is after a position, and return where it ends."""
    # The head is read first: what does not match the query is then not read again.
    head = await runtime.store.head(tenant)
    async for page in pages(runtime.store.read(tenant, query, after=after, until=head)):
        write_lines(_line(event) for event in await runtime.vault.reveal(tenant, page))
    return max(head, after)


async def _growth(news: "asyncio.Queue[News]", tenant: TenantId) -> None:
    """Wait until the log may have grown; a hint that was lost costs a second."""
    try:
        async with asyncio.timeout(POLL_SECONDS):
            while (await news.get()).tenant != tenant:
                pass
    except TimeoutError:
        return


def _line(event: StoredEvent) -> Line:
    return Line(
        position=event.position,
        type=event.type,
        tags=event.tags,
        recorded_at=event.recorded_at,
        actor=event.actor,
        correlation_id=event.correlation_id,
        causation_id=event.causation_id,
        data=msgspec.Raw(event.data.encode()),
    )
