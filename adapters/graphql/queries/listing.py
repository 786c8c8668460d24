"""Lists of rows as fields: of all that the caller sees, or of those that belong to a row."""

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any, Final

import strawberry
from strawberry.types.field import StrawberryField

from adapters.graphql.asking import Asking, Info
from adapters.graphql.queries.filters import filter_given, filter_type, order_type
from adapters.graphql.queries.pages import Connection, connection_of
from adapters.graphql.scalars import Position
from adapters.graphql.shapes import field_of
from adapters.postgres.models.conditions import Belonging, Filter, Model
from adapters.postgres.models.queries import Page, count_rows, list_rows
from adapters.waiting import wait_until
from application.errors import Malformed
from projections.kernel import Related, Row

AT_LEAST: Final = "Waits until the answer holds what was so at the position `atLeast`."
PAGE: Final = (
    "The `first` of them (at most 100), behind the cursor `after`;"
    " or the `last`, before the cursor `before`."
)


def list_field(model: Model, node: type) -> StrawberryField:
    """Make the field that lists what the caller sees of *model*."""

    async def resolve(
        info: Info,
        *,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: object = None,  # noqa: A002 - the contract's word.
        order_by: Enum | None = None,
        at_least: Position | None = None,
    ) -> Connection:
        info.context.raise_known(info)
        asking = info.context
        await wait_until(asking.runtime, model, asking.context, at_least)
        page = _page(first=first, after=after, last=last, before=before, order_by=order_by)
        return _connection(info.context, model, page, filter_given(filter))

    return _field(model, node, resolve, f"{PAGE} {AT_LEAST}")


def related_list_field(model: Model, node: type, related: Related) -> StrawberryField:
    """Make the field that lists the rows of *model* that belong to a row of another."""

    async def resolve(
        info: Info,
        root: strawberry.Parent[Row],
        *,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: object = None,  # noqa: A002 - the contract's word.
        order_by: Enum | None = None,
    ) -> Connection:
        page = _page(first=first, after=after, last=last, before=before, order_by=order_by)
        belonging = belonging_to(root, related)
        return _connection(info.context, model, page, filter_given(filter), belonging)

    return _field(model, node, resolve, f"{related.note} {PAGE}")


def belonging_to(row: Row, related: Related) -> Belonging:
    """Say what rows of another model hold that belong to *row*."""
    return {theirs: getattr(row, ours) for theirs, ours in related.by.items()}


def asks_for_page(first: int | None, last: int | None) -> None:
    """Let through who says how many rows are wanted.

    Raises:
        Malformed: Nothing is said.

    """
    if first is None and last is None:
        raise Malformed(
            "query.first_required",
            "How many rows are wanted is not said.",
            hint="Ask for `first`, such as `first: 50`; 100 at most.",
        )


def _field(
    model: Model, node: type, resolve: Callable[..., object], description: str
) -> StrawberryField:
    resolve.__annotations__ |= {
        "filter": filter_type(model) | None,
        "order_by": order_type(model) | None,
        "return": connection_of(node),
    }
    return field_of(resolve, description)


def _page(
    *,
    first: int | None,
    after: str | None,
    last: int | None,
    before: str | None,
    order_by: Enum | None,
) -> dict[str, Any]:  # Any: as `list_rows` takes them.
    return {
        "first": first,
        "after": after,
        "last": last,
        "before": before,
        "order_by": order_by.value if order_by else None,
    }


def _connection(
    asking: Asking,
    model: Model,
    page: dict[str, Any],  # Any: as above.
    conditions: Filter,
    belonging: Belonging | None = None,
) -> Connection:
    pool, context = asking.runtime.read_pool, asking.context

    async def read() -> Page:
        asks_for_page(page["first"], page["last"])
        return await list_rows(pool, model, context, filter=conditions, belonging=belonging, **page)

    def count() -> Awaitable[int]:
        return count_rows(pool, model, context, filter=conditions, belonging=belonging)

    return Connection(read=read, count=count)
