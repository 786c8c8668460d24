"""A rebuild that is killed goes on where it was; one that nobody wants leaves nothing behind."""

import asyncio
import multiprocessing
import os
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import monotonic

import pytest

from adapters.postgres.connections import tenant_transaction
from adapters.postgres.projecting.building import acts
from adapters.postgres.projecting.building.booking import abort
from adapters.postgres.projecting.building.keeping import empty_former
from adapters.runtime import Runtime
from adapters.settings import Settings
from application.errors import Conflict, NotFound, Unavailable
from domain.ids import SYSTEM_TENANT
from tests.privacy.conftest import Desk
from tests.projecting.rebuilding import INVOICES, Office, issued, project, recorded, write
from tests.rest.api import environment

WAIT_SECONDS = 30.0
LOOK_SECONDS = 0.02
STEPS = ("planning", "folding", "indexing", "catching_up", "verifying", "swapping")
DONE = """
SELECT count(*) FROM rebuild_piece AS p JOIN rebuild AS r ON r.id = p.rebuild
WHERE r.ended_at IS NULL AND p.done_at IS NOT NULL
"""
CHECKOUT = Path(__file__).parents[2]
SHADOW, FORMER = f"{INVOICES}__next", f"{INVOICES}__old"


@pytest.fixture
async def desk(runtime: Runtime) -> Desk:
    desk = Desk(runtime)
    await write(desk, [*recorded(range(30)), *issued(range(20))])
    await project(desk)
    return desk


def there(office: Office, table: str) -> bool:
    return office.look("SELECT to_regclass(%s) IS NOT NULL", table) == [(True,)]


async def until(holds: Callable[[], object]) -> None:
    end = monotonic() + WAIT_SECONDS
    while not holds():
        assert monotonic() < end
        await asyncio.sleep(LOOK_SECONDS)


@asynccontextmanager
async def standing_still(settings: Settings, step: str, reached: Path) -> AsyncIterator[int]:
    """Have a rebuild stand still at a step, and kill it at the end of the block."""
    async with started(settings, step, reached) as process:
        await until(lambda: reached.exists() or process.returncode is not None)
        assert process.returncode is None
        yield process.pid


