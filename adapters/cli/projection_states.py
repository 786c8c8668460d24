"""`asiento projections list`, `retry`, `skip` and `unskip`: how far each is, and the ways on."""

from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter
from msgspec import Struct
from msgspec.structs import asdict

from adapters.audit.registry import all_owners
from adapters.cli.options import LogOption
from adapters.cli.output import Result, Table
from adapters.cli.session import find_log, operator, with_runtime
from adapters.postgres.projecting.mending import Stopped
from adapters.postgres.projecting.mending import retry as retry_at
from adapters.postgres.projecting.mending import skip as skip_at
from adapters.postgres.projecting.standing import Progress, Status, find_progress
from adapters.postgres.projecting.unskipping import Unskipped, place_of
from adapters.postgres.projecting.unskipping import unskip as unskip_at
from adapters.runtime import Runtime
from domain.ids import SYSTEM_TENANT, TenantId


class Listed(Struct, frozen=True, kw_only=True):
    """How far one projection is in one log; the lag counts events."""

    name: str
    version: int | None
    tenant: TenantId
    slug: str
    position: int
    head: int
    lag: int
    status: Status
    failed_position: int | None
    error: str | None


def list_all(
    *,
    tenant: Annotated[
        str | None, Parameter(help="Only the log of this tenant, named by its short name.")
    ] = None,
    status: Annotated[
        Status | None, Parameter(help="Only what is failed, waiting, building, behind or current.")
    ] = None,
) -> Result:
    """Show how far each projection is, for each tenant.

    What failed or waits stands at an event, and says why.
    """

    async def work(runtime: Runtime) -> list[Listed]:
        owner = None if tenant is None else await find_log(runtime, tenant)
        return await list_progress(runtime, owner)

    found = [each for each in with_runtime(work) if status in {None, each.status}]
    columns = ("NAME", "VERSION", "TENANT", "POSITION", "HEAD", "LAG", "STATUS", "ERROR")
    rows = [
        (e.name, e.version, e.slug, e.position, e.head, e.lag, e.status, e.error) for e in found
    ]
    return Result(document=found, people=(Table(columns, rows),))


async def list_progress(runtime: Runtime, tenant: TenantId | None = None) -> list[Listed]:
    """Compare cursors with the heads of their logs, and name the tenants, by the log itself."""
    slugs = {owner.tenant: owner.slug for owner in await all_owners(runtime)}
    found = await find_progress(runtime.pool, tenant)
    return [_listed(each, slugs.get(each.tenant, "")) for each in found]


def retry(name: str, /, *, tenant: LogOption) -> Result:
    """Let a projection that failed try the same event again.

    Args:
        name: The projection, as `asiento projections list` names it.
        tenant: The log that it failed in.

    """

    async def work(runtime: Runtime) -> Stopped:
        owner = await find_log(runtime, tenant)
        trying = await retry_at(runtime, owner, name)
        await runtime.hub.announce({owner: trying.position})
        return trying

    stopped = with_runtime(work)
    said = f"{stopped.name} tries event {stopped.position} ({stopped.event_type}) again."
    return Result(document=stopped, people=(said,))


def skip(
    name: str,
    /,
    *,
    tenant: LogOption,
    reason: Annotated[str, Parameter(help="It stays in the log: name nobody in it.")],
    position: Annotated[
        int | None, Parameter(help="The event, so that no other is left out; after a retry too.")
    ] = None,
) -> Result:
    """Leave the event that a projection failed at out of it, and let it go on.

    `unskip` takes it back where a later version can fold it. Who skipped what, and why, stands in
    the log of `system`.

    Args:
        name: The projection, as `asiento projections list` names it.
        tenant: The log that it failed in.
        reason: Why the event can be left out.
        position: The event, by its place in that log.

    """

    async def work(runtime: Runtime) -> Stopped:
        owner, by = await find_log(runtime, tenant), operator(SYSTEM_TENANT)
        skipped = await skip_at(runtime, owner, name, reason, by, position=position)
        await runtime.hub.announce({owner: skipped.position})
        return skipped

    stopped = with_runtime(work)
    said = f"{stopped.name} leaves event {stopped.position} ({stopped.event_type}) out from now on."
    return Result(document=stopped, people=(said,))


def unskip(
    name: str,
    /,
    *,
    tenant: LogOption,
    position: Annotated[int, Parameter(help="The event, by its place in that log.")],
    reason: Annotated[str, Parameter(help="It stays in the log: name nobody in it.")],
) -> Result:
    """Leave an event out of a read model no more, where there is code now that can fold it.

    Rows that were folded without it stay as they are until a rebuild. Who took the skip back, and
    why, stands in the log of `system`.

    Args:
        name: The read model, such as `invoices`.
        tenant: The log that the event is in.
        position: The event.
        reason: Why it belongs into the rows.

    """

    async def work(runtime: Runtime) -> Unskipped:
        place = place_of(name, await find_log(runtime, tenant), position)
        return await unskip_at(runtime, place, reason, operator(SYSTEM_TENANT))

    done = with_runtime(work)
    said = f"{done.name} leaves event {done.position} ({done.event_type}) out no more."
    way = (
        f"Its rows were folded without it: `asiento projections rebuild {done.name}"
        f" --tenant {tenant}` brings it into them."
        if done.rebuild
        else "It has not come to it yet, and takes it when it does."
    )
    return Result(document=done, people=(said, way))


def failed_in(found: Sequence[Listed]) -> list[str]:
    """Say where something stands still until somebody does something."""
    words = {"failed": "at event", "waiting": "for a newer version at event"}
    return [
        f"{each.name} of {each.slug} {words[each.status]} {each.failed_position}"
        for each in found
        if each.status in words
    ]


def _listed(each: Progress, slug: str) -> Listed:
    return Listed(**asdict(each), slug=slug)
