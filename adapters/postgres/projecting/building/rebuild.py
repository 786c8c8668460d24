"""Rebuild a read model from its events beside the one that serves, compare, then swap.

Each step is noted before it begins and can be begun again: who was killed runs the same once more.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Final, TypeAlias

import structlog
from msgspec import Struct
from psycopg import OperationalError, sql

from adapters.keyring import Keyring
from adapters.postgres.connections import unavailable
from adapters.postgres.models.rows import table_of
from adapters.postgres.projecting.building import ledger
from adapters.postgres.projecting.building.apart import (
    check_schema,
    finish_apart,
    make_schema,
    remove_schema,
)
from adapters.postgres.projecting.building.booking import Office, booked, model_named
from adapters.postgres.projecting.building.crew import fold_all
from adapters.postgres.projecting.building.following import LATE_EVENTS_MAX, Follower
from adapters.postgres.projecting.building.planning import (
    PIECE_EVENTS,
    Reach,
    check_past,
    past_reaches,
    pieces_of,
    reaches,
)
from adapters.postgres.projecting.building.room import check_room, estimate
from adapters.postgres.projecting.building.shadow import (
    analyze,
    drop_shadow,
    make_indexes,
    make_shadow,
)
from adapters.postgres.projecting.building.standstill import StoodStill, stood_still
from adapters.postgres.projecting.building.swapping import replace_rows, swap
from adapters.postgres.projecting.building.task import PUBLIC, Task, open_clerk
from adapters.postgres.projecting.building.verifying import Verifier, compare_counts
from adapters.postgres.subject_keys import PostgresSubjectKeys
from application.errors import Conflict, Malformed
from application.vault import Vault
from domain.ids import TenantId
from domain.kernel import Refused

ROUNDS_MAX: Final = 20
PIECES_NOTED: Final = 1_000
STEPS: Final = ("planning", "folding", "indexing", "catching_up", "verifying", "swapping")
Progress: TypeAlias = Callable[[str, int, int], None]
"""Told the step, how many events are done, and how many there are, about."""

log = structlog.get_logger()


class Room(Struct, frozen=True, kw_only=True):
    """Where the database keeps its files, if that is known, and what must stay free there."""

    folder: Path
    spare_bytes: int


class Asked(Struct, frozen=True, kw_only=True):
    """How a rebuild is done.

    Attributes:
        jobs: Processes that fold, and indexes that are made, side by side.
        as_of: A position or a moment: the rows of then are made, in the schema *into*.
        kept_seconds: How long the former rows are kept.
        piece_events: About how many events are folded in memory together.

    """

    jobs: int = 1
    as_of: int | datetime | None = None
    into: str = PUBLIC
    kept_seconds: float = 0.0
    room: Room | None = None
    piece_events: int = PIECE_EVENTS


class Rebuilt(Struct, frozen=True, kw_only=True):
    """What a rebuild did.

    Attributes:
        stopped: Logs that it did not go through to their heads, as the live rows do not either.

    """

    name: str
    events: int
    rows: int
    seconds: float
    events_per_second: float
    verified: bool
    stopped: tuple[StoodStill, ...] = ()


async def rebuild(
    admin_url: str,
    name: str,
    tenant: TenantId | None = None,
    *,
    keyring: Keyring,
    asked: Asked = Asked(),  # noqa: B008 - it is frozen.
    on_progress: Progress = lambda _step, _done, _total: None,
) -> Rebuilt:
    """Rebuild the read model *name*, of all tenants or of one.

    Raises:
        NotFound: There is no such read model.
        Malformed: What was asked for does not go together.
        Conflict: Another rebuild of it is under way, the rows disagree with an independent fold,
            or an event can't be folded; the old rows stay.
        Refused: There is no room for it.
        Unavailable: PostgreSQL does not answer. The same once more goes on from there.

    """
    _check(name, asked, tenant)
    started = time.perf_counter()
    task = Task(id=0, url=admin_url, name=name, schema=asked.into, keyring=keyring)
    try:
        as_of = await _checked_past(task, tenant, asked.as_of)
        async with booked(task, tenant, as_of) as office:
            events, rows = await _run(office, tenant, asked, on_progress)
            stopped = await stood_still(office.clerk, name, office.task.id)
    except OperationalError as error:
        raise unavailable(error) from error
    seconds = time.perf_counter() - started
    return Rebuilt(
        name=name,
        events=events,
        rows=rows,
        seconds=seconds,
        events_per_second=events / seconds,
        verified=True,
        stopped=stopped,
    )


def _check(name: str, asked: Asked, tenant: TenantId | None) -> None:
    model_named(name)
    if (asked.as_of is None) != (asked.into == PUBLIC):
        raise Malformed(
            "projections.as_of_into",
            "Rows as of a day need a schema of their own, and one only they have.",
            hint=f"Give both --as-of and --into, which is not {PUBLIC}, or neither.",
        )
    if isinstance(asked.as_of, int) and tenant is None:
        raise Malformed(
            "projections.whose_position",
            f"Each log has a position {asked.as_of} of its own.",
            hint="Name the --tenant, or give a moment.",
        )


async def _checked_past(
    task: Task, tenant: TenantId | None, as_of: int | datetime | None
) -> str | None:
    """See, before anything is made, that rows of then can be, and where they shall go."""
    if as_of is None:
        return None
    await check_schema(task)
    async with await open_clerk(task) as clerk:
        await check_past(clerk, tenant, as_of)
    return str(as_of)


async def _run(
    office: Office, tenant: TenantId | None, asked: Asked, on_progress: Progress
) -> tuple[int, int]:
    work = _Rebuild(office, tenant, asked, on_progress)
    first = STEPS.index(office.step)
    try:
        for name, step in zip(STEPS, work.steps(), strict=True):
            if STEPS.index(name) >= first:
                await work.enter(name)
                await step()
    except (Conflict, Refused) as error:
        await ledger.end(office.clerk, office.task.id, "failed", error.message)
        await drop_shadow(office.owner, office.task.schema, office.task.shadow)
        await remove_schema(office.owner, office.task.schema)
        raise
    return (await ledger.sums(office.clerk, office.task.id)).events, work.rows


class _Rebuild:
    """The steps of a rebuild."""

    def __init__(
        self, office: Office, tenant: TenantId | None, asked: Asked, on_progress: Progress
    ) -> None:
        self._owner, self._clerk, self._task = office.owner, office.clerk, office.task
        self._tenant = tenant
        self._asked = asked
        self._on_progress = on_progress
        keys = PostgresSubjectKeys(lambda _: nullcontext(office.clerk), office.task.keyring)
        vault = Vault(keys)
        self._table = table_of(office.task.model, office.task.shadow)
        self._follower = Follower(office.clerk, office.task.id, self._table, vault)
        self._verifier = Verifier(office.clerk, self._table, office.task, vault)
        self.rows = 0

    def steps(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        """Name what is done in each of ``STEPS``."""
        last = self._finish_apart if self._task.is_apart else self._swap
        return self._plan, self._fold, self._index, self._catch_up, self._verify, last

    async def enter(self, step: str) -> None:
        """Note that a step begins.

        Raises:
            Conflict: Meanwhile the rebuild was broken off.

        """
        if not await ledger.step(self._clerk, self._task.id, step):
            raise ledger.aborted(self._task)
        await self._tell(step)

    async def _tell(self, step: str) -> None:
        sums = await ledger.sums(self._clerk, self._task.id)
        self._on_progress(step, sums.done, sums.total)

    async def _plan(self) -> None:
        room, task = self._asked.room, self._task
        if room is not None and room.spare_bytes >= 0:
            needed = await estimate(self._clerk, task, self._tenant)
            check_room(task.name, needed, room.folder, room.spare_bytes)
        found = await self._reaches()
        if task.is_apart:
            await make_schema(self._owner, task)
        await make_shadow(self._owner, task)
        async with self._clerk.transaction():
            await ledger.remove_pieces(self._clerk, task.id)
            pieces: list[ledger.Piece] = []
            for reach in found:
                parts = pieces_of(self._clerk, task.model, reach, self._asked.piece_events)
                pieces.extend([each async for each in parts])
                if len(pieces) >= PIECES_NOTED:
                    await ledger.add_pieces(self._clerk, task.id, pieces)
                    pieces.clear()
            await ledger.add_pieces(self._clerk, task.id, pieces)

    async def _fold(self) -> None:
        sums = await ledger.sums(self._clerk, self._task.id)
        if sums.left:
            # What fits into one part is done before another process is there.
            is_little = sums.total - sums.done <= self._asked.piece_events
            jobs = 0 if is_little else min(self._asked.jobs, sums.left)
            await fold_all(self._task, jobs, lambda: self._tell("folding"))
        if (await ledger.sums(self._clerk, self._task.id)).left:
            raise ledger.aborted(self._task)

    async def _index(self) -> None:
        await make_indexes(self._task, self._asked.jobs)
        await compare_counts(self._clerk, self._task)
        await analyze(self._owner, self._task)

    async def _catch_up(self) -> None:
        await self._follower.look_up()
        if self._task.is_apart:
            return
        for _ in range(ROUNDS_MAX):
            found = await self._reaches()
            await self._follower.follow(found)
            if self._follower.behind(await self._reaches()) <= LATE_EVENTS_MAX:
                return

    async def _verify(self) -> None:
        await self._follower.look_up()
        await self._verifier.verify(self._follower.places)
        count = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(self._task.shadow))
        row = await (await self._clerk.execute(count)).fetchone()
        self.rows = row[0] if row else 0

    async def _swap(self) -> None:
        await self._follower.look_up()
        if self._tenant is not None:
            await replace_rows(self._owner, self._task, self._tenant, self._last_events)
            await drop_shadow(self._owner, PUBLIC, self._task.shadow)
        else:
            await swap(self._owner, self._task, self._last_events, self._asked.kept_seconds)

    async def _finish_apart(self) -> None:
        await finish_apart(self._owner, self._task)

    async def _last_events(self) -> Mapping[TenantId, int]:
        """Fold what the live rows know more of; return the logs of which they know less."""
        live = {each.tenant: each.live for each in await self._reaches()}
        await self._follower.follow(
            [Reach(tenant=each, live=position, until=position) for each, position in live.items()]
        )
        places = self._follower.places
        return {each: at for each, at in places.items() if at > live.get(each, 0)}

    async def _reaches(self) -> list[Reach]:
        if self._asked.as_of is None:
            return await reaches(self._clerk, self._task.model, self._tenant)
        return await past_reaches(self._clerk, self._task.model, self._tenant, self._asked.as_of)
