"""What is asked of the bus: a command, on whose behalf, under which key, on what condition.

A condition says what the caller has seen, and is held at the command's own place in the log:
whatever happens between the check and the append makes both happen again. So is what a rule is
told of the books: whether they have begun.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from application import codec
from application.errors import Changed, Malformed
from application.history import COMMAND
from application.kernel import Context, exposed_commands
from application.ports import EventStore, QueryItem
from domain.ids import TenantId
from domain.kernel import Command, Event, filled_fields, found_fields

KEY_LENGTH_MAX: Final = 255
REACTION: Final = "reaction:"
"""How the actor begins that is a reaction, and the keys that only reactions use."""


class Unchanged(Struct, frozen=True, kw_only=True):
    """The condition that the last of these events with this tag stands where the caller saw it.

    Several positions: at any of them. None: there is one, wherever it stands. In a log of many
    companies the events have the tag of the *owner* too: those of others are not there.
    """

    tag: str
    types: tuple[str, ...]
    positions: frozenset[int] | None
    owner: str | None = None

    @property
    def item(self) -> QueryItem:
        owner = () if self.owner is None else (self.owner,)
        return QueryItem(types=self.types, tags=(self.tag, *owner))

    def check(self, last: int, news: Iterable[Event]) -> None:
        """See that it holds where the last event stands at *last*, with *news* to come behind.

        Raises:
            Changed: It doesn't.

        """
        if last == 0:
            said = f"There is no {self.tag}"
        elif self.positions is not None and last not in self.positions:
            seen = ", ".join(map(str, sorted(self.positions)))
            said = f"{self.tag} changed at position {last}, and was seen at {seen}"
        elif self.positions is not None and any(map(self._concerns, news)):
            said = f"{self.tag} is changed by somebody else at this very moment"
        else:
            return
        raise Changed(
            "command.changed",
            f"{said}.",
            hint="Read it again, and decide anew.",
            position=last,
        )

    def matters(self, _last: int) -> bool:
        """Tell whether one more such event makes the decision void."""
        return True

    def _concerns(self, event: Event) -> bool:
        return type(event).__name__ in self.types and self.tag in codec.tags_of(event)


class Begun(Struct, frozen=True, kw_only=True):
    """What a rule is told: whether one of these events ever happened. It holds for ever then."""

    types: tuple[str, ...]

    @property
    def item(self) -> QueryItem:
        return QueryItem(types=self.types)

    def matters(self, last: int) -> bool:
        """Tell whether one more such event makes the decision void: only the first does."""
        return last == 0


Condition: TypeAlias = Unchanged | Begun


class Ask(Struct, frozen=True, kw_only=True):
    """A command, on whose behalf, under which idempotency key, and on what condition."""

    command: Command
    context: Context
    key: str | None = None
    condition: Unchanged | None = None

    @property
    def begun(self) -> Begun | None:
        """Name the events of which the rule is told whether one ever happened."""
        first = exposed_commands()[type(self.command)].begun_by
        return Begun(types=codec.stored_names(first)) if first else None

    @property
    def caused(self) -> Context:
        """Whose the events are: the command caused them, where nothing before it did."""
        if self.context.causation_id:
            return self.context
        return replace(self.context, causation_id=f"{COMMAND}{type(self.command).__name__}")

    @property
    def fingerprint(self) -> str:
        """Tell whether a key comes back with another request than it came with."""
        kind = type(self.command)
        # What was filled in or looked up differs each time the same request is sent.
        ours = {*filled_fields(kind), *found_fields(kind)}
        given = {
            name: getattr(self.command, name) for name in kind.__struct_fields__ if name not in ours
        }
        request = msgspec.json.encode((kind.__name__, self.context.actor, given))
        return sha256(request).hexdigest()


def conditions_of(asks: Iterable[Ask]) -> list[Condition]:
    """Name the conditions of *asks*, each once; mostly there is none."""
    return list(dict.fromkeys(each for ask in asks for each in (ask.condition, ask.begun) if each))


def told(
    ask: Ask,
    command: Command,
    seen: Mapping[Condition, int],
    news: Sequence[tuple[Event, Context]],
) -> Command:
    """Hold an ask to its condition, and tell its rule what it has to know of the books.

    *news* is what the asks before it lead to.

    Raises:
        Changed: The condition does not hold.

    """
    if ask.condition is not None:
        ask.condition.check(seen[ask.condition], (event for event, _ in news))
    if (begun := ask.begun) is None:
        return command
    has_begun = seen[begun] > 0 or any(type(event).__name__ in begun.types for event, _ in news)
    return replace(command, begun=has_begun)


async def last_positions(
    store: EventStore, tenant: TenantId, conditions: Sequence[Condition], head: int
) -> dict[Condition, int]:
    """Find where what the conditions speak of happened last, as of *head*; 0: never."""
    return {each: await _last(store, tenant, each, head) for each in conditions}


async def _last(store: EventStore, tenant: TenantId, condition: Condition, head: int) -> int:
    last = store.read(tenant, [condition.item], until=head, limit=1, backwards=True)
    return max([stored.position async for stored in last], default=0)


def checked_key(key: str | None, context: Context, tenant: TenantId) -> str | None:
    """Return an idempotency key that can be one, as the log of *tenant* keeps it.

    Raises:
        Malformed: It can't.

    """
    if key is None:
        return None
    fits = 0 < len(key) <= KEY_LENGTH_MAX and key.isprintable()
    # Whoever took the key of a reaction's command would keep the reaction from running it.
    if not fits or (key.startswith(REACTION) and not context.actor.startswith(REACTION)):
        raise Malformed(
            "idempotency.bad_key",
            "This can't be an idempotency key.",
            hint=f"Use 1 to {KEY_LENGTH_MAX} printable characters, such as a UUID.",
        )
    # Many companies write the log of the instance, and the key of one is nobody else's.
    return key if tenant == context.tenant else f"{context.tenant}:{key}"
