"""Arguments made up from the schema and the data: pages, filters, ids, as literals or variables."""

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias, TypeVar

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLSchema,
    get_named_type,
)
from hypothesis import strategies as st
from msgspec import Struct

T = TypeVar("T")
Json = Any  # JSON of any shape.
Make: TypeAlias = Callable[[], Json]

SEARCH: Final = "search"
VARIABLES_MAX: Final = 20
WANTED: Final = {"filter": 35, "atLeast": 8, "asOf": 3}
"""How often an argument is given, in a hundred; all others always are."""

FORWARD: Final = (("first", "after"),) * 30
BACKWARD: Final = (("last", "before"),) * 30
WAYS: Final = (
    *FORWARD,
    ("first",),
    ("last",),
    ("after",),
    ("before",),
    ("first", "last"),
    ("first", "before"),
    (),
    *FORWARD,
    *BACKWARD,
)
SIZES: Final = (1, 2, 3, 4, 5)
ODD_SIZES: Final = (100, 100, 0, -1, 101, None, "1", 1.5)

ANY: Final[dict[str, Sequence[Json]]] = {
    "String": ("", "a", "%", "_", "\\", '"', "'; --", "ñ", "{a,b}", "NULL", "C7", "\0", "a\nb"),
    "ID": ("", "none", "C7:EUR", '"', "\\", "{}", "\0"),
    "Decimal": ("0", "-0.00", "10.5", "00021", 3, "1E+2", "NaN", "12345678901234567890.12345"),
    "Date": ("2026-01-31", "2026-02-30", "0001-01-01", "9999-12-31", "2026"),
    "DateTime": ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00"),
    "Long": (0, 1, 2**53, 2**53 + 1, "7"),
    "Int": (0, 1, 2),
    "Boolean": (True, False),
}
ODD: Final[Sequence[Json]] = (
    None,
    "",
    "1E+200000",
    "NaN",
    "Infinity",
    "\0",
    5,
    "9999-99-99",
    "0001-01-01",
    [],
)
"""What a forged cursor says that a row's does not."""


class Known(Struct):
    """What is in the data, as it is shown.

    Attributes:
        values: Of each field, by the names of the type and the field.
        cursors: Of each list, by the names of the type and the order; None: as it comes.
        positions: Some that are reached, and some that are not.

    """

    values: dict[tuple[str, str], list[Json]]
    cursors: dict[tuple[str, str | None], list[str]]
    positions: Sequence[str]

    def __repr__(self) -> str:
        """Say what it is; all of it would hide the document that failed."""
        return "known"


class Word(str):
    """A value of an enumeration: written without quotes."""

    __slots__ = ()


class Variable(Struct):
    """A variable of an operation: how it is declared, and what it is sent with; or left out."""

    declared: str
    given: Sequence[Json]


LEFT_OUT: Final = object()


