"""A process behind the API: it opens its runtime and works until it is told to end."""

import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import structlog
import uvloop

from adapters.metrics.shared import tell_figures
from adapters.runtime import Runtime, open_runtime
from adapters.settings import Settings

GC_OBJECTS: Final = 100_000
log = structlog.get_logger()


def until_told(settings: Settings, name: str, work: Callable[[Runtime], Awaitable[None]]) -> int:
    """Run *work* until SIGINT or SIGTERM, and return the exit code."""
    # What is loaded by now stays; and a chunk of rows is tens of thousands of objects that
    # hold no cycles, so that looking for cycles every 700 is most of what it costs.
    gc.freeze()
    gc.set_threshold(GC_OBJECTS)
    return uvloop.run(_run(settings, name, work))


async def _run(settings: Settings, name: str, work: Callable[[Runtime], Awaitable[None]]) -> int:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with open_runtime(settings) as runtime:
        log.info("process.started", process=name)
        working, stopped = asyncio.ensure_future(work(runtime)), asyncio.create_task(stop.wait())
        telling = asyncio.create_task(tell_figures(runtime.redis, name))
        await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
        telling.cancel()
        stopped.cancel()
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working
    log.info("process.stopped", process=name)
    return 0
