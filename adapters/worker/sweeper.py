"""What time asks for: jobs that were lost are queued again, old idempotency keys forgotten."""

import asyncio
from typing import Final, LiteralString

import structlog
from redis.exceptions import RedisError

from adapters.postgres.connections import tenant_transaction
from adapters.postgres.locks import held
from adapters.redis.broker import make_broker
from adapters.runtime import Runtime
from adapters.worker.queue import enqueue
from application.errors import Unavailable
from domain.ids import SYSTEM_TENANT, JobId, TenantId

SWEEP_SECONDS: Final = 10.0
KEYS_KEPT: Final = "7 days"
UNENDED: LiteralString = "SELECT tenant_id::text, job, kind, subject FROM unended_jobs_v1()"
EXPIRE: LiteralString = "SELECT expire_keys_v1(%s::interval)"
log = structlog.get_logger()


async def sweep(runtime: Runtime) -> None:
    """Sweep until cancelled; servers may go away and come back."""
    broker = make_broker(runtime.settings.redis_url or "")
    seen: set[JobId] = set()
    while True:
        try:
            idle = await _idle_jobs(runtime)
            for job, (tenant, kind, subject) in idle.items():
                # Idle twice in a row: its message is gone, with Redis or with a worker.
                if job in seen:
                    await asyncio.to_thread(enqueue, broker, tenant, job, kind, subject)
                    log.warning("job.enqueued_again", job=job, kind=kind)
            seen = idle.keys() - seen
            async with tenant_transaction(runtime.pool, SYSTEM_TENANT) as connection:
                await connection.execute(EXPIRE, (KEYS_KEPT,))
        except (Unavailable, RedisError) as error:
            log.warning("scheduler.waiting", reason=type(error).__name__)
        await asyncio.sleep(SWEEP_SECONDS)


async def _idle_jobs(runtime: Runtime) -> dict[JobId, tuple[TenantId, str, str]]:
    """Find the jobs that are not over and that no worker holds."""
    async with tenant_transaction(runtime.pool, SYSTEM_TENANT) as connection:
        jobs = await (await connection.execute(UNENDED)).fetchall()
    idle: dict[JobId, tuple[TenantId, str, str]] = {}
    for tenant, job, kind, subject in jobs:
        url = runtime.settings.database_url or ""
        async with held(url, f"job:{job}", seconds_max=0) as free:
            if free:
                idle[JobId(job)] = (TenantId(tenant), kind, subject)
    return idle
