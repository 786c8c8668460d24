"""The audience: all who listen to a process, by WebSocket or server-sent events, and their limits.

Once or more a second it is seen to that each may still listen, takes in what it is sent, and has
said who it is.
"""

import asyncio
from collections import Counter
from contextlib import suppress
from time import monotonic
from typing import Final, Protocol
from weakref import WeakKeyDictionary

import structlog

from adapters.access.door import Admission
from adapters.access.standing import fallen
from adapters.graphql.subscriptions.milestones import Milestones
from adapters.graphql.subscriptions.outbox import Outbox
from adapters.graphql.subscriptions.topics import Topics
from adapters.redis.hub import Hub
from adapters.runtime import Runtime
from application.errors import TooMany, Unavailable

SWEEP_SECONDS: Final = 0.3
"""With the time the projection takes, who may not listen any more is out within a second."""

SEND_SECONDS_MAX: Final = 15.0
"""A reader this slow is cut off; it comes back with its cursor and misses nothing."""

INIT_SECONDS_MAX: Final = 10.0
UNKNOWN_MAX: Final = 2_000
"""Listeners that have not said yet who they are."""

log = structlog.get_logger()


class Listener(Protocol):
    """Somebody who listens."""

    outbox: Outbox
    since: float
    admission: Admission | None

    def be_late(self) -> None:
        """It did not say who it is."""

    def be_stuck(self) -> None:
        """It takes nothing in."""

    def be_shut_out(self) -> None:
        """It may listen no longer."""

    def be_sent_away(self) -> None:
        """The process ends; another one listens to it."""


class Audience:
    """Everybody who listens to a process, and what they share."""

    def __init__(self, runtime: Runtime) -> None:
        self.topics = Topics()
        self.milestones = Milestones(runtime)
        self._runtime = runtime
        self._listeners: set[Listener] = set()
        self._unknown = 0
        self._admitted: Counter[str] = Counter()
        self._sweeping: asyncio.Task[None] | None = None

    def enter(self, listener: Listener) -> None:
        """Take in somebody who has not said yet who it is.

        Raises:
            TooMany: So many have not.

        """
        if self._unknown >= UNKNOWN_MAX:
            raise _too_many(f"{UNKNOWN_MAX} connections have not said yet who they are.")
        self._unknown += 1
        self._listeners.add(listener)
        if self._sweeping is None:
            self._sweeping = asyncio.create_task(self._sweep())

    def admit(self, listener: Listener, admission: Admission) -> None:
        """Note who somebody is.

        Raises:
            TooMany: It listens often enough.

        """
        most = self._runtime.settings.listeners_per_key_max
        if self._admitted[_name(admission)] >= most:
            raise _too_many(f"This key listens over {most} connections already.")
        self._unknown -= 1
        self._admitted[_name(admission)] += 1
        listener.admission = admission

    def leave(self, listener: Listener) -> None:
        self._listeners.discard(listener)
        if listener.admission is None:
            self._unknown -= 1
            return
        name = _name(listener.admission)
        self._admitted[name] -= 1
        if not self._admitted[name]:
            del self._admitted[name]

    def send_away(self) -> None:
        """Tell everybody to listen elsewhere from now on."""
        for listener in list(self._listeners):
            listener.be_sent_away()

    async def _sweep(self) -> None:
        while self._listeners:
            await asyncio.sleep(SWEEP_SECONDS)
            self._find_the_silent()
            try:
                with suppress(Unavailable):  # Nobody knows; and nothing can be read meanwhile.
                    await self._find_the_fallen()
            except Exception:  # The next round may go well.
                log.exception("audience.sweep_failed")
        self._sweeping = None

    def _find_the_silent(self) -> None:
        late, stuck = monotonic() - INIT_SECONDS_MAX, monotonic() - SEND_SECONDS_MAX
        for listener in list(self._listeners):
            since = listener.outbox.since
            if listener.admission is None and listener.since < late:
                listener.be_late()
            elif since is not None and since < stuck:
                listener.be_stuck()

    async def _find_the_fallen(self) -> None:
        admitted = {each.admission: each for each in self._listeners if each.admission is not None}
        for admission in await fallen(self._runtime, admitted):
            log.info("audience.shut_out", actor=admission.context.actor)
            admitted[admission].be_shut_out()


def _name(admission: Admission) -> str:
    return f"{admission.context.tenant} {admission.context.actor}"


def _too_many(message: str) -> TooMany:
    return TooMany(
        "subscriptions.too_many_connections",
        message,
        hint="Subscribe several times over one connection, and close those that are not needed.",
    )


_audiences: WeakKeyDictionary[Hub, Audience] = WeakKeyDictionary()


def audience_of(runtime: Runtime) -> Audience:
    """Return the audience of a process, made when the first one comes."""
    audience = _audiences.get(runtime.hub)
    if audience is None:
        audience = _audiences[runtime.hub] = Audience(runtime)
    return audience
