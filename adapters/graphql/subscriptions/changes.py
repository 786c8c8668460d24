"""Changes: a user interface is told which rows of a read model moved, once it can read them.

It is told keys, and reads what it shows of them. Whatever moved behind its cursor is told, and
what it is told twice it reads twice, which changes nothing.
"""

import asyncio
from collections.abc import AsyncGenerator, Hashable, Sequence
from contextlib import aclosing
from enum import Enum
from typing import Any, Final

import msgspec
import strawberry
from msgspec import Struct
from strawberry import UNSET

from adapters.following import grown
from adapters.graphql.asking import Asking, Info
from adapters.graphql.queries.filters import filter_given, filter_type
from adapters.graphql.scalars import Position
from adapters.graphql.shapes import list_of, made_class
from adapters.graphql.subscriptions.feeds import Feed, Told, as_generator
from adapters.postgres.models.conditions import IN_MAX, Filter, Model
from adapters.postgres.models.moments import reached
from adapters.postgres.models.queries import matching_keys
from adapters.postgres.models.sight import Limit, limits
from adapters.postgres.moved import Moved, check_filter, moved
from application.errors import Malformed
from projections.kernel import read_models

NOW: Final = -1
"""The cursor of those who follow from now on: where that is, they are told first."""

POLL_SECONDS: Final = 0.02
POLL_SECONDS_MAX: Final = 0.2
REST_SECONDS: Final = 0.1
"""Rows that move together are told together; the first at once."""

CHANGED: Final = (
    "The rows of a read model that moved, behind the position `after` or from now on, told when"
    " they can be read as they are then. Of all rows, or of some, by `ids` or by the `filter` of"
    " the list. The first message without `after` names no rows: read what you show behind it."
)


def models() -> dict[str, Model]:
    """Name the read models whose rows can be followed: those of a tenant's own log."""
    return {
        name: model for name, model in read_models().items() if model.public and not model.system
    }


@strawberry.type(description="Rows of a read model that moved up to a position.")
class RowsChanged:
    model: str
    ids: list[strawberry.ID] = strawberry.field(
        description="Rows to read anew. One that is gone from the list is found no more."
    )
    gone: list[strawberry.ID] = strawberry.field(
        description="Rows that moved and that the filter does not let through, or no more."
    )
    position: Position = strawberry.field(description="Following after it misses nothing.")
    more: bool = strawberry.field(
        description="More rows moved already, and are told next: wait before reading a whole list."
    )


def changed_field() -> Any:  # noqa: ANN401 - strawberry says that it returns what the resolver does.
    """Make the field of Subscription."""
    members = {name.upper(): name for name in models()}
    made: Any = Enum  # Any: to type checkers an enumeration is always written out.
    names = strawberry.enum(made("ReadModelName", members), description="Lists that rows are of.")
    hints = {name: filter_type(model) | None for name, model in models().items()}
    fields = {name: strawberry.field(default=UNSET) for name in hints}
    given = strawberry.input(
        made_class("ChangedFilter", hints, fields),
        description="The filter of the list that is followed.",
        one_of=True,
    )
    changed.__annotations__ |= {"model": names, "filter": given | None}
    changed.__annotations__["ids"] = list_of(strawberry.ID) | None
    return strawberry.subscription(resolver=changed, description=CHANGED)


def changed(
    info: Info,
    model: Enum,
    ids: list[strawberry.ID] | None = None,
    filter: object = None,  # noqa: A002 - the contract's word.
    after: Position | None = None,
) -> AsyncGenerator[RowsChanged, None]:
    asking, of = info.context, models()[model.value]
    within = limits(of, asking.context)
    conditions = None if filter is None else _conditions(of, filter)
    some = Some(ids=_few(ids), filter=conditions, within=within)
    if some.ids is not None and some.filter is not None:
        raise _unclear("Rows are followed by their ids or by a filter, and not by both.")
    start = NOW if after is None else after
    if asking.resume_after is not None:
        start = asking.resume_after
    return as_generator(Changes(asking, of, some, start))


