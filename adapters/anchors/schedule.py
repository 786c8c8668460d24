"""Anchors by the clock: made when the last is old enough, timestamped when the witness is there."""

import asyncio
from datetime import timedelta
from typing import Final

import structlog

from adapters.anchors.making import make_if_due, stamp_missing
from adapters.runtime import Runtime
from application.anchors import by_schedule
from application.errors import ApplicationError
from application.kernel import new_id
from domain.kernel import Refused

TICK_SECONDS: Final = 30.0
STAMP_REST_FIRST: Final = timedelta(minutes=1)
STAMP_REST_MAX: Final = timedelta(hours=1)
log = structlog.get_logger()


async def keep_anchoring(runtime: Runtime) -> None:
    """Anchor until cancelled; servers and the authority may go away and come back."""
    every = runtime.settings.anchor_every_seconds
    stamping = _Stamping(runtime)
    while True:
        try:
            if every > 0:
                context = by_schedule(new_id(runtime.clock.now()))
                await make_if_due(runtime, context, every)
            await stamping.step()
        except (Refused, ApplicationError) as error:
            log.warning("anchor.waiting", code=error.code, reason=error.message)
        await asyncio.sleep(min(TICK_SECONDS, every or TICK_SECONDS))


class _Stamping:
    """Asks again for timestamps, after longer and longer rests while it fails."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._rest = STAMP_REST_FIRST
        self._not_before = 0.0

    async def step(self) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._not_before:
            return
        if (await stamp_missing(self._runtime)).failure is None:
            self._rest = STAMP_REST_FIRST
        else:
            self._not_before = now + self._rest.total_seconds()
            self._rest = min(self._rest * 2, STAMP_REST_MAX)
