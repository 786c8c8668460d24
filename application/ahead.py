"""The next chunk is made while the last one is written: the work of a job overlaps its waits."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def ahead(produce: Callable[[], Awaitable[T | None]]) -> AsyncGenerator[T, None]:
    """Yield what *produce* returns until it returns None, one item ahead of the consumer.

    Close it (``contextlib.aclosing``), so that an item that nobody takes is not left running.
    """
    coming = asyncio.ensure_future(produce())
    try:
        while (item := await coming) is not None:
            coming = asyncio.ensure_future(produce())
            yield item
    finally:
        coming.cancel()
        await asyncio.wait([coming])
        if not coming.cancelled():
            coming.exception()  # Whatever it met, the consumer ends for a reason of its own.
