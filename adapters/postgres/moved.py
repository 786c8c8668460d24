"""Which rows of a read model moved: told by the log, and only when they can be read as they are.

A row has moved where an event touched it, whether or not anything in it changed.
"""

from collections.abc import AsyncGenerator
from typing import Final

from msgspec import Struct

from adapters.postgres.models.conditions import Filter, Model, filter_conditions
from application.codec import decode, stored_names
from application.ports import EventStore, QueryItem
from domain.ids import TenantId
from projections.kernel import events_of

KEYS_MAX: Final = 100
"""Rows that are named together."""


class Moved(Struct, frozen=True):
    """The rows that moved behind the last ones named, up to a position."""

    keys: tuple[str, ...]
    position: int


async def moved(
    store: EventStore, model: Model, tenant: TenantId, after: int, until: int
) -> AsyncGenerator[Moved, None]:
    """Name the rows that moved between two positions, some at a time, each of these once."""
    query = [QueryItem(types=stored_names(events_of(model)))]
    keys: dict[str, None] = {}  # In the order in which they moved.
    position = after
    async for stored in store.read(tenant, query, after=after, until=until):
        touched = model.keys(decode(stored))
        if len(keys) + len(touched) > KEYS_MAX and keys:
            yield Moved(tuple(keys), position)
            keys = {}
        keys |= dict.fromkeys(touched)
        position = stored.position
    if keys:
        yield Moved(tuple(keys), position)


def check_filter(model: Model, asked: Filter) -> None:
    """See that rows can be looked for by a filter.

    Raises:
        Malformed: They can't.

    """
    for _ in filter_conditions(model, asked):
        pass
