"""An event leads to its command exactly once, whoever is killed, and whatever is refused."""

import asyncio
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, LiteralString
from uuid import uuid4

import pytest
from msgspec.structs import replace

from adapters.postgres.connections import tenant_transaction
from adapters.postgres.projecting.mending import skip
from adapters.runtime import Runtime, open_runtime
from adapters.settings import Settings
from adapters.worker.sweeper import EXPIRE
from application.errors import Malformed, NotFound
from application.reactions import reactions
from domain.ids import SYSTEM_TENANT
from domain.invoicing import DraftInvoice, InvoiceId
from domain.jobs import JobWaiting
from tests.cli.conftest import shell
from tests.invoicing.examples import LINES
from tests.projecting.office import REASON, Office
from tests.projecting.reacting import CURSOR, DIE_AFTER, JOB, NAME, Later, react, reacting

SECONDS_MAX: Final = 60.0
LETTERS: LiteralString = "SELECT reaction, position, code FROM dead_letter WHERE tenant_id = %s"
REWIND: LiteralString = (
    "UPDATE projection_cursor SET position = 0 WHERE tenant_id = %s AND projection = %s"
)


@pytest.fixture
async def office(runtime: Runtime) -> Office:
    """Open books when the reaction is there already."""
    await reacting(runtime).begin(runtime.pool)
    return await opened(runtime)


async def opened(runtime: Runtime) -> Office:
    """Open books with the job at which notes are taken."""
    office = Office(runtime)
    await office.queue(JOB)
    return office


async def notes(office: Office) -> list[str]:
    """Read what was noted, each as often as it was."""
    taken = await office.events("JobWaiting")
    return [each.reason for each in taken if isinstance(each, JobWaiting)]


async def test_an_event_leads_to_its_command(office: Office) -> None:
    await office.record("1")
    await office.record("NOTHING-2")
    await react(office.runtime)
    assert await notes(office) == ["1"]
    (stored,) = [s async for s in office.runtime.store.read(office.tenant, after=3)]
    assert (stored.actor, stored.causation_id) == (CURSOR, "2")
    assert stored.correlation_id == "request-1"
    assert (await office.progress(CURSOR)).status == "current"


async def test_what_was_there_before_the_reaction_leads_to_nothing(runtime: Runtime) -> None:
    old, name = await opened(runtime), f"tests.late.{uuid4().hex}"
    await old.record("1")
    late = type("Late", (Later,), {"name": name})
    await reacting(runtime, late).begin(runtime.pool)
    young = await opened(runtime)
    for each, number in ((old, "2"), (young, "3")):
        await each.record(number)
    await react(runtime, late)
    assert await notes(old) == ["later 2"]
    assert await notes(young) == ["later 3"]


async def test_a_repeated_event_leads_to_no_second_command(office: Office) -> None:
    await office.record("1")
    await react(office.runtime)
    office.do(REWIND, office.tenant, CURSOR)
    await react(office.runtime)
    assert await notes(office) == ["1"]


async def test_other_code_of_the_same_reaction_does_nothing_twice(office: Office) -> None:
    await office.record("1")
    await react(office.runtime)
    office.do(REWIND, office.tenant, CURSOR)
    await react(office.runtime, Later)
    assert await notes(office) == ["1"]
    assert office.look(LETTERS, office.tenant) == []


async def test_two_versions_side_by_side_react_once_between_them(office: Office) -> None:
    numbers = [str(number) for number in range(30)]
    for number in numbers:
        await office.record(number)
    async with open_runtime(office.runtime.settings) as second:
        await asyncio.gather(react(office.runtime), react(second, Later))
    await react(office.runtime)
    taken = [each.removeprefix("later ") for each in await notes(office)]
    assert sorted(taken) == sorted(numbers)


async def test_a_refused_command_is_a_dead_letter_and_the_rest_goes_on(office: Office) -> None:
    await office.record("REFUSED-1")
    await office.record("JOB-2")
    await office.record("3")
    await react(office.runtime)
    assert await notes(office) == ["3"]
    assert office.look(LETTERS, office.tenant) == [
        (NAME, 2, "invoicing.not_a_draft"),
        (NAME, 3, "jobs.absent"),
    ]
    assert (await office.progress(CURSOR)).status == "current"


