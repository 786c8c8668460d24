"""What time asks for: lost jobs are queued again; keys and rows that were kept are let go."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from time import monotonic
from typing import Final, LiteralString

import structlog
from redis.exceptions import RedisError

from adapters.access.sessions import drop_ended
from adapters.credentials.safe import drop_idle
from adapters.postgres.connections import Pool, tenant_transaction
from adapters.postgres.locks import held, lock_of_job
from adapters.postgres.projecting.building.keeping import empty_former
from adapters.redis.broker import make_broker
from adapters.runtime import Runtime
from adapters.worker.queue import enqueue
from application.errors import Unavailable
from domain.ids import SYSTEM_TENANT, JobId, TenantId

SWEEP_SECONDS: Final = 10.0
JUMP_SECONDS: Final = 60.0
"""How far two clocks may part between two sweeps before one of them was set."""

UNENDED: LiteralString = "SELECT tenant_id::text, job, kind, subject FROM unended_jobs_v2()"
NOW: LiteralString = "SELECT clock_timestamp()"
EXPIRE: LiteralString = "SELECT expire_keys_v2(make_interval(secs => %s))"
log = structlog.get_logger()


async def sweep(runtime: Runtime) -> None:
    """Sweep until cancelled; servers may go away and come back."""
    broker = make_broker(runtime.settings.redis_url or "")
    expiry = KeyExpiry(runtime.pool, runtime.settings.idempotency_key_seconds)
    seen: set[tuple[TenantId, JobId]] = set()
    while True:
        try:
            idle = await _idle_jobs(runtime)
            for (tenant, job), (kind, subject) in idle.items():
                # Idle twice in a row: its message is gone, with Redis or with a worker.
                if (tenant, job) in seen and not await runtime.bus.is_locked(tenant):
                    await asyncio.to_thread(enqueue, broker, tenant, job, kind, subject)
                    log.warning("job.enqueued_again", job=job, kind=kind)
            seen = idle.keys() - seen
            await expiry.sweep()
            await drop_idle(runtime.pool)
            await drop_ended(runtime.pool, runtime.clock.now())
            async with tenant_transaction(runtime.pool, SYSTEM_TENANT) as connection:
                await empty_former(connection)
        except (Unavailable, RedisError) as error:
            log.warning("scheduler.waiting", reason=type(error).__name__)
        await asyncio.sleep(SWEEP_SECONDS)


class KeyExpiry:
    """Forgets idempotency keys that are old enough, and none because a clock was set.

    The age of a key is measured by the database's clock. It is trusted while it goes as our own
    clock does, which nobody can set. After a jump the keys from before it look older than they
    are, for as long as keys are kept; until then none is forgotten.
    """

    def __init__(
        self, pool: Pool, keep_seconds: float, ticks: Callable[[], float] = monotonic
    ) -> None:
        self._pool = pool
        self._keep_seconds = keep_seconds
        self._ticks = ticks
        self._last: tuple[datetime, float] | None = None
        self._wait_until = float("-inf")

    async def sweep(self) -> int:
        """Forget what is old enough and return how many keys that were.

        Raises:
            Unavailable: PostgreSQL does not answer.

        """
        async with tenant_transaction(self._pool, SYSTEM_TENANT) as connection:
            row = await (await connection.execute(NOW)).fetchone()
            if row is None or not self._trusts(row[0], self._ticks()):
                return 0
            row = await (await connection.execute(EXPIRE, (self._keep_seconds,))).fetchone()
            return row[0] if row else 0

    def _trusts(self, now: datetime, ticks: float) -> bool:
        last, self._last = self._last, (now, ticks)
        if last is None:
            return False  # There is nothing to compare with yet.
        apart_seconds = (now - last[0]).total_seconds() - (ticks - last[1])
        if abs(apart_seconds) > JUMP_SECONDS:
            log.warning("keys.clock_jumped", seconds=round(apart_seconds))
            self._wait_until = ticks + self._keep_seconds
        return ticks >= self._wait_until


async def _idle_jobs(runtime: Runtime) -> dict[tuple[TenantId, JobId], tuple[str, str]]:
    """Find the jobs that are not over and that no worker holds.

    Callers may choose the ids of jobs, so that two tenants may have one of the same id.
    """
    async with tenant_transaction(runtime.pool, SYSTEM_TENANT) as connection:
        jobs = await (await connection.execute(UNENDED)).fetchall()
    idle: dict[tuple[TenantId, JobId], tuple[str, str]] = {}
    for tenant, job, kind, subject in jobs:
        place = TenantId(tenant), JobId(job)
        url = runtime.settings.database_url or ""
        async with held(url, lock_of_job(*place), seconds_max=0) as free:
            if free:
                idle[place] = (kind, subject)
    return idle