class Some(Struct, frozen=True, kw_only=True):
    """Which rows are followed: all, or those named, or those that a filter lets through.

    Attributes:
        within: The limits of those that the caller sees at all; None: it sees all.

    """

    ids: frozenset[str] | None
    filter: Filter | None
    within: Sequence[Limit] | None

    @property
    def key(self) -> Hashable:
        """Tell this choice from others."""
        asked = None if self.filter is None else msgspec.json.encode(self.filter, order="sorted")
        return self.ids, asked, None if self.within is None else tuple(self.within)


class Changes(Feed[RowsChanged]):
    """Tells which rows of a read model moved."""

    def __init__(self, asking: Asking, model: Model, some: Some, after: int) -> None:
        tenant = asking.context.tenant
        super().__init__(after, tenant, model.name, some.key)
        self._runtime = asking.runtime
        self._context = asking.context
        self._model = model
        self._some = some

    async def follow(self, after: int) -> AsyncGenerator[Told[RowsChanged], None]:
        tenant, pool = self._context.tenant, self._runtime.read_pool
        head, poll = 0, POLL_SECONDS
        async with self._runtime.hub.listen(tenant) as news:
            while True:
                until = await reached(pool, self._model, tenant)
                if after == NOW:
                    yield self._told(Moved((), until), more=False)
                    after = until
                if until > after:
                    async with aclosing(self._moved(after, until)) as coming:
                        async for told in coming:
                            yield told
                    after, poll = until, POLL_SECONDS
                    await asyncio.sleep(REST_SECONDS)
                yield Told(after)
                if after < head:  # The log has grown, and the rows don't show it yet.
                    await asyncio.sleep(poll)
                    poll = min(2 * poll, POLL_SECONDS_MAX)
                else:
                    head = await grown(news, after)

    async def _moved(self, after: int, until: int) -> AsyncGenerator[Told[RowsChanged], None]:
        store, tenant = self._runtime.store, self._context.tenant
        last: Moved | None = None
        async with aclosing(moved(store, self._model, tenant, after, until)) as coming:
            async for each in coming:
                if last is not None and (told := await self._narrowed(last, more=True)):
                    yield told
                last = each
        if last is not None and (told := await self._narrowed(last, more=False)):
            yield told

    async def _narrowed(self, each: Moved, *, more: bool) -> Told[RowsChanged] | None:
        """Leave out the rows that are not followed; None where none is left."""
        some, keys = self._some, each.keys
        if some.ids is not None:
            keys = tuple(key for key in keys if key in some.ids)
        if some.within is not None:
            seen = await self._matching(keys, {})
            keys = tuple(key for key in keys if key in seen)
        if (some.ids is not None or some.within is not None) and not keys:
            return None
        if some.filter is None:
            return self._told(Moved(keys, each.position), more=more)
        found = await self._matching(keys, some.filter)
        gone = tuple(key for key in keys if key not in found)
        keys = tuple(key for key in keys if key in found)
        return self._told(Moved(keys, each.position), gone, more=more)

    async def _matching(self, keys: tuple[str, ...], asked: Filter) -> frozenset[str]:
        """Name the rows that the caller sees, and of them those that a filter lets through."""
        return await matching_keys(self._runtime.read_pool, self._model, self._context, keys, asked)

    def _told(self, each: Moved, gone: tuple[str, ...] = (), *, more: bool) -> Told[RowsChanged]:
        rows = RowsChanged(
            model=self._model.name,
            ids=[strawberry.ID(key) for key in each.keys],
            gone=[strawberry.ID(key) for key in gone],
            position=Position(each.position),
            more=more,
        )
        return Told(each.position, rows)


def _few(ids: list[strawberry.ID] | None) -> frozenset[str] | None:
    if ids is not None and len(ids) > IN_MAX:
        raise _unclear(f"{len(ids)} rows were named, {IN_MAX} at most.")
    return None if ids is None else frozenset(ids)


def _conditions(model: Model, given: object) -> Filter:
    """Read a filter that is to be one of the model's list.

    Raises:
        Malformed: It is one of another list, or can't be understood.

    """
    named = [name for name in models() if getattr(given, name, UNSET) is not UNSET]
    if named != [model.name]:
        raise _unclear(f"The filter is not one of {model.name}.")
    conditions = filter_given(getattr(given, model.name))
    check_filter(model, conditions)
    return conditions


def _unclear(message: str) -> Malformed:
    return Malformed(
        "subscriptions.unclear_rows",
        message,
        hint="Follow all rows, or name some, or give the filter of the list that the model names.",
    )
