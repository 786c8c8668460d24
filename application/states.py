"""Folded states: kept in the process with their position, so that only what is new is read.

A state of a long tag is also saved as a snapshot every so many events, for who starts cold.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache, partial
from typing import Any, Final, TypeAlias, TypeVar

from msgspec import Struct

from application import codec, snapshots
from application.asks import Ask
from application.ports import BoundaryQuery, EventStore, Look, QueryItem, StoredEvent
from application.snapshots import Slot, Snapshots
from application.vault import Vault
from domain.ids import TenantId
from domain.kernel import Boundary, Command, Event, State, event_types_of

KEPT_MAX: Final = 20_000
"""States that a process keeps. A state is small: what a rule needs to know."""

SNAPSHOT_EVENTS: Final = 200
"""How far a state is ahead of its snapshot before the next: some milliseconds of reading."""

CHUNK_EVENTS: Final = 1_000
OFTEN: Final = 2
S = TypeVar("S", bound=State)


class Folded(Struct, frozen=True):
    """A state, the position it holds for, and how many events it is ahead of its snapshot."""

    state: State
    position: int = 0
    ahead: int = 0


_Bases: TypeAlias = dict[Slot, Folded]


class Working:
    """The states of some commands, as of one head, and as the commands leave them."""

    def __init__(self, look: Look, bases: Mapping[Slot, Folded], began: float) -> None:
        self.head = look.head
        self.began = began
        self.erased = look.erased
        self.results = {result.key: result for result in look.results}
        self.states: dict[Slot, State] = {}
        self.ahead: dict[Slot, int] = {}
        self.uses: dict[Slot, int] = {}
        self.admitted: Callable[[Ask], Command] = lambda ask: ask.command
        self._by_tag: dict[str, list[Slot]] = {}
        for slot, base in bases.items():
            self.add(slot, base.state, base.ahead)

    def add(self, slot: Slot, state: State, ahead: int) -> None:
        self.states[slot] = state
        self.ahead[slot] = ahead
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

    def evolve(self, event: Event, tags: Iterable[str], since: Callable[[Slot], bool]) -> None:
        """Let the states that *event* concerns change, where *since* says it is news."""
        for tag in tags:
            for slot in self._by_tag.get(tag, ()):
                if isinstance(event, event_types_of(slot[0].evolve)) and since(slot):
                    self.states[slot] = self.states[slot].evolve(event)
                    self.ahead[slot] += 1


class States:
    """Loads what commands need: what is kept, and what happened since."""

    def __init__(self, store: EventStore, vault: Vault) -> None:
        self._store = store
        self._vault = vault
        self._snapshots = Snapshots(store)
        self._erased: dict[TenantId, int] = {}
        self._kept: OrderedDict[tuple[TenantId, Slot], Folded] = OrderedDict()

    async def load(
        self,
        tenant: TenantId,
        commands: Sequence[Command],
        keys: Sequence[str] = (),
        more: Iterable[Boundary[Any]] = (),  # Any: of any state.
    ) -> Working:
        """Fold the boundaries of *commands*, and some *more*, as of one moment."""
        uses: dict[Slot, int] = {}
        for command in commands:
            for boundary in command.boundary():
                slot = (boundary.state, boundary.tag)
                uses[slot] = uses.get(slot, 0) + 1
        uses |= {(boundary.state, boundary.tag): OFTEN for boundary in more}
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
            work.add(slot, more.states[slot], more.ahead[slot])
            work.uses[slot] = OFTEN

    async def fold(self, tenant: TenantId, boundary: Boundary[S]) -> S:
        """Read one state, as it is now."""
        return (await self.fold_all(tenant, [boundary]))[0]

    async def fold_all(self, tenant: TenantId, boundaries: Sequence[Boundary[S]]) -> list[S]:
        """Read states, as they are at one moment."""
        work = await self._read(tenant, {(each.state, each.tag) for each in boundaries}, ())
        self.keep(tenant, work, work.head, bulk=False)
        found: list[S] = []
        for boundary in boundaries:
            state = work.states[boundary.state, boundary.tag]
            assert isinstance(state, boundary.state)
            found.append(state)
        return found

    async def drain(self) -> None:
        """Wait until the snapshots under way are saved."""
        await self._snapshots.drain()

    def keep(self, tenant: TenantId, work: Working, position: int, *, bulk: bool) -> None:
        """Remember the states of *work*, which hold up to *position*.

        Those that one command of a bulk touched once are not worth their place. Nor are those of
        which nothing is known, or whoever asks for what is not there would empty it.
        """
        self._save_long(tenant, work, position)
        if work.erased != self._erased.get(tenant, 0):
            return
        for slot, state in work.states.items():
            if bulk and work.uses.get(slot, 0) < OFTEN:
                continue
            if state == slot[0]() and (tenant, slot) not in self._kept:
                continue
            self._kept[tenant, slot] = Folded(state, position, work.ahead[slot])
            self._kept.move_to_end((tenant, slot))
        while len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)

    async def _read(self, tenant: TenantId, wanted: Iterable[Slot], keys: Sequence[str]) -> Working:
        slots = list(wanted)
        for _, tag in slots:
            codec.check_tag(tag)
        damaged: set[Slot] = set()
        while True:
            kept = {slot: self._kept.get((tenant, slot)) for slot in slots}
            asked = [_query(slot, kept[slot], snapshot=slot not in damaged) for slot in slots]
            began = time.monotonic()
            look = await self._store.look(tenant, asked, keys)
            if self._is_history(tenant, look, kept.values()):
                continue
            bases = {slot: old or Folded(slot[0]()) for slot, old in kept.items()}
            if newly_damaged := _start_from_snapshots(bases, look):
                damaged |= newly_damaged
                continue
            work = Working(look, bases, began)
            long = {slots[place] for place in look.long}
            await self._evolve(tenant, work, look.events, partial(_is_news, bases, long))
            for slot in long:
                await self._stream(tenant, work, slot, after=bases[slot].position)
            self._save_long(tenant, work, look.head)
            return work

    async def _stream(self, tenant: TenantId, work: Working, slot: Slot, *, after: int) -> None:
        """Fold what is too much to hold at once."""
        query = [QueryItem(types=type_names(slot[0]), tags=(slot[1],))]
        chunk: list[StoredEvent] = []
        async for stored in self._store.read(tenant, query, after=after, until=work.head):
            chunk.append(stored)
            if len(chunk) == CHUNK_EVENTS:
                await self._evolve(tenant, work, chunk, partial(_is_for, slot))
                chunk.clear()
        await self._evolve(tenant, work, chunk, partial(_is_for, slot))

    async def _evolve(
        self,
        tenant: TenantId,
        work: Working,
        events: Sequence[StoredEvent],
        is_news: Callable[[int, Slot], bool],
    ) -> None:
        written = [codec.decode_written(e.type, e.data, e.position) for e in events]
        opened = await self._vault.open(tenant, written, erased=work.erased)
        for event, stored in zip(opened, events, strict=True):
            work.evolve(event, stored.tags, partial(is_news, stored.position))

    def _is_history(self, tenant: TenantId, look: Look, kept: Iterable[Folded | None]) -> bool:
        """Tell whether what was kept holds no more, and let go of it.

        It may hold the data of somebody who is forgotten since, or be ahead of a database that
        was taken back to an earlier day.
        """
        used = [old for old in kept if old is not None]
        ahead = any(old.position > look.head for old in used)
        if not ahead and look.erased <= self._erased.get(tenant, 0):
            return False
        self._erased[tenant] = look.erased
        for place in [place for place in self._kept if place[0] == tenant]:
            del self._kept[place]
        return bool(used)

    def _save_long(self, tenant: TenantId, work: Working, position: int) -> None:
        for slot, ahead in work.ahead.items():
            if ahead >= SNAPSHOT_EVENTS:
                self._snapshots.offer(tenant, slot, work.states[slot], position)
                work.ahead[slot] = 0


@cache
def type_names(state: type[State]) -> tuple[str, ...]:
    """Name the event types that *state* understands, as the log may hold them."""
    return codec.stored_names(event_types_of(state.evolve))


def _query(slot: Slot, old: Folded | None, *, snapshot: bool) -> BoundaryQuery:
    state, tag = slot
    return BoundaryQuery(
        tag=tag,
        types=type_names(state),
        after=old.position if old else 0,
        state=snapshots.name_of(state),
        version=snapshots.version_of(state) if snapshot else "",
    )


def _start_from_snapshots(bases: _Bases, look: Look) -> set[Slot]:
    """Put the snapshots of *look* in the place of older bases; return which are damaged."""
    found = {(snapshot.state, snapshot.tag): snapshot for snapshot in look.snapshots}
    damaged: set[Slot] = set()
    for slot in bases if found else ():
        snapshot = found.get((snapshots.name_of(slot[0]), slot[1]))
        if snapshot is None:
            continue
        state = snapshots.restore(slot[0], snapshot)
        if state is None:
            damaged.add(slot)
        else:
            bases[slot] = Folded(state, snapshot.position)
    return damaged


def _is_news(bases: _Bases, long: Collection[Slot], position: int, slot: Slot) -> bool:
    return slot not in long and bases[slot].position < position


def _is_for(wanted: Slot, _position: int, slot: Slot) -> bool:
    return slot == wanted
