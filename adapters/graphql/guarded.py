"""Fields that are seen with a permission of their own, and which of them a document asks for."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLSchema,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    visit,
)
from strawberry.utils.str_converters import to_camel_case

from adapters.graphql.shapes import singular
from application.kernel import Context
from projections.kernel import guarded_fields, read_models

Guards = Mapping[str, str]
"""The permissions of fields, by the names of their type and their own: ``Type.field``."""

NOTHING: Guards = {}


def guards_in(schema: GraphQLSchema, document: DocumentNode, text: str) -> Guards:
    """Find the guarded fields that a document asks for; mostly there is none."""
    guards = _guards()
    if not any(name.partition(".")[2] in text for name in guards):
        return NOTHING
    types = TypeInfo(schema)
    asked = _Asked(types)
    visit(document, TypeInfoVisitor(types, asked))
    return {name: guards[name] for name in asked.names if name in guards}


def masked(guards: Guards, context: Context) -> list[dict[str, str]]:
    """Tell which fields are empty for a caller, and what permission is lacking."""
    return [
        {"field": name, "permission": permission}
        for name, permission in guards.items()
        if not context.may(permission)
    ]


class _Asked(Visitor):
    """Gathers the fields of a document."""

    def __init__(self, types: TypeInfo) -> None:
        super().__init__()
        self.names: dict[str, None] = {}
        self._types = types

    def enter_field(self, node: FieldNode, *_: Any) -> None:  # noqa: ANN401 - where it stands.
        parent = self._types.get_parent_type()
        if parent is not None:
            self.names[f"{parent.name}.{node.name.value}"] = None


@cache
def _guards() -> Guards:
    found: dict[str, str] = {}
    for model in read_models().values():
        for each in guarded_fields(model.row) if model.public else ():
            is_own = each.owner is model.row
            owner = singular(model) if is_own else each.owner.__name__
            found[f"{owner}.{to_camel_case(each.path[-1])}"] = each.permission
    return found
