"""A pool whose connections were ended serves again at once."""

import asyncio
from time import monotonic
from uuid import uuid4

import psycopg

from adapters.embedded.servers import Urls
from adapters.postgres import connections
from adapters.postgres.connections import make_pool, tenant_transaction
from domain.ids import TenantId

END_ALL = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
TENANT = TenantId(str(uuid4()))


async def test_when_all_connections_are_ended_the_next_request_is_answered_at_once(
    database: Urls,
) -> None:
    pool = make_pool(database.database_url, size_max=8)

    async def ask() -> None:
        async with tenant_transaction(pool, TENANT) as connection:
            await connection.execute("SELECT pg_sleep(0.2)")

    async with pool:
        await asyncio.gather(*(ask() for _ in range(8)))
        assert pool.get_stats()["pool_size"] == 8
        for connection in list(connections._used_at):
            connections._used_at[connection] = 0.0  # As if they had not been used for long.
        with psycopg.connect(database.admin_database_url, autocommit=True) as admin:
            (ended,) = admin.execute(END_ALL).fetchone() or (0,)
            assert ended >= 8
        begun = monotonic()
        await ask()
        assert monotonic() - begun < 3.0
