"""While a rebuild runs, people read and write as ever: no half table, and no long wait."""

import asyncio
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec
import psycopg
import pytest

from adapters.postgres.projecting.projector import Projector
from adapters.runtime import Runtime
from adapters.settings import Settings
from tests.privacy.conftest import Desk
from tests.projecting.rebuilding import INVOICES, Office, issued, project, recorded, write
from tests.rest.api import environment

CHECKOUT = Path(__file__).parents[2]
REBUILDS = 3
WAIT_SECONDS_MAX = 2.0


@pytest.fixture
async def desk(runtime: Runtime) -> Desk:
    desk = Desk(runtime)
    await write(desk, [*recorded(range(1_000)), *issued(range(500))])
    await project(desk)
    return desk


class Reader(threading.Thread):
    """Counts a tenant's rows over and over, as its users do, and notes the longest wait."""

    def __init__(self, url: str, tenant: str) -> None:
        super().__init__(daemon=True)
        self._url = url
        self._tenant = tenant
        self._is_over = threading.Event()
        self.counts: list[int] = []
        self.longest_seconds = 0.0

    def run(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute("SET ROLE asiento_app")
            connection.execute("SELECT set_config('app.tenant_id', %s, false)", (self._tenant,))
            while not self._is_over.is_set():
                begun = monotonic()
                row = connection.execute(f"SELECT count(*) FROM {INVOICES}".encode()).fetchone()
                self.longest_seconds = max(self.longest_seconds, monotonic() - begun)
                self.counts.append(row[0] if row else 0)

    def end(self) -> None:
        self._is_over.set()
        self.join()


@contextmanager
def reading(settings: Settings, desk: Desk) -> Iterator[Reader]:
    reader = Reader(settings.database_url or "", desk.tenant)
    reader.start()
    try:
        yield reader
    finally:
        reader.end()


async def command(settings: Settings, *arguments: str) -> Any:  # noqa: ANN401 - what it says.
    """Run a command of the CLI, and return what it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "adapters.cli.main", "projections", *arguments, "--json"),
        cwd=CHECKOUT,
        env=environment(settings),
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await process.communicate()
    return msgspec.json.decode(told)


async def test_readers_and_writers_hardly_notice(
    desk: Desk, runtime: Runtime, office: Office, settings: Settings
) -> None:
    projector = Projector(runtime.pool, runtime.vault)
    going = asyncio.create_task(projector.run())
    numbers, waits = count(5_000), [0.0]

    async def keep_writing() -> None:
        while True:
            begun = monotonic()
            await write(desk, recorded([next(numbers)]))
            projector.hint(desk.tenant)
            waits.append(monotonic() - begun)
            await asyncio.sleep(0.005)

    writing = asyncio.create_task(keep_writing())
    try:
        with reading(settings, desk) as reader:
            for _ in range(REBUILDS):
                told = await command(settings, "rebuild", "invoices", "--jobs", "2")
                assert told["verified"] is True
    finally:
        for task in (writing, going):
            task.cancel()
        await asyncio.gather(writing, going, return_exceptions=True)
    assert reader.counts == sorted(reader.counts)
    assert reader.counts[0] >= 1_500
    assert reader.longest_seconds < WAIT_SECONDS_MAX
    assert max(waits) < WAIT_SECONDS_MAX
    await project(desk)
    rows = office.rows()
    await office.rebuild()
    assert office.rows() == rows
    sys.stderr.write(
        f"\nlongest wait of a reader {reader.longest_seconds * 1e3:.0f} ms,"
        f" of a writer {max(waits) * 1e3:.0f} ms, {len(reader.counts)} reads,"
        f" {len(waits)} writes\n"
    )


async def test_a_long_query_is_not_made_a_wall(
    desk: Desk, office: Office, settings: Settings
) -> None:
    with psycopg.connect(office.url) as slow:
        slow.execute(f"SELECT * FROM {INVOICES} LIMIT 1".encode())  # And its transaction stays.
        running = asyncio.create_task(office.rebuild())
        with reading(settings, desk) as reader:
            await asyncio.sleep(3)
        assert not running.done()
        assert reader.longest_seconds < 1
        slow.rollback()
        assert (await running).verified


async def test_a_vacuum_is_waited_for_and_keeps_nobody_else(desk: Desk, office: Office) -> None:
    waiting = "SELECT FROM pg_locks WHERE mode = 'ShareUpdateExclusiveLock' AND NOT granted"
    with psycopg.connect(office.url) as vacuum:
        vacuum.execute(f"LOCK TABLE {INVOICES} IN SHARE UPDATE EXCLUSIVE MODE".encode())
        running = asyncio.create_task(office.rebuild())
        for _ in range(400):
            if office.look(waiting):
                break
            await asyncio.sleep(0.05)
        before = len(office.rows())
        await write(desk, recorded([9_000]))
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            await project(desk)
        assert len(office.rows()) == before + 1
        assert not running.done()
        vacuum.rollback()
    assert (await running).verified
    assert len(office.rows()) == before + 1


async def test_the_commands_tell_what_they_did(desk: Desk, settings: Settings) -> None:
    done = await command(settings, "rebuild", "vat_book")
    fields = {"name", "events", "rows", "seconds", "events_per_second", "verified", "stopped"}
    assert fields == set(done)
    (told,) = [e for e in await command(settings, "status") if e["name"] == "vat_book"]
    assert (told["status"], told["done"]) == ("done", told["total"])
    assert told["kept_until"] is not None
    assert (await command(settings, "swap-back", "vat_book"))["swapped_back"] is True
    (told,) = [e for e in await command(settings, "status") if e["name"] == "vat_book"]
    assert (told["status"], told["step"]) == ("swapped back", None)
    nothing = await command(settings, "drop-old", "vat_book")
    assert "projections.nothing_kept" in str(nothing)
    assert "projections.not_rebuilding" in str(await command(settings, "abort", "vat_book"))
    assert desk
