"""`kill -9` in the middle of forgetting and of changing the master key: the rest is done later."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from signal import SIGKILL

import psycopg
import pytest

from adapters.keyring import FILE
from adapters.runtime import Runtime, open_runtime
from adapters.settings import Settings
from domain.kernel import FORGOTTEN
from tests.cli.conftest import command_line, shell
from tests.privacy.conftest import Desk, Look
from tests.privacy.test_forgetting import living_keys, name, name_in_fold

Project = Callable[[], Awaitable[None]]
SECONDS_MAX = 30.0
BLOCKED = (
    "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    " AND datname = current_database() AND query LIKE '%UPDATE subject_key%'"
)
# A process that dies when its append is done, and before anybody hears of it.
DIES = """
import asyncio, os, signal, sys
from adapters.runtime import open_runtime
from adapters.settings import load_settings
from application.kernel import EVERYTHING, Context
from domain.ids import TenantId
from domain.privacy import ForgetSubject

async def main():
    async with open_runtime(load_settings()) as runtime:
        append = runtime.store.append
        async def last(*given, **named):
            await append(*given, **named)
            os.kill(os.getpid(), signal.SIGKILL)
        runtime.store.append = last
        command = ForgetSubject(kind="customer_code", value="C7", reason="Asked for it.")
        context = Context(tenant=TenantId(sys.argv[1]), actor="user:ana",
                          permissions=frozenset({EVERYTHING}), correlation_id="request-1")
        await runtime.bus.execute(command, context, key="once")

asyncio.run(main())
"""


@pytest.fixture
def environment(settings: Settings) -> dict[str, str]:
    return shell(
        DATABASE_URL=settings.database_url or "",
        DATABASE_ADMIN_URL=settings.database_admin_url or "",
        REDIS_URL=settings.redis_url or "",
        ASIENTO_DATA=str(settings.data),
    )


async def test_a_process_killed_between_forgetting_and_its_answer_leaves_the_rest_to_be_done(
    desk: Desk, project: Project, look: Look, environment: dict[str, str]
) -> None:
    await desk.record("1")
    await project()
    died = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", DIES, desk.tenant],
        env=environment,
        capture_output=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert died.returncode == -SIGKILL, died.stderr.decode()
    assert await living_keys(desk, look) == 1
    assert await name_in_fold(desk) is FORGOTTEN
    await project()
    assert await living_keys(desk, look) == 0
    assert await name(desk, "1") == "[forgotten]"
    assert (await desk.forget()).events == ()
    ((events,),) = look(f"SELECT count(*) FROM event WHERE tenant_id = '{desk.tenant}'")
    assert events == 2


async def test_a_rotation_killed_in_the_midst_of_wrapping_loses_nothing_and_goes_on(
    runtime: Runtime, settings: Settings, look: Look, environment: dict[str, str]
) -> None:
    desks = sorted((Desk(runtime), Desk(runtime)), key=lambda desk: desk.tenant)
    for desk in desks:
        for number in range(4):
            await desk.record(str(number), f"C{number}", f"Name {number}")
    place = f"tenant_id = '{desks[1].tenant}' AND subject = 'customer_code:C2'"
    await asyncio.to_thread(_killed_at_work, settings, look, environment, place)
    masters = "SELECT DISTINCT master FROM subject_key WHERE tenant_id = '{}'"
    (done,), (left,) = (look(masters.format(desk.tenant)) for desk in desks)
    assert done != left  # A tenant is wrapped whole or not at all.

    async with open_runtime(settings) as fresh:
        for desk in desks:
            again = Desk(fresh, desk.tenant)
            assert (await again.record("2", "C2", "Name 2")).events == ()
    finished = await asyncio.to_thread(
        subprocess.run,
        command_line("personal", "rotate", "--json"),
        env=environment,
        capture_output=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr.decode()
    assert b'"made":false' in finished.stdout
    current = (settings.data / FILE).read_text().partition(":")[0]
    assert look("SELECT DISTINCT master FROM subject_key WHERE wrapped IS NOT NULL") == [(current,)]


def _killed_at_work(
    settings: Settings, look: Look, environment: dict[str, str], place: str
) -> None:
    """Hold a row that the rotation will come to, and kill it while it waits there."""
    with psycopg.connect(settings.database_admin_url or "") as holding:
        holding.execute(f"SELECT 1 FROM subject_key WHERE {place} FOR UPDATE".encode())
        rotating = subprocess.Popen(
            command_line("personal", "rotate"),
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            _wait_until(lambda: look(BLOCKED) != [])
        finally:
            os.killpg(rotating.pid, SIGKILL)
            rotating.wait()


def _wait_until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + SECONDS_MAX
    while not true():
        assert time.monotonic() < until
        time.sleep(0.05)
