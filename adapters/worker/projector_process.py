"""The projector process: folds events into read models and enqueues the jobs they want."""

import asyncio

from adapters.postgres.projector import Projector, projections
from adapters.redis.broker import make_broker
from adapters.redis.hub import HeadMoved
from adapters.runtime import Runtime
from adapters.settings import Settings
from adapters.worker.queue import CONSUMER, JobReaction
from adapters.worker.until_told import until_told


def run_projector(settings: Settings) -> int:
    """Run until told to end, and return the exit code."""
    return until_told(settings, "projector", project)


async def project(runtime: Runtime) -> None:
    """Drive every consumer of every log until cancelled."""
    consumers, system = projections(runtime.vault)
    reaction = JobReaction(make_broker(runtime.settings.redis_url or ""))
    projector = Projector(runtime.pool, {CONSUMER: reaction, **consumers}, system)

    async def hint() -> None:
        async with runtime.hub.listen() as news:
            while True:
                heard = await news.get()
                if isinstance(heard, HeadMoved):
                    projector.hint(heard.tenant)

    async with asyncio.TaskGroup() as group:
        group.create_task(hint())
        group.create_task(projector.run())
