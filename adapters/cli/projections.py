"""`asiento projections rebuild` and what belongs to it: how far it is, breaking off, going back."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from time import monotonic
from typing import Annotated, Any, TypeVar

from cyclopts import Parameter, validators

from adapters.cli.output import Result, Table, counted, moment, progress
from adapters.cli.session import look_up_tenant, slugs_of, with_servers
from adapters.embedded.places import find_places
from adapters.keyring import open_keyring
from adapters.postgres.models.moments import read_as_of
from adapters.postgres.projecting.building import acts, booking
from adapters.postgres.projecting.building.rebuild import Asked, Rebuilt, Room
from adapters.postgres.projecting.building.rebuild import rebuild as run_rebuild
from adapters.postgres.projecting.building.standstill import StoodStill
from adapters.postgres.projecting.building.task import PUBLIC, Task
from adapters.settings import Settings, load_settings
from domain.ids import TenantId

T = TypeVar("T")


def rebuild(
    name: str,
    /,
    *,
    tenant: str | None = None,
    jobs: Annotated[int | None, Parameter(validator=validators.Number(gte=1))] = None,
    as_of: str | None = None,
    into: str | None = None,
) -> Result:
    """Fold a read model anew from its events, while the former one goes on serving.

    With --as-of and --into, make its rows as they were then, in a schema of their own.

    Args:
        name: The read model, such as `invoices`.
        tenant: Only the rows of this tenant, named by its short name.
        jobs: Processes side by side; as many as there are cores.
        as_of: A moment such as 2026-01-31T12:00:00Z, or a position of the tenant's log.
        into: The schema for the rows as of then; it is made.

    """

    def work(settings: Settings) -> Result:
        owner = look_up_tenant(settings, tenant) if tenant else None
        asked = Asked(
            jobs=jobs or os.cpu_count() or 1,
            as_of=None if as_of is None else read_as_of(as_of),
            into=into or PUBLIC,
            kept_seconds=settings.rebuild_kept_seconds,
            room=_room(settings),
        )
        done = _watched(settings, name, owner, asked)
        return _told(done, asked, slugs_of(settings) if done.stopped else {})

    return with_servers(work)


def _watched(settings: Settings, name: str, owner: TenantId | None, asked: Asked) -> Rebuilt:
    """Rebuild, and draw how far it is."""
    begun = monotonic()
    with progress() as bars:
        bar = bars.add_task("planning", total=None, said="")

        def advance(step: str, done: int, total: int) -> None:
            said = _pace(done, total, monotonic() - begun)
            bars.update(bar, description=step, completed=done, total=total, said=said)

        return asyncio.run(
            run_rebuild(
                settings.owner_url,
                name,
                owner,
                keyring=open_keyring(settings),
                asked=asked,
                on_progress=advance,
            )
        )


def _pace(done: int, total: int, seconds: float) -> str:
    """Say how fast it goes, and how long it will go on folding."""
    if not done:
        return ""
    left = f", {(total - done) / done * seconds:,.0f} s left" if done < total else ""
    return f"{done / seconds:,.0f} events/s{left}"


def status() -> Result:
    """Show the last rebuild of each read model: how far it is, or what came of it."""

    def work(settings: Settings) -> tuple[list[acts.Standing], Mapping[TenantId, str]]:
        found = _acted(settings, "", acts.standings)
        return found, slugs_of(settings) if any(each.stopped for each in found) else {}

    found, slugs = with_servers(work)
    columns = (
        "NAME",
        "STATUS",
        "STEP",
        "DONE",
        "TOTAL",
        "STARTED",
        "ENDED",
        "BY",
        "KEPT UNTIL",
        "ERROR",
    )
    rows = [
        (
            *(each.name, each.status, each.step, each.done, each.total),
            *(moment(each.started_at), moment(each.ended_at), each.runner),
            *(moment(each.kept_until), each.error),
        )
        for each in found
    ]
    stopped = [line for each in found for line in _stopped(each.name, each.stopped, slugs)]
    return Result(document=found, people=(Table(columns, rows), *stopped))


def abort(name: str, /) -> Result:
    """Break off a rebuild, whoever runs it; the old rows go on serving.

    Args:
        name: The read model, such as `invoices`.

    """
    booking.model_named(name)
    left = _with_task(name, booking.abort)
    said = f"The rebuild of {name} by {left.runner} is broken off. The old rows serve."
    return Result(document={"name": name, "aborted": True}, people=(said,))


def swap_back(name: str, /) -> Result:
    """Let the rows from before a rebuild serve again; the projector brings them up to date.

    Args:
        name: The read model, such as `invoices`.

    """
    booking.model_named(name)
    _with_task(name, acts.go_back)
    said = f"The former rows of {name} serve again. `asiento projections list` shows how far."
    return Result(document={"name": name, "swapped_back": True}, people=(said,))


def drop_old(name: str, /) -> Result:
    """Drop the rows from before a rebuild, which are kept for a while otherwise.

    Args:
        name: The read model, such as `invoices`.

    """
    booking.model_named(name)
    _with_task(name, acts.drop_former)
    said = f"The former rows of {name} are dropped."
    return Result(document={"name": name, "dropped": True}, people=(said,))


def _with_task(name: str, act: Callable[[Task], Coroutine[Any, Any, T]]) -> T:
    return with_servers(lambda settings: _acted(settings, name, act))


def _acted(settings: Settings, name: str, act: Callable[[Task], Coroutine[Any, Any, T]]) -> T:
    url, keyring = settings.owner_url, open_keyring(settings)
    return asyncio.run(act(Task(id=0, url=url, name=name, schema=PUBLIC, keyring=keyring)))


def _stopped(
    name: str, stopped: Sequence[StoodStill], slugs: Mapping[TenantId, str]
) -> Sequence[str]:
    """Say in whose logs the rows end before the log does, and the ways on."""
    said = [
        f"{name} of {slugs.get(each.tenant, each.tenant)} stands still at event {each.position}:"
        f" {each.error}"
        for each in stopped
    ]
    way = f"`asiento projections retry {name} --tenant …` or `… skip …` lets it go on."
    return [*said, way] if said else said


def _told(done: Rebuilt, asked: Asked, slugs: Mapping[TenantId, str]) -> Result:
    said = (
        f"Rebuilt {done.name}: {counted(done.rows, 'row')} of {counted(done.events, 'event')}"
        f" in {done.seconds:.1f} s, {done.events_per_second:,.0f} events/s."
    )
    if asked.into == PUBLIC:
        return Result(document=done, people=(said, *_stopped(done.name, done.stopped, slugs)))
    where = (
        f"They are in {asked.into}.{done.name}, for the owner of the database alone. What is"
        f" forgotten from now on stays in them: drop them with DROP SCHEMA {asked.into} CASCADE."
    )
    return Result(document=done, people=(said, where))


def _room(settings: Settings) -> Room | None:
    """Name the disk of the embedded server; of another one nothing is known here."""
    if load_settings().database_url:
        return None
    return Room(folder=find_places(settings).home, spare_bytes=settings.rebuild_spare_bytes)
