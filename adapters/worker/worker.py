"""The dramatiq worker: takes jobs off the queue, some at a time, and does them on one loop."""

import asyncio
from concurrent.futures import CancelledError, Future
from typing import Final

import dramatiq

from adapters.redis.broker import QUEUE, make_broker
from adapters.runtime import Runtime
from adapters.worker.queue import ACTOR, enqueue
from adapters.worker.work import run_job
from domain.ids import JobId, TenantId

THREADS: Final = 4
IDLE_MILLISECONDS: Final = 50
"""How long an idle worker sleeps at most before it looks again: what a job waits to start."""

STOP_MILLISECONDS: Final = 5_000


async def work(runtime: Runtime) -> None:
    """Do jobs until cancelled. What is under way then is redelivered and resumed elsewhere."""
    broker = make_broker(runtime.settings.redis_url or "")
    loop = asyncio.get_running_loop()
    running: set[Future[None]] = set()

    def do(tenant: str, job: str, kind: str, subject: str) -> None:
        future = asyncio.run_coroutine_threadsafe(
            run_job(runtime, TenantId(tenant), JobId(job), kind, subject), loop
        )
        running.add(future)
        try:
            future.result()
        except CancelledError:
            # This worker ends; another goes on from the last committed chunk.
            enqueue(broker, TenantId(tenant), JobId(job), kind, subject)
        finally:
            running.discard(future)

    dramatiq.actor(actor_name=ACTOR, queue_name=QUEUE, broker=broker)(do)
    worker = dramatiq.Worker(broker, worker_threads=THREADS, worker_timeout=IDLE_MILLISECONDS)
    worker.start()
    try:
        await asyncio.Event().wait()
    finally:
        for future in list(running):
            future.cancel()
        await asyncio.to_thread(worker.stop, STOP_MILLISECONDS)
        broker.close()
