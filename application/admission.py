"""Admission: whether a command may run, by what an operator and the company itself decided.

A suspended company changes nothing, and a module that is switched off runs no command. What is
known of that stays in the process for half a second. It comes with the look that commands make
anyway, so that none waits for a read of its own; only who is suspended is read beside it, for all
companies at once. Nobody is refused by what is kept: before that it is looked at again.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import Any, Final, TypeVar

from msgspec import Struct

from application.asks import Ask
from application.errors import Forbidden
from application.fields import held
from application.kernel import exposed_commands
from application.modules import is_on, module_of, settings_of
from application.states import States, Working
from domain.fields import Fields
from domain.ids import SYSTEM_TENANT, TenantId
from domain.kernel import Boundary, Command, Refused, State
from domain.modules import Modules
from domain.tenants import Suspensions, Tenant

S = TypeVar("S", bound=State)
FRESH_SECONDS: Final = 0.5
"""With the time that a look takes, a decision holds everywhere well within a second."""

KEPT_MAX: Final = 10_000
"""Companies that a process knows: more than any serves within half a second."""


DECIDED: Final[tuple[Boundary[Any], ...]] = (Modules.own(), Fields.own())  # Any: of any state.
"""What a company decides for itself."""


class _Known(Struct, frozen=True):
    """What a company decided, and when it was asked for."""

    state: State
    at: float


class Admission:
    """Knows who is suspended, and what is switched off."""

    def __init__(self) -> None:
        self._suspended = Suspensions()
        self._suspended_at = -math.inf
        self._changed_at = -math.inf  # When a company was changed here, perhaps suspended.
        self._looking: asyncio.Task[None] | None = None
        self._known: OrderedDict[tuple[TenantId, type[State]], _Known] = OrderedDict()

    async def load(self, states: States, tenant: TenantId, asks: Sequence[Ask]) -> Working:
        """Load the states of commands, which are checked when they are decided by them.

        Raises:
            Unavailable: The store is away.

        """
        commands = [ask.command for ask in asks]
        keys = [ask.key for ask in asks if ask.key is not None]
        unknown = await self._unknown(states, tenant, asks)
        work = await states.load(tenant, commands, keys, unknown)
        self.learn(tenant, work)
        work.admitted = partial(self._check, tenant, work)
        return work

    def learn(self, tenant: TenantId, work: Working) -> None:
        """Take over what was read with the states of commands, or what became of it."""
        for boundary in DECIDED:
            state = work.states.get((boundary.state, boundary.tag))
            if state is not None:
                self._known[tenant, boundary.state] = _Known(state, work.began)
                self._known.move_to_end((tenant, boundary.state))
        while len(self._known) > KEPT_MAX * len(DECIDED):
            self._known.popitem(last=False)
        if tenant == SYSTEM_TENANT and any(state is Tenant for state, _ in work.states):
            self._changed_at, self._looking = time.monotonic(), None

    async def is_locked(self, states: States, tenant: TenantId) -> bool:
        """Tell whether nobody is let in for a company, as of half a second ago at the most.

        Raises:
            Unavailable: The store is away.

        """
        if self._suspended_at < max(time.monotonic() - FRESH_SECONDS, self._changed_at):
            await self._look(states)
        return tenant in self._suspended.locked

    async def _unknown(
        self, states: States, tenant: TenantId, asks: Sequence[Ask]
    ) -> tuple[Boundary[Any], ...]:  # Any: of any state.
        """Name what has to be read of *tenant* before *asks* can be checked; mostly nothing."""
        callers = {tenant, *(ask.context.tenant for ask in asks)} - {SYSTEM_TENANT}
        since = max(time.monotonic() - FRESH_SECONDS, self._changed_at)
        is_old = self._suspended_at < since
        if callers and (is_old or not callers.isdisjoint(self._suspended.reasons)):
            await self._look(states)
        if tenant == SYSTEM_TENANT or self._lets_through(tenant, asks):
            return ()
        return DECIDED

    def _check(self, tenant: TenantId, work: Working, ask: Ask) -> Command:
        """Let a command through to its rule, as of the states that it is decided by.

        Raises:
            Forbidden: The company is suspended, or the module switched off.
            Refused: What the company decided about the module or its fields does not allow it.

        """
        exposed = exposed_commands()[type(ask.command)]
        if exposed.always or (exposed.system and exposed.route is None):
            return ask.command  # What the instance itself notes is no act of the company.
        reason = self._suspended.reasons.get(ask.context.tenant)
        if reason is not None:
            raise Forbidden(
                "tenants.suspended",
                f"The company is suspended: {reason}",
                hint="All of it can be read. Ask whoever runs this instance.",
            )
        if tenant == SYSTEM_TENANT:
            return ask.command
        modules = self._decided(tenant, work, Modules.own())
        return _admitted(ask.command, modules, self._decided(tenant, work, Fields.own()))

    def _decided(self, tenant: TenantId, work: Working, boundary: Boundary[S]) -> S:
        """Return what the company decided: as the commands at hand left it, or as it is known."""
        state = work.states.get((boundary.state, boundary.tag))
        state = self._known[tenant, boundary.state].state if state is None else state
        assert isinstance(state, boundary.state)
        return state

    def _lets_through(self, tenant: TenantId, asks: Sequence[Ask]) -> bool:
        """Tell whether what is kept is fresh, and refuses nobody."""
        modules = self._known.get((tenant, Modules))
        fields = self._known.get((tenant, Fields))
        if modules is None or fields is None:
            return False
        if min(modules.at, fields.at) < time.monotonic() - FRESH_SECONDS:
            return False
        assert isinstance(modules.state, Modules)
        assert isinstance(fields.state, Fields)
        try:
            for ask in asks:
                _admitted(ask.command, modules.state, fields.state)
        except (Forbidden, Refused):
            return False
        return True

    async def _look(self, states: States) -> None:
        """Find out who is suspended; those who ask at the same time share one look."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._renew(states))
        await asyncio.shield(self._looking)

    async def _renew(self, states: States) -> None:
        began = time.monotonic()
        found = await states.fold(SYSTEM_TENANT, Suspensions.of_all())
        if began > self._suspended_at:
            self._suspended, self._suspended_at = found, began


def _admitted(command: Command, modules: Modules, fields: Fields) -> Command:
    """Hold a command to what its company decided, and fill in what that says."""
    module = module_of(type(command))
    if module is None:
        return command
    if not is_on(module, modules):
        raise Forbidden(
            "modules.disabled",
            f"{type(command).__name__} belongs to {module.name}, which is switched off.",
            hint="Its data are read as before. Enable the module to change them.",
        )
    if module.check is not None and module.name in modules.settings:
        module.check(settings_of(module, modules), command)
    return held(command, fields)
