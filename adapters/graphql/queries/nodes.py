"""`node`: any row by its id alone, as clients that keep a cache of objects refetch them.

Ids are UUIDs or tell what they are of, so that one is enough. Should a row of two types have the
same, or to be sure, the type goes before it: `Invoice:` and the id.
"""

from collections.abc import Iterator
from typing import Final

import strawberry
from strawberry.types.field import StrawberryField

from adapters.graphql.asking import Info
from adapters.graphql.queries.rows import Model, model_of, row_types
from adapters.graphql.shapes import Node, field_of
from adapters.postgres.models.queries import get_row
from adapters.postgres.models.sight import may_read
from application.kernel import Context
from projections.kernel import Row

NODE: Final = (
    "A row of any type by its id, or by its type and its id, such as `Invoice:` and the id."
    " Null: there is none that the caller may see."
)


def node_fields() -> dict[str, StrawberryField]:
    """Make the field of Query that finds a row of any type."""
    _node.__annotations__["return"] = Node | None
    return {"node": field_of(_node, NODE)}


async def _node(info: Info, id: strawberry.ID) -> Row | None:  # noqa: A002 - the contract's word.
    asking = info.context
    for model, key in _places(id, asking.context):
        row = await get_row(asking.runtime.read_pool, model, asking.context, key)
        if row is not None:
            return row
    return None


def _places(given: str, context: Context) -> Iterator[tuple[Model, str]]:
    """Say where a row may be, of the models that the caller may read."""
    name, _, key = given.partition(":")
    named = model_of(name) if key else None
    if named and may_read(named, context):
        yield named, key
    if named is None:
        yield from ((model, given) for model in row_types() if may_read(model, context))
