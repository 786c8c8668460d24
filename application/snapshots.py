"""Snapshots: states of long tags as some code folded them, so that a cold start reads the rest.

They are derived. A state has one only if it comes back from JSON as it went in, and if nothing in
it is about a person: what is forgotten must not live on here. The version is a hash of the code
that folds; what other code folded is not read.
"""

import ast
import asyncio
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from typing import Final, TypeAlias, get_args, get_type_hints

import msgspec
import structlog
from msgspec.json import Decoder

from application import codec
from application.ports import EventStore, Snapshot
from domain.ids import TenantId
from domain.kernel import State, Value, event_types_of, personal_fields

WAITING_MAX: Final = 1_000
"""Snapshots that wait to be saved. Past it they are left out; somebody makes them again."""

Slot: TypeAlias = tuple[type[State], str]
log = structlog.get_logger()


class Snapshots:
    """Saves snapshots in the background, one at a time; a newer one takes an older one's place."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._waiting: dict[tuple[TenantId, Slot], tuple[State, int]] = {}
        self._task: asyncio.Task[None] | None = None

    def offer(self, tenant: TenantId, slot: Slot, state: State, position: int) -> None:
        """Save *state*, as it is at *position*, some time soon."""
        if not version_of(slot[0]) or len(self._waiting) >= WAITING_MAX:
            return
        self._waiting[tenant, slot] = (state, position)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def drain(self) -> None:
        """Wait until what was offered is saved."""
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        while self._waiting:
            (tenant, (kind, tag)), (state, position) = self._waiting.popitem()
            try:
                snapshot = make(kind, tag, state, position)
                await self._store.save(tenant, snapshot)
            except Exception as error:  # noqa: BLE001 - a command must never suffer from it.
                log.warning("snapshot.not_saved", state=name_of(kind), reason=type(error).__name__)


def make(kind: type[State], tag: str, state: State, position: int) -> Snapshot:
    """Write a state down.

    Raises:
        ValueError: It does not come back as it is.

    """
    data = msgspec.json.encode(state).decode()
    if _decoder(kind).decode(data) != state:
        raise ValueError(f"{name_of(kind)} does not come back from JSON as it went in.")
    return Snapshot(
        state=name_of(kind), tag=tag, version=version_of(kind), position=position, data=data
    )


def restore(kind: type[State], snapshot: Snapshot) -> State | None:
    """Read a state again; None where the data is damaged."""
    try:
        return _decoder(kind).decode(snapshot.data)
    except (msgspec.MsgspecError, ValueError) as error:
        log.warning("snapshot.unreadable", state=name_of(kind), reason=type(error).__name__)
        return None


@cache
def name_of(state: type[State]) -> str:
    return f"{state.__module__}.{state.__qualname__}"


@cache
def version_of(state: type[State]) -> str:
    """Hash the code that folds *state*; empty where it can have no snapshot."""
    if any(personal_fields(struct) for struct in _values_in(state)):
        return ""
    try:
        _decoder(state)
        shape = msgspec.json.encode(msgspec.json.schema(state), order="sorted")
        sources = [inspect.getsource(sys.modules[name]) for name in code_of(state)]
    except (TypeError, OSError):
        return ""  # Not of JSON, such as a union of untagged structs; or deployed without source.
    return sha256("\0".join([shape.decode(), *sources]).encode()).hexdigest()


@cache
def _decoder(state: type[State]) -> Decoder[State]:
    return Decoder(state)


def _values_in(hint: object, seen: frozenset[object] = frozenset()) -> Iterator[type[Value]]:
    """Find the structs that a value of this annotation is made of."""
    if isinstance(hint, type) and issubclass(hint, Value) and hint not in seen:
        yield hint
        for member in get_type_hints(hint, include_extras=True).values():
            yield from _values_in(member, seen | {hint})
    for member in get_args(hint):
        yield from _values_in(member, seen)


def code_of(state: type[State]) -> list[str]:
    """Name the modules that decide how *state* is folded: its own, its events', their imports."""
    events = event_types_of(state.evolve)
    stored = [codec.event_types().get(name) for name in codec.stored_names(events)]
    found: set[str] = set()
    waiting = [state.__module__, *(event.__module__ for event in (*events, *stored) if event)]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _rules_imported_by(name)
    return sorted(found)


@cache
def _rules_imported_by(module: str) -> list[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(inspect.getsource(sys.modules[module]))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return [name for name in names if name.split(".")[0] == "domain" and name in sys.modules]
