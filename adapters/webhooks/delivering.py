"""Finding endpoints that have something to be sent, and serving many of them at a time.

Each is served by one process at a time, in turns, so that a slow one holds no other up.
"""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Final, TypeAlias

import structlog

from adapters.redis.hub import HeadMoved, News
from adapters.runtime import Runtime, reach_of
from adapters.webhooks.ledger import Hold, due_endpoints
from adapters.webhooks.sending import CONNECTIONS_MAX, Sender, open_sender
from adapters.webhooks.turn import TURN_SECONDS, Turn
from application.errors import Unavailable
from domain.ids import TenantId
from domain.webhooks import EndpointId

POLL_SECONDS: Final = 2.0
"""How often all endpoints are looked at: a hint that was lost, or a retry, waits no longer."""

HINT_SECONDS: Final = 0.1
"""How often hints are followed at the most."""

LEASE_SPARE_SECONDS: Final = 5.0
"""What a lease outlasts a turn by, and the longest wait for a receiver at its end."""

RELEASE_TRIES: Final = 5
RETRY_SECONDS: Final = 0.5
CRASHED: Final = timedelta(minutes=1)
log = structlog.get_logger()
Place: TypeAlias = tuple[TenantId, EndpointId]


async def deliver(runtime: Runtime) -> None:
    """Send until cancelled; servers may go away and come back."""
    seconds_max = runtime.settings.webhook_seconds_max
    async with open_sender(reach_of(runtime.settings), seconds_max) as sender:
        await Deliverer(runtime, sender).run()


class Deliverer:
    """Looks for what is due, and gives each endpoint its turns."""

    def __init__(self, runtime: Runtime, sender: Sender) -> None:
        self._runtime = runtime
        self._sender = sender
        self._lease_seconds = (
            TURN_SECONDS + runtime.settings.webhook_seconds_max + LEASE_SPARE_SECONDS
        )
        self._working: dict[Place, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Go on until cancelled; then what is under way is broken off, and comes again."""
        loop, look_at = asyncio.get_running_loop(), 0.0
        grown: list[TenantId] = []
        try:
            async with self._runtime.hub.listen() as news:
                while True:
                    everyone = loop.time() >= look_at
                    if everyone:
                        look_at = loop.time() + POLL_SECONDS
                    try:
                        await self.look(None if everyone else grown)
                    except Unavailable as error:
                        log.warning("webhooks.waiting", reason=error.message)
                    grown = await _grown(news, look_at - loop.time())
        finally:
            await self.stop()

    async def look(self, tenants: list[TenantId] | None = None) -> None:
        """Begin to serve what is due: of these tenants, or of all.

        Raises:
            Unavailable: PostgreSQL does not answer.

        """
        room = CONNECTIONS_MAX - len(self._working)
        if room <= 0 or tenants == []:
            return
        for place in await due_endpoints(self._runtime.pool, tenants, room):
            if place not in self._working:
                self._working[place] = asyncio.create_task(self._serve(*place))

    async def settle(self) -> None:
        """Wait until those that are served have had their turns."""
        while self._working:
            await asyncio.gather(*self._working.values(), return_exceptions=True)

    async def stop(self) -> None:
        """Break off what is under way."""
        for task in self._working.values():
            task.cancel()
        await asyncio.gather(*self._working.values(), return_exceptions=True)
        self._working.clear()  # One that had not begun left its place behind.

    async def _serve(self, tenant: TenantId, endpoint: EndpointId) -> None:
        hold = Hold(self._runtime.pool, tenant, endpoint, self._lease_seconds)
        with structlog.contextvars.bound_contextvars(tenant=tenant, endpoint=endpoint):
            try:
                if await hold.claim():
                    await self._hold(hold)
            except Unavailable as error:
                log.warning("webhook.waiting", reason=error.message)
            finally:
                self._working.pop((tenant, endpoint), None)

    async def _hold(self, hold: Hold) -> None:
        try:
            await Turn(self._runtime, self._sender, hold).take()
        except Unavailable:
            raise
        except Exception:
            log.exception("webhook.crashed")
            await hold.rest(CRASHED, "An error of ours; it is in the log of this instance.")
        finally:
            await _release(hold)


async def _release(hold: Hold) -> None:
    """Let go of an endpoint; where PostgreSQL stays away, its lease ends by itself."""
    for _ in range(RELEASE_TRIES):
        try:
            return await hold.release()
        except Unavailable:
            await asyncio.sleep(RETRY_SECONDS)
    return None


async def _grown(news: "asyncio.Queue[News]", seconds: float) -> list[TenantId]:
    """Name the logs that are said to have grown, soon after the first is, or none after a time."""
    grown: set[TenantId] = set()
    with suppress(TimeoutError):
        async with asyncio.timeout(max(seconds, 0.0)):
            while not grown:
                grown |= _logs(await news.get())
            await asyncio.sleep(HINT_SECONDS)
    while not news.empty():
        grown |= _logs(news.get_nowait())
    return sorted(grown)


def _logs(news: News) -> set[TenantId]:
    return {news.tenant} if isinstance(news, HeadMoved) else set()
