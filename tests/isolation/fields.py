"""Documents made of the schema: each field, and in each of its arguments what is a company's."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import reduce
from typing import Any, Final

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
)
from msgspec import Struct
from strawberry.utils.str_converters import to_camel_case

from adapters.graphql.documents import core_schema
from adapters.graphql.queries.rows import row_types
from adapters.graphql.shapes import singular, snake
from adapters.rest.examples import EXAMPLES

Json = Any  # JSON of any shape.
DEPTH_MAX: Final = 3
PAGE: Final = 3
ORDERED: Final = frozenset({"lt", "lte", "gt", "gte", "[]"})
"""Comparisons that let rows of one's own through, whatever they are compared with; and lists of
values, each of which is compared by itself as well."""

KINDS: Final = ("Query", "Mutation", "Subscription")
SAMPLES: Final[dict[str, Json]] = {
    "String": "none",
    "Int": 1,
    "Long": 1,
    "Boolean": True,
    "Decimal": "1",
    "Date": "2026-03-01",
    "DateTime": "2026-03-01T00:00:00Z",
    "Position": "0",
    "JSON": {},
}


class Place(Struct, frozen=True):
    """Where in the arguments of a field something stands, and what it goes by."""

    path: tuple[str, ...]
    name: str


class Field(Struct, frozen=True):
    """A field of Query, Mutation or Subscription."""

    kind: str
    name: str

    @property
    def about(self) -> GraphQLField:
        of = core_schema().type_map[self.kind]
        assert isinstance(of, GraphQLObjectType), "It has fields."
        found: GraphQLField = of.fields[self.name]
        return found

    @property
    def returns(self) -> GraphQLNamedType:
        return get_named_type(self.about.type)


def fields(*kinds: str) -> list[Field]:
    """List the fields of these types."""
    made = []
    for kind in kinds:
        of = core_schema().type_map[kind]
        assert isinstance(of, GraphQLObjectType), "It has fields."
        made += [Field(kind, name) for name in of.fields]
    return made


def key_of(type_name: str) -> str | None:
    """Name the key of the rows of a type, as the company's things go by it."""
    of_list = type_name.removesuffix("Connection").removesuffix("Filter")
    found = (model.key for model in row_types() if singular(model) == of_list)
    return next(found, None)


def id_places(field: Field) -> list[Place]:
    """Find the arguments that are ids, however deep."""
    return [place for place, kind in _inputs(field) if kind == "ID"]


def places(field: Field, named: Mapping[str, object]) -> list[Place]:
    """Find what can be given something of the company's: ids, and texts of a known name."""
    return [
        place
        for place, kind in _inputs(field)
        if place.name in named
        and kind in {"ID", "String"}
        and place.name != "head"
        and not ("filter" in place.path and place.path[-1] in ORDERED)
    ]


def requests(field: Field, named: Mapping[str, object]) -> Iterator[dict[str, Json]]:
    """Make what is posted: a document whose variables have the company's in one place."""
    found = places(field, named)
    base = _base(field)
    for place in found:
        yield _posted(field, _put(base, place))
        if "asOf" in field.about.args and place.path == ("id",):
            for as_of in ("0", datetime.now(UTC).isoformat()):
                yield _posted(field, {**_put(base, place), "asOf": as_of})
    several = [place for place in found if "filter" not in place.path]
    if len(several) > 1:
        yield _posted(field, reduce(_put, several, base))


def document(field: Field, given: Mapping[str, Json]) -> str:
    """Write a document that selects all there is of a field, with its arguments as variables."""
    arguments = {name: field.about.args[name] for name in given}
    declared = ", ".join(f"${name}: {each.type}" for name, each in arguments.items())
    used = ", ".join(f"{name}: ${name}" for name in arguments)
    head = f"{field.kind.lower()} Asked({declared})" if declared else field.kind.lower()
    call = f"{field.name}({used})" if used else field.name
    return f"{head} {{ {call} {selection(field.returns)} }}"


