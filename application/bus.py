"""Commands become events: authorise, read the boundary, fold, decide, append, or decide again.

Commands whose boundaries overlap and that wait together are decided together, in order, each
against the states that the former left, so that a hot series does not fight itself.
"""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Final, TypeAlias, TypeVar

import msgspec
import structlog
from msgspec import Struct

from application import codec
from application.admission import Admission
from application.asks import (
    Ask,
    Condition,
    Unchanged,
    checked_key,
    conditions_of,
    last_positions,
    told,
)
from application.errors import ApplicationError, Conflict, Malformed
from application.kernel import Context, Looking, Outcome, authorise, exposed_commands, made_ids
from application.ports import (
    Append,
    AppendConflict,
    EventStore,
    KeyedResult,
    KeyRepeated,
    QueryItem,
    Safe,
)
from application.scopes import Held
from application.states import States, Working
from application.vault import NoKeys, Vault
from domain.access import KEY_DAYS, KeyDays
from domain.ids import TenantId
from domain.kernel import Boundary, Command, Event, Refused, State
from domain.privacy import FORGETTINGS, SubjectForgotten

TOGETHER_MAX: Final = 256
"""Commands that are decided together at the most."""

NOBODY_FORGOTTEN: Final = QueryItem(types=(SubjectForgotten.__name__,), tags=(FORGETTINGS,))
"""The boundary of what is sealed: a key that was destroyed meanwhile would lose it."""

S = TypeVar("S", bound=State)
Answer: TypeAlias = Outcome | Refused | ApplicationError
Companions: TypeAlias = Callable[[Command, Event], Iterable[Event]]
Admit: TypeAlias = Callable[[TenantId, Command], Awaitable[None]]
log = structlog.get_logger()


class _Kept(Struct, frozen=True):
    """A result as it is stored under its key; positions count from the append's base."""

    offset: int
    types: tuple[str, ...]
    ids: dict[str, str]

    def outcome(self, base: int) -> Outcome:
        first = base + self.offset + 1
        events = tuple((name, first + i) for i, name in enumerate(self.types))
        return Outcome(position=base + self.offset + len(events), events=events, ids=self.ids)


class _Waiting(Struct, kw_only=True, eq=False):
    ask: Ask
    tags: frozenset[str]
    future: "asyncio.Future[Outcome | Exception]"


