"""A writer that lost its connection learns what became of its batch, and nothing is doubled."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import psycopg
import pytest

from adapters.embedded.servers import Urls
from adapters.postgres.connections import Connection, connect
from adapters.postgres.store.call import Batch, Item, call, settle
from adapters.runtime import Runtime
from domain.ids import TenantId
from tests.contracts.test_database import an_append


@pytest.fixture
async def connection(database: Urls) -> AsyncIterator[Connection]:
    async with await connect(database.database_url) as opened:
        yield opened


@pytest.fixture
async def writer(connection: Connection) -> UUID:
    writer = uuid4()
    assert await settle(connection, writer, 0) is None
    return writer


def a_batch() -> Batch:
    return Batch([Item(TenantId(str(uuid4())), an_append()) for _ in range(3)])


async def test_an_appended_batch_is_settled_as_appended(
    connection: Connection, writer: UUID
) -> None:
    batch = a_batch()
    answer = await call(connection, writer, 1, batch)
    assert batch.bases(answer.heads) == [0, 0, 0]
    assert await settle(connection, writer, 1) == answer.heads


async def test_a_batch_that_never_came_is_settled_as_not_appended(
    connection: Connection, writer: UUID
) -> None:
    assert await settle(connection, writer, 1) is None


async def test_a_settled_batch_that_comes_late_is_not_appended(
    connection: Connection, writer: UUID, runtime: Runtime
) -> None:
    batch = a_batch()
    assert await settle(connection, writer, 1) is None
    with pytest.raises(psycopg.Error) as refused:
        await call(connection, writer, 1, batch)
    assert refused.value.sqlstate == "AS001"
    assert [await runtime.store.head(tenant) for tenant in batch.tenants] == [0, 0, 0]


async def test_a_batch_is_appended_once_however_often_it_comes(
    connection: Connection, writer: UUID, runtime: Runtime
) -> None:
    batch = a_batch()
    await call(connection, writer, 1, batch)
    with pytest.raises(psycopg.Error) as refused:
        await call(connection, writer, 1, batch)
    assert refused.value.sqlstate == "AS001"
    assert [await runtime.store.head(tenant) for tenant in batch.tenants] == [1, 1, 1]


async def test_settling_waits_for_the_end_of_a_batch_under_way(
    connection: Connection, writer: UUID, database: Urls
) -> None:
    batch = a_batch()
    async with await connect(database.database_url) as other:
        async with connection.transaction():
            await call(connection, writer, 1, batch)
            settling = asyncio.create_task(settle(other, writer, 1))
            await asyncio.sleep(0.3)
            assert not settling.done()
        assert await settling == [0, 0, 0]


async def test_settling_forgets_a_batch_whose_transaction_broke_off(
    connection: Connection, writer: UUID, database: Urls, runtime: Runtime
) -> None:
    batch = a_batch()
    async with await connect(database.database_url) as other:
        with pytest.raises(RuntimeError):
            await _append_and_fail(connection, writer, batch)
        assert await settle(other, writer, 1) is None
    assert [await runtime.store.head(tenant) for tenant in batch.tenants] == [0, 0, 0]


async def _append_and_fail(connection: Connection, writer: UUID, batch: Batch) -> None:
    async with connection.transaction():
        await call(connection, writer, 1, batch)
        raise RuntimeError


async def test_a_writer_whose_connection_is_ended_goes_on_with_another(
    runtime: Runtime, database: Urls
) -> None:
    tenant = TenantId(str(uuid4()))
    bases: list[int] = []
    for _ in range(10):
        with psycopg.connect(database.admin_database_url, autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE query LIKE '%append_events_v2%' AND pid <> pg_backend_pid()"
            )
        bases.append(await runtime.store.append(tenant, an_append()))
    assert bases == list(range(10))
