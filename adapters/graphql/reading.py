"""Queries: of each public read model a list, and one row of it, now or as it was.

What belongs to no tenant is asked for without an id: the one row is the caller's own.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from enum import Enum
from typing import Any

import strawberry
from msgspec import Struct
from strawberry.types.field import StrawberryField

from adapters.graphql.asking import Asking, Info
from adapters.graphql.filters import filter_given, filter_type, order_type
from adapters.graphql.scalars import AsOf, Position
from adapters.graphql.shapes import field_of, list_of, made_class, row_type, singular, summary
from adapters.postgres.models.moments import row_as_of, wait_for_rows
from adapters.postgres.models.queries import FIRST_DEFAULT, Page, count_rows, get_row, list_rows
from projections.kernel import ReadModel, Row, read_models

Model = type[ReadModel[Any]]  # Any: of any row.

PAGE = "Up to `first` of them (at most 100), behind the cursor `after`."
AT_LEAST = "Waits until the answer holds what was so at the position `atLeast`."
AS_OF = "With `asOf`, as it was after that position or at that moment."


class PageInfo(Struct, frozen=True, kw_only=True):
    """Whether there is more, and the cursor to go on behind."""

    has_next_page: bool
    end_cursor: str | None


class Edge(Struct, frozen=True):
    """A row and its cursor."""

    cursor: str
    node: Row


class Connection(Struct, frozen=True, kw_only=True):
    """A page of a list, and how to count the whole where somebody asks."""

    page: Page
    count: Callable[[], Awaitable[int]]

    @property
    def nodes(self) -> Sequence[Row]:
        return self.page.rows

    @property
    def edges(self) -> list[Edge]:
        return list(map(Edge, self.page.cursors, self.page.rows))

    @property
    def page_info(self) -> PageInfo:
        last = self.page.cursors[-1] if self.page.cursors else None
        return PageInfo(has_next_page=self.page.has_next, end_cursor=last)


@strawberry.type(name="PageInfo", description=summary(PageInfo))
class PageInfoType:
    has_next_page: bool
    end_cursor: str | None


def reading_fields() -> dict[str, StrawberryField]:
    """Make the fields of Query, by name."""
    fields: dict[str, StrawberryField] = {}
    for model in read_models().values():
        if model.public:
            node = row_type(model)
            one = _own_row if model.system else _row
            fields[_snake(singular(model))] = one(model, node)
            fields[model.name] = _list(model, node)
    return fields


async def at_least_wait(asking: Asking, model: Model, position: Position | None) -> None:
    """Wait for the caller's own writes, where it asks for them."""
    runtime = asking.runtime
    seconds_max = runtime.settings.at_least_seconds_max
    await wait_for_rows(runtime.read_pool, model, asking.context, position, seconds_max)


def connection_type(node: type) -> type:
    """Make the page type of a node type, with its edges."""
    name = node.__name__
    edge = strawberry.type(made_class(f"{name}Edge", {"cursor": str, "node": node}))

    async def total_count(root: strawberry.Parent[Connection]) -> int:
        return await root.count()

    made: type = strawberry.type(
        made_class(
            f"{name}Connection",
            {"edges": list_of(edge), "nodes": list_of(node), "page_info": PageInfoType},
            {"total_count": field_of(total_count, "Of all pages together. Costs a count.")},
        )
    )
    return made


def _list(model: Model, node: type) -> StrawberryField:
    async def resolve(
        info: Info,
        *,
        first: int | None = FIRST_DEFAULT,
        after: str | None = None,
        filter: object = None,  # noqa: A002 - the contract's word.
        order_by: Enum | None = None,
        at_least: Position | None = None,
    ) -> Connection:
        asking = info.context
        context, conditions = asking.context, filter_given(filter)
        await at_least_wait(asking, model, at_least)
        page = await list_rows(
            asking.runtime.read_pool,
            model,
            context,
            first=first,
            after=after,
            filter=conditions,
            order_by=order_by.value if order_by else None,
        )

        def count() -> Awaitable[int]:
            return count_rows(asking.runtime.read_pool, model, context, filter=conditions)

        return Connection(page=page, count=count)

    resolve.__annotations__ |= {
        "filter": filter_type(model) | None,
        "order_by": order_type(model) | None,
        "return": connection_type(node),
    }
    return field_of(resolve, f"{PAGE} {AT_LEAST}")


def _row(model: Model, node: type) -> StrawberryField:
    async def resolve(
        info: Info,
        id: strawberry.ID,  # noqa: A002 - the contract's word.
        as_of: AsOf | None = None,
        at_least: Position | None = None,
    ) -> object:
        return await _one(info.context, model, id, as_of, at_least)

    resolve.__annotations__["return"] = node | None
    return field_of(resolve, f"{AS_OF} {AT_LEAST}")


def _own_row(model: Model, node: type) -> StrawberryField:
    async def resolve(
        info: Info, as_of: AsOf | None = None, at_least: Position | None = None
    ) -> object:
        own = info.context.context.tenant
        return await _one(info.context, model, own, as_of, at_least)

    resolve.__annotations__["return"] = node | None
    return field_of(resolve, f"The caller's own. {AS_OF} {AT_LEAST}")


async def _one(
    asking: Asking, model: Model, key: str, as_of: object, at_least: Position | None
) -> Row | None:
    if isinstance(as_of, int | datetime):
        return await row_as_of(asking.runtime, model, asking.context, key, as_of)
    await at_least_wait(asking, model, at_least)
    return await get_row(asking.runtime.read_pool, model, asking.context, key)


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