async def test_a_dead_letter_is_replayed_by_hand(office: Office) -> None:
    await office.record("REFUSED-1")
    await react(office.runtime)
    own, pool = reacting(office.runtime), office.runtime.pool
    again = await own.replay(pool, office.tenant, 2)
    assert again is not None
    assert again.code == "invoicing.not_a_draft"
    mended = reacting(office.runtime, Later)
    assert await mended.replay(pool, office.tenant, 2) is None
    assert await mended.replay(pool, office.tenant, 2) is None
    assert await notes(office) == ["later REFUSED-1"]
    assert office.look(LETTERS, office.tenant) == []
    with pytest.raises(NotFound) as absent:
        await own.replay(pool, office.tenant, 1)
    assert absent.value.code == "reactions.absent"


async def test_a_bug_stops_the_reaction_until_somebody_skips(office: Office) -> None:
    await office.record("BUG-1")
    await office.record("2")
    await react(office.runtime)
    stopped = await office.progress(CURSOR)
    assert (stopped.status, stopped.failed_position) == ("failed", 2)
    assert (await office.progress()).status == "current"
    assert await notes(office) == []
    by = replace(office.context, tenant=SYSTEM_TENANT)
    await skip(office.runtime, office.tenant, CURSOR, REASON, by)
    await react(office.runtime)
    assert await notes(office) == ["2"]


async def test_nobody_else_can_take_the_key_of_a_reaction(office: Office) -> None:
    command = DraftInvoice(invoice=InvoiceId("one"), lines=LINES)
    with pytest.raises(Malformed) as refused:
        await office.runtime.bus.execute(command, office.context, key=f"{CURSOR}:1")
    assert refused.value.code == "idempotency.bad_key"


async def test_the_key_of_a_command_is_kept_until_its_cursor_is_past_it(office: Office) -> None:
    await office.record("1")
    await office.record("2")
    await react(office.runtime)
    keys: LiteralString = "SELECT key FROM idempotency WHERE tenant_id = %s ORDER BY 1"
    behind: LiteralString = (
        "UPDATE projection_cursor SET position = 2 WHERE tenant_id = %s AND projection = %s"
    )
    office.do(behind, office.tenant, CURSOR)
    async with tenant_transaction(office.runtime.pool, SYSTEM_TENANT) as connection:
        await connection.execute(EXPIRE, (0.0,))
    assert office.look(keys, office.tenant) == [(f"{CURSOR}:3",)]


def test_no_reaction_of_the_tests_is_found_among_ours() -> None:
    assert NAME not in reactions()


async def test_a_process_killed_between_command_and_cursor_runs_nothing_twice(
    office: Office,
) -> None:
    for number in range(8):
        await office.record(str(number))
    settings = office.runtime.settings
    for after in (3, 1, 2):
        with process(settings, after) as dying:
            code = await asyncio.to_thread(dying.wait, SECONDS_MAX)
        assert code == -signal.SIGKILL
    with process(settings):
        await until_reacted(office)
    assert sorted(await notes(office)) == [str(number) for number in range(8)]


async def test_processes_killed_at_any_moment_run_all_and_nothing_twice(office: Office) -> None:
    settings, dice = office.runtime.settings, random.Random(7)  # noqa: S311 - moments, no secrets.
    for batch in range(3):
        for number in range(40 * batch, 40 * batch + 40):
            await office.record(str(number))
        with process(settings), process(settings):
            await until_noted(office, 40 * batch + dice.randrange(1, 40))
    with process(settings), process(settings):
        await until_noted(office, 120)
        await until_reacted(office)
    assert sorted(await notes(office)) == sorted(str(number) for number in range(120))


@contextmanager
def process(settings: Settings, die_after: int = 0) -> Iterator["subprocess.Popen[bytes]"]:
    """React in a process, and kill it at the end."""
    environment = shell(
        DATABASE_URL=settings.database_url or "",
        REDIS_URL=settings.redis_url or "",
        ASIENTO_DATA=str(settings.data),
    )
    running = subprocess.Popen(
        [sys.executable, "-m", "tests.projecting.reacting"],
        env={**environment, DIE_AFTER: str(die_after)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield running
    finally:
        running.kill()
        running.wait()


async def until_noted(office: Office, many: int) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while len(await notes(office)) < many:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def until_reacted(office: Office) -> None:
    await office.until(CURSOR, "current")
