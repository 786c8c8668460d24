"""The processes behind the API: projector, worker, scheduler. Each runs until it is told to end."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from adapters.postgres.projector import Projector, projections
from adapters.redis.broker import make_broker
from adapters.redis.hub import HeadMoved
from adapters.runtime import Runtime, open_runtime
from adapters.settings import Settings
from adapters.worker.queue import JobReaction
from adapters.worker.sweeper import sweep
from adapters.worker.worker import work

log = structlog.get_logger()


def run_projector(settings: Settings) -> int:
    """Fold events into read models and enqueue the jobs they want."""
    return asyncio.run(_until_told(settings, "projector", _project))


def run_worker(settings: Settings) -> int:
    """Do jobs."""
    return asyncio.run(_until_told(settings, "worker", work))


def run_scheduler(settings: Settings) -> int:
    """Do what time asks for: find lost jobs, forget old idempotency keys."""
    return asyncio.run(_until_told(settings, "scheduler", sweep))


async def _until_told(
    settings: Settings, name: str, run: Callable[[Runtime], Awaitable[None]]
) -> int:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with open_runtime(settings) as runtime:
        log.info("process.started", process=name)
        running = asyncio.ensure_future(run(runtime))
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    log.info("process.stopped", process=name)
    return 0


async def _project(runtime: Runtime) -> None:
    consumers, system = projections()
    broker = make_broker(runtime.settings.redis_url or "")
    projector = Projector(runtime.pool, {**consumers, "jobs.enqueue": JobReaction(broker)}, system)

    async def hint() -> None:
        async with runtime.hub.listen() as news:
            while True:
                heard = await news.get()
                if isinstance(heard, HeadMoved):
                    projector.hint(heard.tenant)

    async with asyncio.TaskGroup() as group:
        group.create_task(hint())
        group.create_task(projector.run())
