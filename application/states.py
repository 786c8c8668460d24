"""Folded states: kept in the process with their position, so that only what is new is read."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from typing import Final, TypeAlias, TypeVar

from application import codec
from application.ports import BoundaryQuery, EventStore, KeyedResult
from domain.ids import TenantId
from domain.kernel import Boundary, Command, Event, State, event_types_of

KEPT_MAX: Final = 20_000
"""States that a process keeps. A state is small: what a rule needs to know."""

OFTEN: Final = 2
S = TypeVar("S", bound=State)
_Slot: TypeAlias = tuple[type[State], str]


class Working:
    """The states of some commands, as of one head, and as the commands leave them."""

    def __init__(self, head: int, results: Iterable[KeyedResult]) -> None:
        self.head = head
        self.results = {result.key: result for result in results}
        self.states: dict[_Slot, State] = {}
        self.uses: dict[_Slot, int] = {}
        self._by_tag: dict[str, list[_Slot]] = {}

    def add(self, slot: _Slot, state: State) -> None:
        self.states[slot] = state
        self._by_tag.setdefault(slot[1], []).append(slot)

    def boundary(self) -> dict[str, tuple[str, ...]]:
        """Name the event types that matter, by tag."""
        return {
            tag: tuple(sorted({name for state, _ in slots for name in type_names(state)}))
            for tag, slots in self._by_tag.items()
        }

    def decide(self, command: Command) -> Sequence[Event]:
        states = (self.states[b.state, b.tag] for b in command.boundary())
        return tuple(command.decide(*states))

    def evolve(self, event: Event, tags: Iterable[str], since: Callable[[_Slot], bool]) -> None:
        """Let the states that *event* concerns change, where *since* says it is news."""
        for tag in tags:
            for slot in self._by_tag.get(tag, ()):
                if isinstance(event, event_types_of(slot[0].evolve)) and since(slot):
                    self.states[slot] = self.states[slot].evolve(event)


class States:
    """Loads what commands need: what is kept, and what happened since."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._kept: OrderedDict[tuple[TenantId, _Slot], tuple[State, int]] = OrderedDict()

    async def load(
        self, tenant: TenantId, commands: Sequence[Command], keys: Sequence[str] = ()
    ) -> Working:
        """Fold the boundaries of *commands*, as of one moment."""
        uses: dict[_Slot, int] = {}
        for command in commands:
            for boundary in command.boundary():
                slot = (boundary.state, boundary.tag)
                uses[slot] = uses.get(slot, 0) + 1
        work = await self._read(tenant, uses, keys)
        work.uses = uses
        return work

    async def extend(self, tenant: TenantId, work: Working, command: Command) -> None:
        """Add the boundary of one more command to *work*, as of no later than its head."""
        slots = {(b.state, b.tag) for b in command.boundary()} - work.states.keys()
        if not slots:
            return
        more = await self._read(tenant, slots, ())
        for slot in slots:
            work.add(slot, more.states[slot])
            work.uses[slot] = OFTEN

    async def fold(self, tenant: TenantId, boundary: Boundary[S]) -> S:
        """Read one state, as it is now."""
        slot = (boundary.state, boundary.tag)
        work = await self._read(tenant, [slot], ())
        self._keep(tenant, slot, work.states[slot], work.head)
        state = work.states[slot]
        assert isinstance(state, boundary.state)
        return state

    async def _read(
        self,
        tenant: TenantId,
        wanted: Iterable[_Slot],
        keys: Sequence[str],
    ) -> Working:
        kept = {slot: self._kept.get((tenant, slot)) for slot in wanted}
        for _, tag in kept:
            codec.check_tag(tag)
        look = await self._store.look(
            tenant,
            [
                BoundaryQuery(tag=slot[1], types=type_names(slot[0]), after=old[1] if old else 0)
                for slot, old in kept.items()
            ],
            keys,
        )
        work = Working(look.head, look.results)
        for slot, old in kept.items():
            work.add(slot, old[0] if old else slot[0]())
        folded_to = {slot: old[1] for slot, old in kept.items() if old}
        for stored in look.events:
            event, at = codec.decode(stored), stored.position
            work.evolve(event, stored.tags, partial(_is_news, folded_to, at))
        return work

    def keep(self, tenant: TenantId, work: Working, position: int, *, bulk: bool) -> None:
        """Remember the states of *work*, which hold up to *position*.

        Those that one command of a bulk touched once are not worth their place.
        """
        for slot, state in work.states.items():
            if bulk and work.uses.get(slot, 0) < OFTEN:
                continue
            self._keep(tenant, slot, state, position)

    def _keep(self, tenant: TenantId, slot: _Slot, state: State, position: int) -> None:
        self._kept[tenant, slot] = (state, position)
        self._kept.move_to_end((tenant, slot))
        while len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)


@cache
def type_names(state: type[State]) -> tuple[str, ...]:
    """Name the event types that *state* understands."""
    return tuple(event.__name__ for event in event_types_of(state.evolve))


def _is_news(folded_to: dict[_Slot, int], position: int, slot: _Slot) -> bool:
    return folded_to.get(slot, 0) < position
