"""Types of GraphQL out of types of ours: rows and values as objects, commands and values as inputs.

Objects read the structs as they are. Inputs become plain data again, which the application
checks as it checks every other surface's.
"""

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from types import GenericAlias, UnionType
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    NewType,
    get_args,
    get_origin,
    get_type_hints,
)

import strawberry
from msgspec import Meta, Struct, structs
from strawberry import UNSET
from strawberry.types.field import StrawberryField

from adapters.graphql.scalars import Json, Long
from adapters.postgres.models.shown import shown_type
from adapters.postgres.models.tables import plain_type
from domain.kernel import Command, filled_fields, found_fields
from projections.kernel import ReadModel, derived_columns

PLAIN: Final[dict[object, object]] = {
    bool: bool,
    int: Long,
    str: str,
    Decimal: Decimal,
    date: date,
    datetime: datetime,
}

DEPRECATED: Final = "deprecated"
LISTS: Final[tuple[object, ...]] = (tuple, list, Sequence)
Hint = Any  # Annotations are of any kind.
Shape = Callable[[type[Struct]], type]


def singular(model: type[ReadModel[Any]]) -> str:
    """Name the type of one row: ``InvoiceRow`` is an ``Invoice``."""
    return model.row.__name__.removesuffix("Row")


def row_type(model: type[ReadModel[Any]]) -> type:
    """Make the object type of a row, what is derived of it included. Its key is its ``id``."""
    derived = derived_columns(model.row).items()
    notes = {name: " ".join((each.__doc__ or "").split()) for name, each in derived}
    return _object(shown_type(model.row), singular(model), key=model.key, notes=notes)


@cache
def value_type(value: type[Struct]) -> type:
    """Make the object type of a value inside a row."""
    return _object(value, value.__name__)


@cache
def input_type(value: type[Struct], name: str | None = None) -> type:
    """Make the input type of what a command takes, or of a value inside.

    What the application fills in or has a default for may be left out.
    """
    hints = get_type_hints(value, include_extras=True)
    optional, found = (
        (filled_fields(value), found_fields(value)) if issubclass(value, Command) else ((), ())
    )
    annotations: dict[str, Hint] = {}
    fields: dict[str, object] = {}
    for field in (each for each in structs.fields(value) if each.name not in found):
        shape = shape_of(hints[field.name], input_type)
        may_miss = not field.required or field.name in optional
        annotations[field.name] = shape | None if may_miss else shape
        default = {"default": UNSET} if may_miss else {}
        fields[field.name] = strawberry.field(
            description=explained(hints[field.name]),
            deprecation_reason=deprecated(hints[field.name]),
            **default,
        )
    made = made_class(f"{name or value.__name__}Input", annotations, fields)
    return strawberry.input(made, description=summary(value))


def given(value: Any) -> Any:  # noqa: ANN401 - plain data of any shape.
    """Turn an input back into plain data. What is null counts as left out."""
    if dataclasses.is_dataclass(value):
        items = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {name: given(item) for name, item in items if item is not UNSET and item is not None}
    if isinstance(value, list):
        return [given(item) for item in value]
    return value


def shape_of(hint: Hint, nested: Shape) -> Hint:
    """Translate an annotation; *nested* makes the types of values inside."""
    base = _base(hint, nested)
    return base | None if _nullable(hint) else base


def is_id(hint: Hint) -> bool:
    """Tell whether a field holds an id: a ``NewType`` of that name."""
    return any(name.endswith("Id") for name in _new_types(hint))


def list_of(shape: Hint) -> Hint:
    """Write ``list[shape]`` for a shape that is known at run time only."""
    return GenericAlias(list, (shape,))


def field_of(resolver: Callable[..., object], description: str | None) -> StrawberryField:
    """Make a field whose resolver is annotated with types that are known at run time only."""
    field: StrawberryField = strawberry.field(description=description)(resolver)
    return field


def made_class(
    name: str,
    annotations: Mapping[str, Hint],
    fields: Mapping[str, object] | None = None,
    bases: tuple[type, ...] = (),
) -> type:
    """Make a class as if it stood in a file."""
    return type(name, bases, {"__annotations__": dict(annotations), **(fields or {})})


def snake(name: str) -> str:
    """Write ``importBatch`` as ``import_batch``."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def summary(thing: object) -> str | None:
    """Return the docstring without its sections, as one paragraph; None where there is none."""
    own = thing.__dict__.get("__doc__") if isinstance(thing, type) else None
    text = inspect.cleandoc(own).partition("\n\nAttributes:")[0] if own else ""
    return " ".join(text.split()) or None


def explained(hint: Hint) -> str | None:
    """Say what the type of a field can't: its meaning, and what words it takes."""
    plain = plain_type(hint)
    if get_origin(plain) is Literal:
        return f"One of: {', '.join(get_args(plain))}."
    return next((meta.description for meta in _metas(hint) if meta.description), None)


def deprecated(hint: Hint) -> str | None:
    """Say what to use instead of a field that is on its way out: ``Meta(extra={"deprecated": …})``.

    None: it stays.
    """
    extras = (meta.extra or {} for meta in _metas(hint))
    return next((extra[DEPRECATED] for extra in extras if DEPRECATED in extra), None)


@strawberry.interface(description="Whatever can be asked for by its id alone.")
class Node:
    id: strawberry.ID


def _object(
    struct: type[Struct],
    name: str,
    key: str | None = None,
    notes: Mapping[str, str] | None = None,
) -> type:
    hints = get_type_hints(struct, include_extras=True)
    annotations: dict[str, Hint] = {}
    fields: dict[str, object] = {}
    for field in struct.__struct_fields__:
        hint = hints[field]
        annotations[field] = strawberry.ID if field == key else shape_of(hint, value_type)
        note = (notes or {}).get(field)
        fields[field] = strawberry.field(
            name="id" if field == key else None,
            description=note or explained(hint),
            deprecation_reason=deprecated(hint),
        )
    bases: tuple[type, ...] = ()
    if key:
        bases = (Node,)
        fields["is_type_of"] = classmethod(lambda _, value, _info: isinstance(value, struct))
    made = made_class(name, annotations, fields, bases)
    return strawberry.type(made, description=summary(struct))


def _base(hint: Hint, nested: Shape) -> Hint:
    if is_id(hint):
        return strawberry.ID
    plain = plain_type(hint)
    if get_origin(plain) is Literal:
        return str
    if get_origin(plain) in LISTS:
        return list_of(shape_of(get_args(plain)[0], nested))
    if isinstance(plain, type) and issubclass(plain, Struct):
        return nested(plain)
    return PLAIN.get(plain, Json)


def _nullable(hint: Hint) -> bool:
    origin: object = get_origin(hint)
    if origin is Annotated:
        return _nullable(get_args(hint)[0])
    return type(None) in get_args(hint)


def _new_types(hint: Hint) -> list[str]:
    if isinstance(hint, NewType):
        return [hint.__name__]
    origin: object = get_origin(hint)
    if isinstance(origin, type) and origin not in {Annotated, UnionType}:
        return []  # Ids in a list are not the field's own.
    return [name for arg in get_args(hint) for name in _new_types(arg)]


def _metas(hint: Hint) -> list[Meta]:
    found = [arg for arg in get_args(hint) if isinstance(arg, Meta)]
    return found + [meta for arg in get_args(hint) for meta in _metas(arg)]
