"""Looked up once for all who ask at the same time, and known for a moment."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from typing import Any, Final, Generic, TypeVar

KEPT_SECONDS: Final = 0.5
"""So long what was taken away may still be held; less than a second with all else."""

KEPT_MAX: Final = 10_000

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Lookups(Generic[K, V]):
    """Knows what was asked for lately. What was not found is asked for again at once."""

    def __init__(self, look_up: Callable[[K], Coroutine[Any, Any, V | None]]) -> None:
        self._look_up = look_up
        self._kept: OrderedDict[K, tuple[float, asyncio.Task[V | None]]] = OrderedDict()

    def get(self, key: K, *, begun: float = 0.0) -> Awaitable[V | None]:
        """Find what *key* names; None: nothing.

        What was looked up before *begun*, as ``time.monotonic`` tells it, is not good enough.
        """
        now = time.monotonic()
        since, looking = self._kept.get(key, (0.0, None))
        if looking is None or now - since > KEPT_SECONDS or since < begun:
            looking = asyncio.create_task(self._find(key))
            self._kept[key] = (now, looking)
            self._kept.move_to_end(key)
            while len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
        return asyncio.shield(looking)

    async def _find(self, key: K) -> V | None:
        try:
            found = await self._look_up(key)
        except BaseException:
            self._kept.pop(key, None)
            raise
        if found is None:
            self._kept.pop(key, None)  # What was made just now is seen at once.
        return found