@asynccontextmanager
async def started(settings: Settings, step: str, reached: Path) -> AsyncIterator[Process]:
    """Run a rebuild that would stand still at a step, and kill it at the end of the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.projecting.rebuild_process",
        step,
        str(reached),
        cwd=CHECKOUT,
        env=environment(settings),
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@pytest.mark.parametrize("step", STEPS)
async def test_one_that_was_killed_goes_on_where_it_was(
    desk: Desk, office: Office, settings: Settings, tmp_path: Path, step: str
) -> None:
    before = office.rows()
    async with standing_still(settings, step, tmp_path / "reached"):
        ((number,),) = office.look("SELECT id FROM rebuild WHERE ended_at IS NULL")
        assert office.rows() == before
    done = await office.rebuild()
    assert done.verified
    assert office.look("SELECT outcome FROM rebuild WHERE id = %s", number) == [("done",)]
    assert office.rows() == before
    await write(desk, recorded(range(100, 103)))
    await project(desk)
    assert len(office.rows()) == len(before) + 3


async def test_one_that_was_killed_between_parts_does_none_twice(
    desk: Desk, office: Office, settings: Settings, tmp_path: Path
) -> None:
    before = office.rows()
    for many in (1, 4):
        async with started(settings, "indexing", tmp_path / "reached"):
            await until(partial(is_done, office, many))
    rows = office.look(f"SELECT count(*), count(DISTINCT (tenant_id, invoice)) FROM {SHADOW}")
    assert rows[0][0] == rows[0][1] > 0
    await office.rebuild()
    assert office.rows() == before
    assert desk


def is_done(office: Office, many: int) -> bool:
    """Tell whether so many parts of the rebuild under way are done."""
    return bool(office.look(DONE)[0][0] >= many)


async def test_a_lost_process_leaves_what_others_did(desk: Desk, office: Office) -> None:
    before = office.rows()
    running = asyncio.create_task(office.rebuild(jobs=2, piece_events=5))
    await until(multiprocessing.active_children)
    multiprocessing.active_children()[0].kill()
    with pytest.raises(Unavailable) as lost:
        await running
    assert lost.value.code == "projections.worker_lost"
    assert office.rows() == before
    assert (await office.rebuild(jobs=2, piece_events=5)).verified
    assert office.rows() == before
    assert desk


async def abort_one_more(office: Office) -> None:
    """Begin a rebuild, and break it off."""
    running = asyncio.create_task(office.rebuild(jobs=1, piece_events=5))
    await until(multiprocessing.active_children)
    await abort(office.task)
    with pytest.raises(Conflict):
        await running


async def test_a_second_one_is_refused_and_told_who_is_at_it(
    desk: Desk, office: Office, settings: Settings, tmp_path: Path
) -> None:
    async with standing_still(settings, "folding", tmp_path / "reached") as pid:
        with pytest.raises(Conflict, match=f"process {pid} on") as refused:
            await office.rebuild()
        assert refused.value.code == "projections.rebuilding"
        (told,) = [each for each in await acts.standings(office.task) if each.status == "running"]
        assert (told.name, told.step) == ("invoices", "folding")
    (told,) = [each for each in await acts.standings(office.task) if each.status == "unfinished"]
    assert told.total > 0
    with pytest.raises(Conflict) as unfinished:
        await office.rebuild(tenant=desk.tenant)
    assert unfinished.value.code == "projections.unfinished"
    assert "asiento projections abort invoices" in unfinished.value.hint
    await abort(office.task)


async def test_one_that_is_broken_off_leaves_the_old_rows_and_nothing_else(
    desk: Desk, office: Office, settings: Settings, tmp_path: Path
) -> None:
    before = office.rows()
    async with standing_still(settings, "folding", tmp_path / "reached"):
        pass
    assert there(office, SHADOW)
    left = await abort(office.task)
    assert str(os.getpid()) not in left.runner
    assert not there(office, SHADOW)
    assert office.rows() == before
    with pytest.raises(NotFound):
        await abort(office.task)
    assert desk


async def test_one_that_runs_is_broken_off_from_elsewhere(desk: Desk, office: Office) -> None:
    running = asyncio.create_task(office.rebuild(jobs=1, piece_events=5))
    await until(multiprocessing.active_children)
    await abort(office.task)
    with pytest.raises(Conflict) as aborted:
        await running
    assert aborted.value.code == "projections.aborted"
    assert not there(office, SHADOW)
    assert desk


async def test_the_former_rows_serve_again_and_are_brought_up_to_date(
    desk: Desk, runtime: Runtime, office: Office
) -> None:
    await office.rebuild(kept_seconds=60)
    await write(desk, recorded(range(200, 205)))
    new = Desk(runtime)
    await write(new, recorded(range(5)))
    await project(desk)
    rows = office.rows()
    office.execute(f"UPDATE {INVOICES} SET number = 'of the new code'")
    await acts.go_back(office.task)
    assert not there(office, FORMER)
    assert len(office.rows()) == len(rows) - 10
    await project(desk)
    assert office.rows() == rows
    with pytest.raises(NotFound) as nothing:
        await acts.go_back(office.task)
    assert nothing.value.code == "projections.nothing_kept"


async def test_nobody_goes_back_beside_an_unfinished_rebuild(
    desk: Desk, office: Office, settings: Settings, tmp_path: Path
) -> None:
    await office.rebuild(kept_seconds=60)
    async with standing_still(settings, "folding", tmp_path / "reached"):
        pass
    with pytest.raises(Conflict) as unfinished:
        await acts.go_back(office.task)
    assert unfinished.value.code == "projections.unfinished"
    await abort(office.task)
    await acts.go_back(office.task)
    assert desk


async def test_it_is_told_what_came_of_it_and_who_went_back(desk: Desk, office: Office) -> None:
    async def told() -> acts.Standing:
        (standing,) = [e for e in await acts.standings(office.task) if e.name == "invoices"]
        return standing

    begun = datetime.now(UTC)
    await office.rebuild(kept_seconds=60)
    done = await told()
    assert (done.status, done.step) == ("done", None)
    assert begun < (done.ended_at or begun) < datetime.now(UTC)
    office.execute("UPDATE rebuild SET runner = 'ana'")
    await abort_one_more(office)
    assert (await told()).status == "aborted"
    before = datetime.now(UTC)
    await acts.go_back(office.task)
    back = await told()
    assert (back.status, back.step, back.kept_until) == ("swapped back", None, None)
    assert f"process {os.getpid()} on" in back.runner
    assert (back.ended_at or begun) > before
    assert desk


async def test_the_former_rows_are_kept_until_they_are_dropped(desk: Desk, office: Office) -> None:
    await office.rebuild(kept_seconds=60)
    assert there(office, FORMER)
    await acts.drop_former(office.task)
    assert not there(office, FORMER)
    with pytest.raises(NotFound):
        await acts.drop_former(office.task)
    await office.rebuild(kept_seconds=0)
    assert not there(office, FORMER)
    assert desk


async def test_the_application_empties_former_rows_whose_time_is_over(
    desk: Desk, runtime: Runtime, office: Office
) -> None:
    await office.rebuild(kept_seconds=60)
    async with tenant_transaction(runtime.pool, SYSTEM_TENANT) as connection:
        await empty_former(connection)
    assert office.look(f"SELECT count(*) > 0 FROM {FORMER}") == [(True,)]
    office.execute("UPDATE rebuild SET kept_until = now() WHERE kept_until IS NOT NULL")
    async with tenant_transaction(runtime.pool, SYSTEM_TENANT) as connection:
        await empty_former(connection)
    assert office.look(f"SELECT count(*) FROM {FORMER}") == [(0,)]
    with pytest.raises(NotFound):
        await acts.go_back(office.task)
    assert desk


async def test_the_former_rows_go_where_somebody_is_forgotten(desk: Desk, office: Office) -> None:
    await office.rebuild(kept_seconds=60)
    assert "Ana" in str(office.rows(FORMER))
    await desk.forget("C1")
    await project(desk)
    assert office.rows(FORMER) == []
    assert "[forgotten]" in str(office.rows())