class Bus:
    """Runs commands against an event store."""

    def __init__(
        self,
        store: EventStore,
        *,
        vault: Vault | None = None,
        seconds_max: float = 2.0,
        companions: Companions = lambda _command, _event: (),
        admit: Admit | None = None,
        readable: frozenset[str] = frozenset(),
        safe: Safe | None = None,
        key_days: KeyDays = KEY_DAYS,
    ) -> None:
        self._store = store
        self._vault = vault or Vault(NoKeys())
        self._seconds_max = seconds_max
        self._admit = admit  # Refuses what no rule can see: settings, or the length of a log.
        self._companions = companions
        looking = partial(Looking, vault=self._vault, fold=self.fold, key_days=key_days)
        self._looking = partial(looking, readable=readable, safe=safe)
        self._states = States(store, self._vault)
        self._admission = Admission()
        self._waiting: dict[TenantId, deque[_Waiting]] = {}
        self._busy: dict[TenantId, set[str]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def execute(
        self,
        command: Command,
        context: Context,
        *,
        key: str | None = None,
        condition: Unchanged | None = None,
    ) -> Outcome:
        """Run one command, where *condition* holds at its place in the log.

        Raises:
            Refused: A rule said no.
            Changed: The condition does not hold.
            Forbidden: The caller lacks the permission.
            Malformed: An id or the key can't be one.
            Conflict: Others were first until the time was up.
            Unavailable: The store is away or busy.

        """
        tenant = authorise(command, context)
        command = await self._look_up(tenant, command, context)
        key = checked_key(key, context, tenant)
        ask = Ask(command=command, context=context, key=key, condition=condition)
        tags = frozenset(boundary.tag for boundary in command.boundary())
        tags |= {tag for each in conditions_of([ask]) for tag in each.item.tags}
        for tag in tags:
            codec.check_tag(tag)  # Here, so that those decided together do not suffer for it.
        waiting = _Waiting(ask=ask, tags=tags, future=asyncio.get_running_loop().create_future())
        self._waiting.setdefault(tenant, deque()).append(waiting)
        self._start(tenant)
        answer = await waiting.future
        if isinstance(answer, Exception):
            raise answer
        if (after := exposed_commands()[type(command)].after) is not None:
            await after(self, self._store, command, context)
        return answer

    async def execute_many(
        self,
        commands: Sequence[Command],
        context: Context,
        *,
        closing: Callable[[Sequence[Outcome | Refused]], Awaitable[Command]] | None = None,
        all_or_nothing: bool = False,
    ) -> list[Outcome | Refused]:
        """Run commands in order as one append; a refused one does not stop the others.

        *closing* makes one more command of the answers of the rest, appended with them: the
        note of how far a bulk job has come.

        Raises:
            Refused: With *all_or_nothing*, the first refusal; nothing is appended.
            Malformed: One of them can't be written; nothing is appended.

        """
        if not commands and closing is None:
            return []
        tenants = {authorise(command, context) for command in commands} or {context.tenant}
        (tenant,) = tenants
        asks = [
            Ask(command=await self._look_up(tenant, command, context), context=context)
            for command in commands
        ]

        async def close(answers: Sequence[Outcome | Refused]) -> list[Ask]:
            if closing is None:
                return []
            command = await closing(answers)
            authorise(command, context)
            return [Ask(command=command, context=context)]

        answers = await self._append(tenant, asks, close, all_or_nothing=all_or_nothing)
        return [answer for answer in answers if not isinstance(answer, ApplicationError)]

    async def fold(self, tenant: TenantId, boundary: Boundary[S]) -> S:
        """Read one state, as it is now."""
        return await self._states.fold(tenant, boundary)

    async def fold_all(self, tenant: TenantId, boundaries: Sequence[Boundary[S]]) -> list[S]:
        """Read states, as they are at one moment."""
        return await self._states.fold_all(tenant, boundaries)

    async def is_locked(self, tenant: TenantId) -> bool:
        """Tell whether nobody is let in for a company; mostly nothing is read for it."""
        return await self._admission.is_locked(self._states, tenant)

    async def drain(self) -> None:
        """Wait for what is under way."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._states.drain()

    async def _look_up(self, tenant: TenantId, command: Command, caller: Context) -> Command:
        """Let the module find what its rule must know and no caller may say."""
        if self._admit is not None:
            await self._admit(tenant, command)
        find = exposed_commands()[type(command)].find
        if find is None:
            return command
        return await find(self._looking(tenant=tenant, caller=caller), command)

    def _start(self, tenant: TenantId) -> None:
        """Start every waiting command that overlaps with none under way, those alike together."""
        busy, queue = self._busy.setdefault(tenant, set()), self._waiting[tenant]
        group: list[_Waiting] = []
        kept: deque[_Waiting] = deque()
        blocked: set[str] = set(busy)
        while queue:
            waiting = queue.popleft()
            if len(group) >= TOGETHER_MAX or not blocked.isdisjoint(waiting.tags):
                blocked |= waiting.tags
                kept.append(waiting)
            else:
                group.append(waiting)
        self._waiting[tenant] = kept
        for together in _overlapping(group):
            busy.update(*(waiting.tags for waiting in together))
            task = asyncio.create_task(self._run(tenant, together))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self, tenant: TenantId, group: list[_Waiting]) -> None:
        answers: Sequence[Outcome | Exception]
        try:
            answers = await self._append(tenant, [waiting.ask for waiting in group])
        except Exception as error:  # noqa: BLE001 - each caller is told, and raises it.
            answers = [error] * len(group)
        finally:
            if tenant in self._busy:  # Not so once others ended that depend on nothing, as these.
                self._busy[tenant].difference_update(*(waiting.tags for waiting in group))
                self._start(tenant)
                if not self._waiting[tenant] and not self._busy[tenant]:
                    del self._waiting[tenant], self._busy[tenant]
        for waiting, answer in zip(group, answers, strict=True):
            if not waiting.future.done():
                waiting.future.set_result(answer)

    async def _append(
        self,
        tenant: TenantId,
        asks: Sequence[Ask],
        close: Callable[[Sequence[Outcome | Refused]], Awaitable[list[Ask]]] | None = None,
        *,
        all_or_nothing: bool = False,
    ) -> list[Answer]:
        loop = asyncio.get_running_loop()
        deadline, attempt = loop.time() + self._seconds_max, 0
        while True:
            work = await self._admission.load(self._states, tenant, asks)
            seen = await last_positions(self._store, tenant, conditions_of(asks), work.head)
            decision = _Decision(work, self._companions, seen, one_caller=close is not None)
            decision.take(asks, all_or_nothing=all_or_nothing)
            for last in await close(decision.answers) if close else ():
                await self._states.extend(tenant, work, last.command)
                decision.take([last], all_or_nothing=True)
            try:
                return await self._commit(tenant, work, decision, bulk=close is not None)
            except KeyRepeated:
                continue
            except AppendConflict:
                attempt += 1
                if loop.time() > deadline:
                    raise Conflict(
                        "command.conflict",
                        f"Others changed the same things first, {attempt} times.",
                        hint="Ask again.",
                    ) from None
                await asyncio.sleep(random.uniform(0, min(0.1, 0.002 * 2**attempt)))  # noqa: S311 - jitter.

    async def _commit(
        self, tenant: TenantId, work: Working, decision: "_Decision", *, bulk: bool
    ) -> list[Answer]:
        if not decision.events and not decision.keys:
            return decision.finish(work.head)
        boundary = [QueryItem(types=types, tags=(tag,)) for tag, types in work.boundary().items()]
        boundary += [each.item for each, last in decision.seen.items() if each.matters(last)]
        sealed = await self._vault.seal(
            tenant, [event for event, _ in decision.events], erased=work.erased
        )
        if any(a is not b for a, (b, _) in zip(sealed, decision.events, strict=True)):
            boundary.append(NOBODY_FORGOTTEN)
        base = await self._store.append(
            tenant,
            Append(
                events=tuple(
                    codec.encode(
                        event,
                        actor=context.actor,
                        correlation_id=context.correlation_id,
                        causation_id=context.causation_id or "",
                    )
                    for event, (_, context) in zip(sealed, decision.events, strict=True)
                ),
                boundary=tuple(boundary),
                after=work.head,
                keys=tuple(decision.keys),
            ),
        )
        self._states.keep(tenant, work, base + len(decision.events), bulk=bulk)
        self._admission.learn(tenant, work)
        return decision.finish(base)


class _Decision:
    """Answers to some commands, in order, and the events that come of them."""

    def __init__(
        self,
        work: Working,
        companions: Companions,
        seen: Mapping[Condition, int],
        *,
        one_caller: bool,
    ) -> None:
        self._work = work
        self._companions = companions
        self.seen = seen  # Where each condition finds its last event.
        self._one_caller = one_caller
        self._pending: list[_Kept | Answer] = []
        self._in_hand: dict[str, tuple[str, _Kept]] = {}
        self.events: list[tuple[Event, Context]] = []
        self.keys: list[KeyedResult] = []

    @property
    def answers(self) -> list[Outcome | Refused]:
        """What is decided so far, at positions that are not final."""
        return [a for a in self.finish(self._work.head) if not isinstance(a, ApplicationError)]

    def take(self, asks: Sequence[Ask], *, all_or_nothing: bool = False) -> None:
        for ask in asks:
            try:
                self._pending.append(self._known(ask) or self._decide(ask))
            except Refused as refusal:
                if all_or_nothing:
                    raise
                self._pending.append(refusal)
            except ApplicationError as error:
                if self._one_caller:
                    raise  # Who gets an error trusts that nothing happened.
                self._pending.append(error)

    def finish(self, base: int) -> list[Answer]:
        return [p.outcome(base) if isinstance(p, _Kept) else p for p in self._pending]

    def _known(self, ask: Ask) -> Outcome | _Kept | None:
        """Find the first result of a key, in the store or in this very decision."""
        if ask.key is None:
            return None
        fingerprint, kept = self._in_hand.get(ask.key, (None, None))
        result = self._work.results.get(ask.key)
        if result is not None:
            fingerprint = result.fingerprint
        if fingerprint is not None and fingerprint != ask.fingerprint:
            raise Malformed(
                "idempotency.key_reused",
                "This idempotency key came with another request before.",
                hint="Make a new key for a new request.",
            )
        if result is not None:
            return msgspec.json.decode(result.result, type=_Kept).outcome(result.base)
        return kept

    def _decide(self, ask: Ask) -> _Kept:
        held, states = Held.of(ask), self._work.states
        seen = held.seen(states, self.seen) if held else self.seen
        command = told(ask, self._work.admitted(ask), seen, self.events)
        events = list(held.decide(command, states) if held else self._work.decide(command))
        events += [more for event in events for more in self._companions(ask.command, event)]
        tags = [codec.tags_of(event) for event in events]  # Here, so that each ask has its errors.
        kept = _Kept(
            offset=len(self.events),
            types=tuple(type(event).__name__ for event in events),
            ids=made_ids(ask.command) if events else {},
        )
        for event, its_tags in zip(events, tags, strict=True):
            self._work.evolve(event, its_tags, lambda _slot: True)
        self.events += [(event, ask.caused) for event in events]
        if ask.key is not None:
            fingerprint, result = ask.fingerprint, msgspec.json.encode(kept).decode()
            self.keys.append(KeyedResult(key=ask.key, fingerprint=fingerprint, result=result))
            self._in_hand[ask.key] = fingerprint, kept
        return kept


def _overlapping(group: Iterable[_Waiting]) -> list[list[_Waiting]]:
    """Split a group into parts that share no tag, each in order."""
    parts: list[tuple[set[str], list[_Waiting]]] = []
    for waiting in group:
        touched = [part for part in parts if not part[0].isdisjoint(waiting.tags)]
        tags = set(waiting.tags).union(*(part[0] for part in touched))
        members = [member for part in touched for member in part[1]] + [waiting]
        parts = [part for part in parts if part not in touched] + [(tags, members)]
    return [members for _, members in parts]
