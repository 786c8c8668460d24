"""Queries in one round trip: each sees its own tenant's rows, whatever happened before it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio

from adapters.embedded.servers import Urls
from adapters.postgres import at_once
from adapters.postgres.at_once import Query, ask_at_once
from adapters.postgres.connections import Pool, make_pool, tenant_transaction
from application.errors import Unavailable
from domain.ids import TenantId
from tests.faults.server import server

ONE, TWO = TenantId(str(uuid4())), TenantId(str(uuid4()))
CONNECTIONS = 4
SLEEPING = """
SELECT count(*) FROM pg_stat_activity
WHERE state = 'active' AND query LIKE '%pg_sleep(9)%' AND pid <> pg_backend_pid()
"""
END_ALL = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
FILL = """
INSERT INTO webhooks_v1 (tenant_id, endpoint, url, types, description, status, position)
SELECT %s, 'e' || n, %s, '[]', '', 'enabled', n FROM generate_series(1, 3) AS n
"""
NO_CONDITION = b"SELECT endpoint, url FROM webhooks_v1 ORDER BY endpoint"
BY_KEY = b"SELECT url FROM webhooks_v1 WHERE endpoint = $1"
WRONG = b"SELECT 1 / $1::int"
PREPARED = "SELECT name FROM pg_prepared_statements WHERE name LIKE 'at_once_%'"
NOBODYS = b"SELECT current_setting('app.tenant_id', true)"


@pytest_asyncio.fixture(scope="module", autouse=True)
async def filled(database: Urls) -> None:
    """Give each of two tenants three rows of the same keys."""
    with psycopg.connect(database.admin_database_url) as admin:
        for tenant in (ONE, TWO):
            admin.execute("SELECT set_config('app.tenant_id', %s, true)", (tenant,))
            admin.execute(FILL, (tenant, f"of {tenant}"))


@pytest.fixture
async def pool(database: Urls) -> AsyncIterator[Pool]:
    async with make_pool(database.database_url, size_max=CONNECTIONS) as pool:
        yield pool


async def seen(pool: Pool, tenant: TenantId) -> list[list[bytes | None]]:
    """Ask for all rows that can be seen, and for one of them."""
    asked = [Query(tenant, NO_CONDITION), Query(tenant, BY_KEY, [b"e2"])]
    every, one = await ask_at_once(pool, asked)
    assert one.ntuples == 1
    return [
        [every.get_value(row, 1) for row in range(every.ntuples)],
        [one.get_value(0, 0)],
    ]


def rows_of(tenant: TenantId) -> list[list[bytes]]:
    return [[f"of {tenant}".encode()] * 3, [f"of {tenant}".encode()]]


async def test_tenants_that_share_connections_see_their_own_rows_only(pool: Pool) -> None:
    tenants = [ONE, TWO] * 100
    found = await asyncio.gather(*(seen(pool, tenant) for tenant in tenants))
    assert found == [rows_of(tenant) for tenant in tenants]
    assert pool.get_stats()["pool_size"] <= CONNECTIONS


async def test_queries_of_two_tenants_in_one_trip_see_each_its_own(pool: Pool) -> None:
    asked = [Query(tenant, BY_KEY, [b"e1"]) for tenant in (ONE, TWO, TWO, ONE)]
    for _ in range(3):
        found = [each.get_value(0, 0) for each in await ask_at_once(pool, asked)]
        assert found == [f"of {tenant}".encode() for tenant in (ONE, TWO, TWO, ONE)]


async def test_a_tenant_is_forgotten_when_its_queries_are_answered(pool: Pool) -> None:
    await seen(pool, ONE)
    async with pool.connection() as connection:
        row = await (await connection.execute(NOBODYS)).fetchone()
        assert row in {("",), (None,)}
        found = await (await connection.execute(NO_CONDITION)).fetchall()
        assert found == []


async def test_nothing_asked_brings_nothing(pool: Pool) -> None:
    assert await ask_at_once(pool, []) == []


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_a_statement_that_fails_leaves_the_next_ones_clean(pool: Pool, place: int) -> None:
    asked = [Query(ONE, NO_CONDITION), Query(ONE, BY_KEY, [b"e1"])]
    asked.insert(place, Query(TWO, WRONG, [b"0"]))
    for _ in range(3):
        with pytest.raises(psycopg.errors.DivisionByZero):
            await ask_at_once(pool, asked)
        for tenant in (TWO, ONE):
            assert await seen(pool, tenant) == rows_of(tenant)


async def test_failures_among_others_do_not_reach_them(pool: Pool) -> None:
    async def ask(number: int) -> object:
        tenant = (ONE, TWO)[number % 2]
        if number % 5:
            return await seen(pool, tenant) == rows_of(tenant)
        with suppress(psycopg.errors.DivisionByZero):
            await ask_at_once(pool, [Query(tenant, WRONG, [b"0"])])
        return True

    assert all(await asyncio.gather(*map(ask, range(100))))


async def test_what_a_rollback_let_go_of_is_prepared_again(database: Urls) -> None:
    async with make_pool(database.database_url, size_max=1) as pool:
        for _ in range(8):  # So often that psycopg prepares it, and lets go of all that is.
            assert await seen(pool, ONE) == rows_of(ONE)
            async with tenant_transaction(pool, TWO) as connection:
                await connection.execute(NO_CONDITION)
        with suppress(ZeroDivisionError):
            async with tenant_transaction(pool, TWO):
                raise ZeroDivisionError
        async with tenant_transaction(pool, TWO) as connection:
            left = await (await connection.execute(PREPARED)).fetchall()
        assert left == []
        for _ in range(3):
            assert await seen(pool, ONE) == rows_of(ONE)
        assert pool.get_stats()["connections_num"] == 1


async def test_whoever_stops_waiting_leaves_a_pool_that_serves(pool: Pool) -> None:
    slow = [Query(ONE, b"SELECT pg_sleep(5)"), Query(ONE, NO_CONDITION)]
    waiting = [asyncio.create_task(ask_at_once(pool, slow)) for _ in range(CONNECTIONS)]
    await asyncio.sleep(0.3)
    for task in waiting:
        task.cancel()
    assert await asyncio.gather(*waiting, return_exceptions=True) != []
    assert all(task.cancelled() for task in waiting)
    async with asyncio.timeout(4):
        for tenant in (ONE, TWO) * 4:
            assert await seen(pool, tenant) == rows_of(tenant)


async def test_connections_that_were_ended_are_told_and_replaced(
    pool: Pool, database: Urls
) -> None:
    slow = asyncio.create_task(ask_at_once(pool, [Query(ONE, b"SELECT pg_sleep(9)")]))
    await seen(pool, TWO)
    with psycopg.connect(database.admin_database_url, autocommit=True) as admin:
        async with asyncio.timeout(5):
            while admin.execute(SLEEPING).fetchone() == (0,):  # noqa: ASYNC110 - nobody tells.
                await asyncio.sleep(0.01)
        admin.execute(END_ALL)
    with pytest.raises(Unavailable) as error:
        await slow
    assert error.value.code == "database.unavailable"
    async with asyncio.timeout(10):
        while True:
            with suppress(Unavailable):  # Of a connection that was ended, and is not known to be.
                assert await seen(pool, ONE) == rows_of(ONE)
                break


async def test_a_server_that_was_killed_serves_again(tmp_path: Path) -> None:
    asked = [Query(ONE, NO_CONDITION), Query(ONE, BY_KEY, [b"e2"])]
    with server(tmp_path / "data") as hurt:
        hurt.ask(FILL, ONE, f"of {ONE}")
        async with make_pool(hurt.url, size_max=2) as pool:
            assert await seen(pool, ONE) == rows_of(ONE)
            hurt.kill()
            with pytest.raises(Unavailable):
                await ask_at_once(pool, asked)
            hurt.start()
            async with asyncio.timeout(20):
                while True:
                    with suppress(Unavailable):  # While it recovers.
                        assert await seen(pool, ONE) == rows_of(ONE)
                        return


async def test_a_large_question_and_a_large_answer_do_not_wait_for_each_other(pool: Pool) -> None:
    text = b"x" * 2_000_000
    asked = [Query(ONE, b"SELECT repeat($1, 4)", [text])] * 4
    async with asyncio.timeout(20):
        found = await ask_at_once(pool, asked)
    assert {len(each.get_value(0, 0) or b"") for each in found} == {8_000_000}


async def test_statements_are_forgotten_when_there_are_too_many(
    database: Urls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at_once, "NAMES_MAX", 5)
    monkeypatch.setattr(at_once, "PREPARED_MAX", 8)
    async with make_pool(database.database_url, size_max=1) as pool:
        for number in range(40):
            asked = [Query(ONE, b"SELECT %d" % (number // 2))]
            (found,) = await ask_at_once(pool, asked)
            assert found.get_value(0, 0) == b"%d" % (number // 2)
            assert await seen(pool, TWO) == rows_of(TWO)
        assert len(at_once._names) <= 5
