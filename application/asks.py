"""What is asked of the bus: a command, on whose behalf, under which key, on what condition.

A condition says what the caller has seen, and is held at the command's own place in the log:
whatever happens between the check and the append makes both happen again.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from application import codec
from application.errors import Changed
from application.history import COMMAND
from application.kernel import Context
from application.ports import EventStore, QueryItem
from domain.ids import TenantId
from domain.kernel import Command, Event, filled_fields, found_fields


class Unchanged(Struct, frozen=True, kw_only=True):
    """The condition that the last of these events with this tag stands where the caller saw it.

    Several positions: at any of them. None: there is one, wherever it stands.
    """

    tag: str
    types: tuple[str, ...]
    positions: frozenset[int] | None

    @property
    def item(self) -> QueryItem:
        return QueryItem(types=self.types, tags=(self.tag,))

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

    def _concerns(self, event: Event) -> bool:
        return type(event).__name__ in self.types and self.tag in codec.tags_of(event)


class Ask(Struct, frozen=True, kw_only=True):
    """A command, on whose behalf, under which idempotency key, and on what condition."""

    command: Command
    context: Context
    key: str | None = None
    condition: Unchanged | None = None

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


def conditions_of(asks: Iterable[Ask]) -> list[Unchanged]:
    """Name the conditions of *asks*, each once; mostly there is none."""
    return list(dict.fromkeys(ask.condition for ask in asks if ask.condition is not None))


async def last_positions(
    store: EventStore, tenant: TenantId, conditions: Sequence[Unchanged], head: int
) -> dict[Unchanged, int]:
    """Find where what the conditions speak of happened last, as of *head*; 0: never."""
    return {each: await _last(store, tenant, each, head) for each in conditions}


async def _last(store: EventStore, tenant: TenantId, condition: Unchanged, head: int) -> int:
    last = store.read(tenant, [condition.item], until=head, limit=1, backwards=True)
    return max([stored.position async for stored in last], default=0)
