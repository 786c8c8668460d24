"""Filters and orders of lists: of each column that has an index, and of no other."""

import dataclasses
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, Final

import strawberry
from strawberry import ID, UNSET

from adapters.graphql.scalars import Long
from adapters.graphql.shapes import Hint, is_id, list_of, made_class, singular
from adapters.postgres.models.conditions import SEARCHED, filterable
from adapters.postgres.models.tables import plain_type
from projections.kernel import ReadModel, columns_with_hints

Model = type[ReadModel[Any]]  # Any: of any row.

COMPARISONS: Final = ("lt", "lte", "gt", "gte")
ORDERED: Final[dict[object, tuple[str, Hint]]] = {
    Decimal: ("Decimal", Decimal),
    date: ("Date", date),
    datetime: ("DateTime", datetime),
    int: ("Long", Long),
    bool: ("Boolean", bool),
}
"""The scalars of column types; all others are compared as text."""


@strawberry.input(name="SearchFilter", description="Words that a row must have, all of them.")
class Search:
    words: str = strawberry.field(
        description="Parts of words count, in any order; case and accents don't."
    )


_filters: dict[str, type] = {}
_orders: dict[str, type[Enum]] = {}


def filter_type(model: Model) -> type:
    """Return the input that filters a list. All that is given must hold."""
    if model.name not in _filters:
        _filters[model.name] = _filter_type(model)
    return _filters[model.name]


def order_type(model: Model) -> type[Enum]:
    """Return the orders of a list; the value of each is what queries call it."""
    if model.name not in _orders:
        _orders[model.name] = _order_type(model)
    return _orders[model.name]


def _filter_type(model: Model) -> type:
    hints = columns_with_hints(model.row)
    name = f"{singular(model)}Filter"
    annotations = {
        column: _comparisons(*_scalar(model, column, hints[column])) | None
        for column in filterable(model)
    }
    fields = {
        column: strawberry.field(name="id" if column == model.key else None, default=UNSET)
        for column in annotations
    }
    if model.search:
        annotations[SEARCHED] = Search | None
        fields[SEARCHED] = strawberry.field(default=UNSET, description=_searches(model))
    description = "All that is given must hold. Only what has an index is here."
    return strawberry.input(made_class(name, annotations, fields), description=description)


def _order_type(model: Model) -> type[Enum]:
    members = {
        f"{'ID' if column == model.key else column.upper()}_{way}": f"{dash}{column}"
        for column in filterable(model)
        for way, dash in (("ASC", ""), ("DESC", "-"))
    }
    name = f"{singular(model)}Order"
    make_enum: Any = Enum  # Any: to type checkers an enumeration is always written out.
    made: type[Enum] = make_enum(name, members)
    description = "One column, and then the key. Empty values are the last ascending."
    return strawberry.enum(made, description=description)


def filter_given(value: object) -> Mapping[str, Mapping[str, object]]:
    """Turn a filter into conditions by column."""
    return {column: _given(comparisons) for column, comparisons in _given(value).items()}


def _given(value: object) -> dict[str, Any]:  # Any: values of any column.
    if value is None or value is UNSET:
        return {}
    if not dataclasses.is_dataclass(value):
        raise TypeError(f"{value!r} is no input.")
    items = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
    return {name.rstrip("_"): item for name, item in items if item is not UNSET}


def _searches(model: Model) -> str:
    """Say where words are looked for, as GraphQL calls it."""
    paths = (path.split("_") for path in model.search)
    names = [word + "".join(each.capitalize() for each in rest) for word, *rest in paths]
    return f"Words in {', '.join(names)}."


def _scalar(model: Model, column: str, hint: Hint) -> tuple[str, Hint]:
    if column == model.key or is_id(hint):
        return "ID", ID
    return ORDERED.get(plain_type(hint), ("String", str))


@cache
def _comparisons(name: str, scalar: Hint) -> Hint:
    annotations: dict[str, Hint] = {"eq": scalar | None, "in_": list_of(scalar) | None}
    if name not in {"ID", "Boolean"}:
        annotations |= dict.fromkeys(COMPARISONS, scalar | None)
    if name == "String":
        annotations["contains"] = str | None
    notes = {"eq": "Null: it is empty.", "contains": "Upper and lower case differ."}
    fields = {
        each: strawberry.field(name=each.rstrip("_"), default=UNSET, description=notes.get(each))
        for each in annotations
    }
    made: type = strawberry.input(made_class(f"{name}Filter", annotations, fields))
    return made