def selection(of: GraphQLNamedType, depth: int = 0) -> str:
    """Select what a type has, and of what that is related to, some of it."""
    if not isinstance(of, GraphQLObjectType):
        return "" if not hasattr(of, "fields") else "{ __typename id }"
    parts = []
    for name, field in of.fields.items():
        inner = get_named_type(field.type)
        if not isinstance(inner, GraphQLObjectType):
            parts.append(name)
        elif depth < DEPTH_MAX:
            paged = f"(first: {PAGE})" if "first" in field.args else ""
            if chosen := selection(inner, depth + 1):
                parts.append(f"{name}{paged} {chosen}")
    return f"{{ {' '.join(parts)} }}" if parts else ""


def _posted(field: Field, given: dict[str, Json]) -> dict[str, Json]:
    asked = {"query": document(field, given), "variables": given}
    return {"method": "POST", "url": "/graphql", "json": asked}


def _base(field: Field) -> dict[str, Json]:
    """Give what has to be given, and a page of what comes in pages."""
    given = {
        name: sample(each.type, field.name)
        for name, each in field.about.args.items()
        if isinstance(each.type, GraphQLNonNull)
    }
    return {**given, **({"first": PAGE} if "first" in field.about.args else {})}


def sample(kind: GraphQLInputType, command: str = "") -> Json:
    """Make up a value; the input of a command as the documentation has it."""
    if isinstance(kind, GraphQLNonNull):
        return sample(kind.of_type, command)
    if isinstance(kind, GraphQLList):
        return [sample(kind.of_type)]
    if isinstance(kind, GraphQLEnumType):
        return next(iter(kind.values))
    if isinstance(kind, GraphQLInputObjectType):
        parts = {name: each.type for name, each in kind.fields.items()}
        made = {n: sample(each) for n, each in parts.items() if isinstance(each, GraphQLNonNull)}
        usual = _camel(EXAMPLES.get(command[:1].upper() + command[1:], {}))
        return made | {name: each for name, each in usual.items() if name in parts}
    return SAMPLES.get(str(kind), "none")


def _camel(value: Json) -> Json:
    if isinstance(value, dict):
        return {to_camel_case(name): _camel(each) for name, each in value.items()}
    return [_camel(each) for each in value] if isinstance(value, list) else value


def _inputs(field: Field) -> Iterator[tuple[Place, str]]:
    for name, argument in field.about.args.items():
        owner = field.returns.name if name in {"id", "filter"} else ""
        yield from _inside((name,), argument.type, owner)


def _inside(
    path: tuple[str, ...], kind: GraphQLInputType, owner: str
) -> Iterator[tuple[Place, str]]:
    """Find the leaves of an input. What is compared goes by the name of the column."""
    named = get_named_type(kind)
    listed = isinstance(kind.of_type if isinstance(kind, GraphQLNonNull) else kind, GraphQLList)
    if listed:
        path = (*path, "[]")
    if not isinstance(named, GraphQLInputObjectType):
        words = [each for each in path if each != "[]"]
        compared = "filter" in path and len(words) > 1
        word = snake(words[-2] if compared else words[-1])
        key = key_of(owner) if word == "id" else None
        yield Place(path, key or word), str(named)
        return
    if len(path) > 2 * DEPTH_MAX:
        return
    for name, each in named.fields.items():
        inner = key_of(named.name) and named.name
        yield from _inside((*path, name), each.type, inner or owner)


def _put(given: Json, place: Place) -> Json:
    return _with(given, place.path, f"<<{place.name}>>")


def _with(given: Json, path: tuple[str, ...], value: str) -> Json:
    if not path:
        return value
    name, *rest = path
    if name == "[]":
        first = given[0] if isinstance(given, list) and given else None
        others = given[1:] if isinstance(given, list) else []
        return [_with(first, tuple(rest), value), *others]
    inside = given if isinstance(given, dict) else {}
    return {**inside, name: _with(inside.get(name), tuple(rest), value)}
