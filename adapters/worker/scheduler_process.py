"""The scheduler process: does what time asks for."""

import asyncio

from adapters.anchors.schedule import keep_anchoring
from adapters.runtime import Runtime
from adapters.settings import Settings
from adapters.worker.sweeper import sweep
from adapters.worker.until_told import until_told


def run_scheduler(settings: Settings) -> int:
    """Run until told to end, and return the exit code."""
    return until_told(settings, "scheduler", _work)


async def _work(runtime: Runtime) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(sweep(runtime))
        group.create_task(keep_anchoring(runtime))