class Choices:
    """Chooses, as hypothesis wants it."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def some(self, least: int, most: int) -> int:
        return self._draw(st.integers(least, most))

    def chance(self, percent: int) -> bool:
        """Decide; what is rare is in the middle of a range, whose ends are drawn more often."""
        rare = min(percent, 100 - percent)
        return (50 - rare // 2 <= self.some(0, 100) < 50 + (rare + 1) // 2) is (rare == percent)

    def one(self, choices: Sequence[T]) -> T:
        return choices[self.some(0, len(choices) - 1)]


class Arguments(Choices):
    """Writes the arguments of the fields of one document, and knows its variables."""

    def __init__(self, draw: st.DrawFn, schema: GraphQLSchema, known: Known) -> None:
        super().__init__(draw)
        self._schema = schema
        self._known = known
        self._sets = self.some(1, 2)
        self.variables: dict[str, Variable] = {}

    def declared(self) -> str:
        """Declare the variables; nothing where there are none."""
        names = [f"${name}: {each.declared}" for name, each in self.variables.items()]
        return f"({', '.join(names)})" if names else ""

    def given(self) -> list[dict[str, Json]]:
        """List what the variables are sent with, one time and another perhaps."""
        return [
            {
                name: each.given[at]
                for name, each in self.variables.items()
                if each.given[at] is not LEFT_OUT
            }
            for at in range(self._sets)
        ]

    def of(self, field: GraphQLField, of: GraphQLNamedType) -> str:
        """Write the arguments of a field, or nothing."""
        row = of.name.removesuffix("Connection")
        given = self._page(field, row) if row != of.name else {}
        for name, make in (
            ("id", lambda: self._value(row, "id", "ID")),
            ("batch", lambda: self._value("ImportBatch", "id", "ID")),
            ("filter", lambda: self._filter(row)),
            ("atLeast", lambda: self.one(self._known.positions)),
            ("asOf", lambda: self.one(self._known.positions)),
        ):
            if name in field.args and self.chance(WANTED.get(name, 100)):
                given[name] = make
        texts = [f"{name}: {self.input(field.args[name].type, m)}" for name, m in given.items()]
        return f"({', '.join(texts)})" if texts else ""

    def _page(self, field: GraphQLField, row: str) -> dict[str, Make]:
        """Say which page is wanted; now and then none, or one that there can't be."""
        way = self.one(WAYS)
        order = None
        given: dict[str, Make] = {}
        if "orderBy" in field.args and self.chance(50):
            orders = get_named_type(field.args["orderBy"].type)
            assert isinstance(orders, GraphQLEnumType), "Orders are words."
            order = self.one(list(orders.values))
            given["orderBy"] = lambda: Word(order)
        for size, place in (("first", "after"), ("last", "before")):
            if size in way and size in field.args:
                given[size] = self._size
            if place in way and place in field.args and self.chance(40):
                given[place] = lambda: self._cursor(row, order)
        return given

    def _size(self) -> Json:
        return self.one(ODD_SIZES if self.chance(4) else SIZES)

    def _cursor(self, row: str, order: str | None) -> Json:
        theirs = self._known.cursors.get((row, order), [])
        every = [each for cursors in self._known.cursors.values() for each in cursors]
        if theirs and not self.chance(5):
            return self.one(theirs)
        cursor = self.one(every)
        match self.some(0, 3):
            case 0:
                return self.one([None, "", "e30", "ñ", cursor[:-2], cursor + "A"])
            case 1:
                return cursor
        name, *place = json.loads(base64.urlsafe_b64decode(f"{theirs[0] if theirs else cursor}=="))
        place[self.some(0, len(place) - 1)] = self.one(ODD)
        return base64.urlsafe_b64encode(json.dumps([name, *place]).encode()).decode().rstrip("=")

    def _filter(self, row: str) -> Json:
        filters = self._schema.type_map[f"{row}Filter"]
        assert isinstance(filters, GraphQLInputObjectType), "Filters are inputs."
        made: dict[str, Json] = {}
        for _ in range(self.some(0, 2)):
            name = self.one(list(filters.fields))
            compared = get_named_type(filters.fields[name].type)
            assert isinstance(compared, GraphQLInputObjectType), "Comparisons are inputs."
            if name == SEARCH and not self.chance(10):
                continue
            by = {self.one(list(compared.fields)) for _ in range(self.some(0, 2))}
            made[name] = {
                each: self._compared(row, name, each, compared.fields[each].type)
                for each in sorted(by)
            }
        return made

    def _compared(self, row: str, name: str, by: str, kind: GraphQLInputType) -> Json:
        of = get_named_type(kind).name
        if by == "in":
            values = [self._value(row, name, of) for _ in range(self.some(0, 3))]
            return values * (40 if self.chance(3) else 1)
        if self.chance(4):
            return None
        value = self._value(row, name, of)
        if by == "contains" and isinstance(value, str):
            start = self.some(0, max(0, len(value) - 1))
            return value[start : start + self.some(1, 4)]
        return value

    def _value(self, row: str, name: str, of: str) -> Json:
        theirs = self._known.values.get((row, name))
        return self.one(theirs if theirs and self.chance(92) else ANY[of])

    def input(self, kind: GraphQLInputType, make: Make) -> str:
        """Write an argument as a literal, with variables in it perhaps, or as a variable."""
        if self.chance(25):
            return self._variable(kind, [make() for _ in range(self._sets)])
        return self._literal(kind, make())

    def _variable(self, kind: GraphQLInputType, values: list[Json]) -> str:
        name = f"v{len(self.variables)}"
        if not isinstance(kind, GraphQLNonNull) and self.chance(10):
            values[0] = LEFT_OUT
        declared = str(kind)
        if self.chance(15):
            default = next((each for each in values if each is not LEFT_OUT), None)
            if default is not None:
                declared += f" = {_plain(default)}"
                values[-1] = LEFT_OUT
        elif self.chance(20) and not declared.endswith("!") and None not in values:
            declared += "!" if LEFT_OUT not in values else ""
        self.variables[name] = Variable(declared, values)
        return f"${name}"

    def _literal(self, kind: GraphQLInputType, value: Json) -> str:
        inner = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
        if isinstance(value, dict) and isinstance(inner, GraphQLInputObjectType):
            fields = inner.fields
            parts = [f"{name}: {self._inner(fields[name].type, v)}" for name, v in value.items()]
            return f"{{{', '.join(parts)}}}"
        if isinstance(value, list) and isinstance(inner, GraphQLList):
            return f"[{', '.join(self._inner(inner.of_type, each) for each in value)}]"
        return _plain(value)

    def _inner(self, kind: GraphQLInputType, value: Json) -> str:
        if len(self.variables) < VARIABLES_MAX and self.chance(10):
            return self._variable(kind, [value] * self._sets)
        return self._literal(kind, value)


def _plain(value: Json) -> str:
    """Write a literal without variables."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name}: {_plain(each)}' for name, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_plain, value))}]"
    return value if isinstance(value, Word) else json.dumps(value)
