"""Queries: of each public read model a list, and one row of it, now or as it was.

What belongs to no tenant is asked for without an id: the one row is the caller's own.
"""

from datetime import datetime

import strawberry
from strawberry.types.field import StrawberryField

from adapters.graphql.asking import Asking, Info
from adapters.graphql.queries.listing import AT_LEAST, list_field
from adapters.graphql.queries.rows import Model, row_types
from adapters.graphql.scalars import AsOf, Position
from adapters.graphql.shapes import field_of, singular, snake
from adapters.postgres.models.moments import row_as_of
from adapters.postgres.models.queries import get_row
from adapters.waiting import wait_until
from projections.kernel import Row

AS_OF = "With `asOf`, as it was after that position or at that moment, not what it is related to."


def reading_fields() -> dict[str, StrawberryField]:
    """Make the fields of Query, by name."""
    fields: dict[str, StrawberryField] = {}
    for model, node in row_types().items():
        one = _own_row if model.key == "tenant" else _row
        fields[snake(singular(model))] = one(model, node)
        fields[model.name] = list_field(model, node)
    return fields


def _row(model: Model, node: type) -> StrawberryField:
    async def resolve(
        info: Info,
        id: strawberry.ID,  # noqa: A002 - the contract's word.
        as_of: AsOf | None = None,
        at_least: Position | None = None,
    ) -> object:
        info.context.raise_known(info)
        return await _one(info.context, model, id, as_of, at_least)

    resolve.__annotations__["return"] = node | None
    return field_of(resolve, f"{AS_OF} {AT_LEAST}")


def _own_row(model: Model, node: type) -> StrawberryField:
    async def resolve(
        info: Info, as_of: AsOf | None = None, at_least: Position | None = None
    ) -> object:
        info.context.raise_known(info)
        own = info.context.context.tenant
        return await _one(info.context, model, own, as_of, at_least)

    resolve.__annotations__["return"] = node | None
    return field_of(resolve, f"The caller's own. {AS_OF} {AT_LEAST}")


async def _one(
    asking: Asking, model: Model, key: str, as_of: object, at_least: Position | None
) -> Row | None:
    if isinstance(as_of, int | datetime):
        return await row_as_of(asking.runtime, model, asking.context, key, as_of)
    await wait_until(asking.runtime, model, asking.context, at_least)
    return await get_row(asking.runtime.read_pool, model, asking.context, key)
