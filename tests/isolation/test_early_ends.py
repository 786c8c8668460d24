"""Whatever ends a transaction early, the connection that goes back knows no tenant."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import psycopg
import pytest

from adapters.embedded.servers import Urls
from adapters.postgres.at_once import Query, _results, ask_at_once
from adapters.postgres.connections import (
    SET_TENANT,
    Connection,
    Interrupted,
    Pool,
    bound_statements,
    lend,
    make_pool,
    tenant_transaction,
    transaction_pipeline,
)
from adapters.postgres.staging import PostgresStaging
from adapters.postgres.store.looking import Looks
from adapters.postgres.store.reading import Span, read
from application.errors import Unavailable
from application.ports import StagedRow
from domain.ids import BatchId, TenantId
from tests.isolation.company import in_checkout

ONE, TWO = TenantId(str(uuid4())), TenantId(str(uuid4()))
BATCH: Final = BatchId("batch")
ROWS: Final = "SELECT document FROM import_row"
WHOSE: Final = """
SELECT coalesce(current_setting('app.tenant_id', true), ''), current_setting('statement_timeout'),
       current_user::text, (SELECT count(*) FROM import_row), (SELECT count(*) FROM event)
"""
CLEAN: Final = ("", "0", "asiento_app", 0, 0)
END_ALL: Final = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
CANCEL_ALL: Final = END_ALL.replace("terminate", "cancel")
SETS_A_TENANT: Final = re.compile(r"app\.tenant_id")
CHANGES_THE_ROLE: Final = re.compile(r"(?i)\b(?:re)?set (?:local |session )?(?:role|session auth)")
STEPS: Final = (0, 1, 2, 3, 5, 8, 12, 18, 25, 35, 50, 80, 130, 200)
"""Turns of the loop after which somebody stops waiting: before, amid and after each statement."""

Work = Callable[[Pool, TenantId], Awaitable[object]]


class Broken(Exception):
    """What a handler fails with."""


async def transaction(pool: Pool, tenant: TenantId) -> object:
    async with tenant_transaction(pool, tenant) as connection:
        await connection.execute("SELECT pg_sleep(0.002)")
        return await (await connection.execute(ROWS)).fetchall()


async def derived(pool: Pool, tenant: TenantId) -> object:
    async with tenant_transaction(pool, tenant, derived=True) as connection:
        return await (await connection.execute(ROWS)).fetchall()


@asynccontextmanager
async def tenant_pipeline(pool: Pool, tenant: TenantId) -> AsyncIterator[Connection]:
    """Open a pipeline, and say first whose it is, as whoever opens one does."""
    async with transaction_pipeline(pool) as connection:
        await connection.execute(SET_TENANT, (tenant,))
        yield connection


async def pipeline(pool: Pool, tenant: TenantId) -> object:
    async with tenant_pipeline(pool, tenant) as connection:
        asked = await connection.execute(ROWS)
        await connection.execute("SELECT pg_sleep(0.002)")
        return await asked.fetchall()


async def at_once(pool: Pool, tenant: TenantId) -> object:
    asked = [Query(tenant, ROWS.encode()), Query(tenant, b"SELECT pg_sleep(0.002)")]
    found = await ask_at_once(pool, [*asked, Query(tenant, ROWS.encode())])
    return [(found[0].get_value(0, 0) or b"").decode()]


async def two_at_once(pool: Pool, tenant: TenantId) -> object:
    other = TWO if tenant == ONE else ONE
    return await ask_at_once(pool, [Query(t, ROWS.encode()) for t in (other, tenant, other)])


async def looking(pool: Pool, tenant: TenantId) -> object:
    return await Looks(pool).look(tenant, (), ("key",))


async def reading(pool: Pool, tenant: TenantId) -> object:
    return [each async for each in read(pool, tenant, (), Span(after=0))]


async def staging(pool: Pool, tenant: TenantId) -> object:
    rows = [StagedRow(f"D-{n}", n, [tenant]) for n in range(2, 400)]
    async with asyncio.timeout(5):
        await PostgresStaging(pool).add(tenant, BatchId(str(uuid4())), rows)
    return None


WORKS: Final[dict[str, Work]] = {
    "a transaction": transaction,
    "a derived transaction": derived,
    "a pipeline": pipeline,
    "queries at once": at_once,
    "queries of two tenants at once": two_at_once,
    "a look": looking,
    "a stream": reading,
    "a copy": staging,
}


@pytest.fixture(scope="module")
def database(database: Urls) -> Urls:
    """Write a row of each of two tenants, as the owner."""
    with psycopg.connect(database.admin_database_url) as connection:
        for tenant in (ONE, TWO):
            connection.execute("SELECT set_config('app.tenant_id', %s, true)", (tenant,))
            values = (tenant, BATCH, f"of {tenant}")
            connection.execute("INSERT INTO import_row VALUES (%s, %s, %s, 1, '{1}', 'x')", values)
    return database


@pytest.fixture
async def pool(database: Urls) -> AsyncIterator[Pool]:
    """Lend a pool of a single connection, so that who comes next gets what the last one left."""
    async with make_pool(database.database_url, size_max=1) as pool:
        yield pool


async def left(pool: Pool) -> Any:  # noqa: ANN401 - columns of several types.
    """Look at a connection as the next one gets it."""
    async with asyncio.timeout(10):
        while True:
            with suppress(Unavailable):  # Of a connection that was ended, and is not known to be.
                async with lend(pool) as connection:
                    assert connection.info.transaction_status.name == "IDLE"
                    return await (await connection.execute(WHOSE)).fetchone()


async def seen(pool: Pool, tenant: TenantId) -> object:
    async with tenant_transaction(pool, tenant) as connection:
        found = await connection.execute(f"{ROWS} WHERE batch = %s", (BATCH,))
        return await found.fetchall()


@pytest.fixture
async def clean(pool: Pool) -> AsyncIterator[None]:
    """See that whoever comes next sees nothing, and then what is its own."""
    yield
    assert await left(pool) == CLEAN
    for tenant in (TWO, ONE):
        assert await seen(pool, tenant) == [(f"of {tenant}",)]
        assert await left(pool) == CLEAN


@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS.keys())
@pytest.mark.usefixtures("clean")
async def test_what_ends_well_leaves_no_tenant(pool: Pool, work: Work) -> None:
    for tenant in (ONE, TWO, ONE):
        await work(pool, tenant)
        assert await left(pool) == CLEAN


@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS.keys())
@pytest.mark.usefixtures("clean")
async def test_who_stops_waiting_leaves_no_tenant(pool: Pool, work: Work) -> None:
    stopped = 0
    for turns in STEPS:
        task = asyncio.ensure_future(work(pool, ONE))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        stopped += task.cancelled()
        assert await left(pool) == CLEAN, turns
    assert stopped > 2


@pytest.mark.parametrize("opened", [tenant_transaction, tenant_pipeline])
@pytest.mark.usefixtures("clean")
async def test_an_error_of_the_handler_leaves_no_tenant(pool: Pool, opened: Any) -> None:  # noqa: ANN401 - of two signatures.
    for error in (Broken, asyncio.CancelledError, KeyboardInterrupt):
        with suppress(error):
            async with opened(pool, ONE) as connection:
                await connection.execute(ROWS)
                raise error
        assert await left(pool) == CLEAN


@pytest.mark.parametrize("opened", [tenant_transaction, tenant_pipeline])
@pytest.mark.usefixtures("clean")
async def test_an_error_of_a_statement_leaves_no_tenant(pool: Pool, opened: Any) -> None:  # noqa: ANN401 - as above.
    for wrong in ("SELECT 1 / 0", "SELECT nonsense", "COMMIT; SELECT 1 / 0", "ROLLBACK"):
        with suppress(psycopg.Error):
            async with opened(pool, ONE) as connection:
                await connection.execute(ROWS)
                await connection.execute(wrong)
        assert await left(pool) == CLEAN, wrong


@pytest.mark.parametrize("place", range(3))
@pytest.mark.usefixtures("clean")
async def test_a_failure_among_queries_at_once_leaves_no_tenant(pool: Pool, place: int) -> None:
    rows = Query(ONE, ROWS.encode())
    for wrong in (b"SELECT 1 / 0", b"SELECT nonsense", b"SELECT $1::int"):
        asked = [rows, Query(TWO, ROWS.encode())]
        asked.insert(place, Query(TWO, wrong, [b"x"] if b"$1" in wrong else ()))
        for _ in range(3):  # Unnamed, then prepared, then by its name.
            with pytest.raises(psycopg.Error):
                await ask_at_once(pool, asked)
            assert await left(pool) == CLEAN


@pytest.mark.usefixtures("clean")
async def test_a_query_at_once_can_end_its_transaction_and_is_left_without_a_tenant(
    pool: Pool,
) -> None:
    """No statement of ours does so; were there one, what is behind it would see nothing."""
    rows = Query(ONE, f"{ROWS} WHERE batch = '{BATCH}'".encode())
    for ends in (b"COMMIT", b"ROLLBACK"):
        found = await ask_at_once(pool, [rows, Query(ONE, ends), rows])
        assert [each.ntuples for each in found] == [1, 0, 0]
        assert await left(pool) == CLEAN


@pytest.mark.parametrize("work", [transaction, pipeline, at_once], ids=["1", "2", "3"])
@pytest.mark.usefixtures("clean")
async def test_a_statement_that_takes_too_long_leaves_no_tenant(pool: Pool, work: Work) -> None:
    async def bounded() -> None:
        bound_statements(0.001)
        await work(pool, ONE)

    for _ in range(3):
        with suppress(Interrupted, Unavailable, psycopg.Error):
            await asyncio.create_task(bounded())
        assert await left(pool) == CLEAN


@pytest.mark.parametrize("how", [END_ALL, CANCEL_ALL], ids=["ended", "cancelled"])
@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS.keys())
@pytest.mark.usefixtures("clean")
async def test_what_the_server_breaks_off_leaves_no_tenant(
    database: Urls, pool: Pool, work: Work, how: str
) -> None:
    await seen(pool, TWO)
    async with await psycopg.AsyncConnection.connect(
        database.admin_database_url, autocommit=True
    ) as admin:
        for turns in STEPS[2:10:2]:
            task = asyncio.ensure_future(work(pool, ONE))
            for _ in range(turns):
                await asyncio.sleep(0)
            await admin.execute(how.encode())
            with suppress(Unavailable, psycopg.Error):
                await task
            assert await left(pool) == CLEAN


def sources(pattern: re.Pattern[str]) -> set[str]:
    """Name the modules whose code holds a pattern."""
    root = in_checkout()
    folders = ("adapters", "application", "migrations")
    found: list[Path] = [path for folder in folders for path in (root / folder).rglob("*.py")]
    return {str(path.relative_to(root)) for path in found if pattern.search(path.read_text())}


def test_what_sets_a_tenant_is_tried_above() -> None:
    assert sources(SETS_A_TENANT) == {
        "adapters/postgres/connections.py",
        "adapters/postgres/at_once.py",
    }, "Set it where the others are set, or try what ends its transaction early."


def test_a_tenant_is_set_for_a_transaction_and_never_for_a_session() -> None:
    for path in sources(SETS_A_TENANT):
        text = in_checkout(path).read_text()
        for found in re.finditer(r"set_config\('app\.tenant_id', (?:%s|\$1), (\w+)\)", text):
            assert found[1] == "true", path
        assert "SET app.tenant_id" not in text, path
        assert text.count("app.tenant_id") == len(
            re.findall(r"set_config\('app\.tenant_id'|SET LOCAL app\.tenant_id", text)
        ), path


def test_the_role_is_changed_where_a_connection_is_made_and_by_rebuilds_alone() -> None:
    assert sources(CHANGES_THE_ROLE) == {
        "adapters/postgres/connections.py",
        "adapters/postgres/projecting/building/task.py",
    }


class Breaking:
    """A connection of libpq that breaks when it is read: its socket is closed by then.

    The next connection that is made gets the same number, before anybody learns of it.
    """

    def __init__(self, socket: socket.socket, next_one: Callable[[], None]) -> None:
        self.socket = socket.fileno()
        self._socket = socket
        self._next_one = next_one

    def flush(self) -> int:
        return 0

    def is_busy(self) -> bool:
        return True

    def consume_input(self) -> None:
        self._socket.close()
        asyncio.get_running_loop().call_soon(self._next_one)
        raise psycopg.OperationalError


async def test_a_connection_that_broke_does_not_make_the_next_one_deaf() -> None:
    """Its number is another's by then, and whoever waits for that one would wait for ever."""
    loop, heard = asyncio.get_running_loop(), asyncio.Event()
    (mine, theirs), others = socket.socketpair(), list[socket.socket]()

    def connect_anew() -> None:
        others.extend(socket.socketpair())
        assert others[0].fileno() == number
        loop.add_reader(number, heard.set)

    number = mine.fileno()
    theirs.send(b"x")
    with pytest.raises(psycopg.OperationalError):
        await _results(Breaking(mine, connect_anew))  # type: ignore[arg-type] # All that it asks of one.
    others[1].send(b"x")
    async with asyncio.timeout(5):
        await heard.wait()
    loop.remove_reader(number)
    for each in (theirs, *others):
        each.close()
