"""A lock that lives as long as its holder's connection: who is killed lets go of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, LiteralString

from psycopg import OperationalError

from adapters.postgres.connections import connect, unavailable
from domain.ids import JobId, TenantId

TRY: LiteralString = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
WAIT_SECONDS: Final = 0.2
MIGRATING: Final = 0x617369656E746F  # "asiento": changes of one database's tables take turns.


def lock_of_job(tenant: TenantId, job: JobId) -> str:
    """Name the lock under which a job is done. Another tenant may have one of the same id."""
    return f"job:{tenant}:{job}"


@asynccontextmanager
async def held(url: str, name: str, *, seconds_max: float) -> AsyncIterator[bool]:
    """Hold the lock *name*, waiting for it; yield False where another held it all the time.

    Raises:
        Unavailable: PostgreSQL does not answer.

    """
    connection = await connect(url)
    try:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds_max
        try:
            while (
                not (row := await (await connection.execute(TRY, (name,))).fetchone()) or not row[0]
            ):
                if loop.time() > deadline:
                    yield False
                    return
                await asyncio.sleep(WAIT_SECONDS)
        except OperationalError as error:
            raise unavailable(error) from error
        yield True
    finally:
        await connection.close()
