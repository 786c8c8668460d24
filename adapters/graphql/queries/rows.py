"""Rows as types: each public read model is one, with what it is related to, and a Node."""

from functools import cache
from typing import Any, TypeAlias

import strawberry
from strawberry.types.field import StrawberryField

from adapters.graphql.asking import Info
from adapters.graphql.queries.listing import belonging_to, related_list_field
from adapters.graphql.shapes import field_of, row_type, singular
from adapters.postgres.models.queries import list_rows
from projections.kernel import ReadModel, Related, Row, read_models

Model: TypeAlias = type[ReadModel[Any]]  # Any: of any row.


@cache
def row_types() -> dict[Model, type]:
    """Make the types of all public read models.

    One may be related to another and that one to it, so relations come when all are there.
    """
    made = {model: row_type(model) for model in read_models().values() if model.public}
    for model, node in made.items():
        for name, related in model.related.items():
            other = read_models()[related.model]
            if other in made:
                add_field(node, name, _related(other, made[other], related))
    return made


def model_of(name: str) -> Model | None:
    """Find the read model whose rows are of the type *name*."""
    return next((model for model in row_types() if singular(model) == name), None)


def add_field(node: type, name: str, field: StrawberryField) -> None:
    """Give a type that is made one more field."""
    field.python_name = name
    node.__strawberry_definition__.fields.append(field)  # type: ignore[attr-defined] # Every type of the library has one.


def _related(other: Model, node: type, related: Related) -> StrawberryField:
    return (related_list_field if related.many else _related_row)(other, node, related)


def _related_row(model: Model, node: type, related: Related) -> StrawberryField:
    async def resolve(info: Info, root: strawberry.Parent[Row]) -> Row | None:
        asking = info.context
        page = await list_rows(
            asking.runtime.read_pool,
            model,
            asking.context,
            first=1,
            belonging=belonging_to(root, related),
        )
        return page.rows[0] if page.rows else None

    resolve.__annotations__["return"] = node | None
    return field_of(resolve, related.note)
