"""Documents made up from the schema: what a client could ask of rows, and some that it should not.

What they name is in the data more often than not, and every choice is one of hypothesis's, so that
a document in which something is wrong shrinks to what is wrong with it.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

from graphql import (
    GraphQLBoolean,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
)
from hypothesis import strategies as st
from msgspec import Struct

from tests.graphql.arguments import Arguments, Json, Known

Composite: TypeAlias = GraphQLObjectType | GraphQLInterfaceType

FIELDS_MAX: Final = 4
DEPTH: Final = 3
"""How many relations deep a selection goes."""

SELDOM: Final = frozenset({"importRows", "node"})
"""What is executed as ever: one such field, and the whole document is."""

HISTORY: Final = "HistoryConnection"
ALIASES: Final = ("a", "b", "number", "nodes")


class Made(Struct):
    """A document, and some values of its variables to send it with."""

    query: str
    variables: Sequence[dict[str, Json]]
    operation_name: str | None


class Scope(Struct):
    """What the keys of an object of the answer stand for, so that fields of one key agree."""

    keys: dict[str, tuple[str, "Scope"]]

    def fits(self, other: "Scope") -> bool:
        return all(
            key not in self.keys or (self.keys[key][0] == meaning and self.keys[key][1].fits(below))
            for key, (meaning, below) in other.keys.items()
        )

    def take(self, other: "Scope") -> None:
        for key, (meaning, below) in other.keys.items():
            self.keys.setdefault(key, (meaning, Scope({})))[1].take(below)


class Fragment(Struct):
    """A named fragment, written out."""

    on: Composite
    depth: int
    scope: Scope
    text: str


@st.composite
def documents(draw: st.DrawFn, schema: GraphQLSchema, known: Known) -> Made:
    """Draw a document, nearly always a valid one."""
    return Writer(draw, schema, known).document()


class Writer:
    """Writes one document."""

    def __init__(self, draw: st.DrawFn, schema: GraphQLSchema, known: Known) -> None:
        self._schema = schema
        self._choose = Arguments(draw, schema, known)
        self._fragments: dict[str, Fragment] = {}
        self._aliases = 0

    def document(self) -> Made:
        query = self._schema.query_type
        assert query is not None, "There are queries."
        body = self._selection(query, Scope({}), DEPTH + 1)
        parts = [f"query Asked{self._choose.declared()} {body}"]
        parts += [each.text for each in self._fragments.values()]
        named = self._choose.chance(20)
        if named:
            parts.append("query Other { __typename }")
        return Made("\n".join(parts), self._choose.given(), "Asked" if named else None)

    def _selection(self, kind: Composite, scope: Scope, depth: int) -> str:
        parts = [self._part(kind, scope, depth) for _ in range(self._choose.some(1, FIELDS_MAX))]
        return f"{{ {' '.join(filter(None, parts)) or '__typename'} }}"

    def _part(self, kind: Composite, scope: Scope, depth: int) -> str | None:
        match self._choose.some(0, 11):
            case 11:
                return self._inline(kind, scope, depth)
            case 10:
                return self._spread(kind, scope, depth)
            case 9 if kind is not self._schema.query_type or self._choose.chance(5):
                return f"__typename{self._directives()}"
        return self._field(kind, scope, depth)

    def _inline(self, kind: Composite, scope: Scope, depth: int) -> str:
        on = self._choose.one([None, *self._applicable(kind)])
        text = self._selection(on or kind, scope, depth)
        return f"...{f' on {on.name}' if on else ''}{self._directives()} {text}"

    def _spread(self, kind: Composite, scope: Scope, depth: int) -> str | None:
        fitting = [
            name
            for name, each in self._fragments.items()
            if each.on is kind and each.depth <= depth and scope.fits(each.scope)
        ]
        if fitting and self._choose.chance(50):
            name = self._choose.one(fitting)
        else:
            before = dict(self._choose.variables), dict(self._fragments)
            on, own = self._choose.one(self._applicable(kind)), Scope({})
            body = self._selection(on, own, depth)
            if not scope.fits(own):  # Then what it uses is not used.
                self._choose.variables, self._fragments = before
                return None
            name = f"F{len(self._fragments)}"
            self._fragments[name] = Fragment(on, depth, own, f"fragment {name} on {on.name} {body}")
        scope.take(self._fragments[name].scope)
        return f"...{name}{self._directives()}"

    def _applicable(self, kind: Composite) -> list[Composite]:
        if isinstance(kind, GraphQLInterfaceType):
            return [kind, *self._schema.get_possible_types(kind)]
        return [kind, kind, *kind.interfaces]

    def _field(self, kind: Composite, scope: Scope, depth: int) -> str | None:
        name = self._choose.one([name for name in kind.fields if self._is_asked(kind, name, depth)])
        if name in SELDOM and not self._choose.chance(5):
            return None
        field, of = kind.fields[name], get_named_type(kind.fields[name].type)
        arguments = self._choose.of(field, of)
        meaning = f"{'' if name == 'id' else kind.name}.{name}{arguments}"
        key = self._choose.one(ALIASES) if self._choose.chance(25) else name
        if scope.keys.get(key, (meaning,))[0] != meaning:
            self._aliases += 1
            key = f"a{self._aliases}"
        below = scope.keys.setdefault(key, (meaning, Scope({})))[1]
        text = f"{'' if key == name else f'{key}: '}{name}{arguments}{self._directives()}"
        if isinstance(of, Composite):
            inner = depth - self._leads(kind, of)
            text += f" {self._selection(of, below, inner)}"
        return text

    def _is_asked(self, kind: Composite, name: str, depth: int) -> bool:
        leads = self._leads(kind, get_named_type(kind.fields[name].type))
        if kind is self._schema.query_type:
            return leads or name == "node"
        return depth > 0 or not leads

    def _leads(self, kind: Composite, of: GraphQLNamedType) -> bool:
        """Tell whether a field leads to rows: from a row to others, or from the start."""
        starts = kind is self._schema.query_type or is_row(kind)
        return starts and (is_row(of) or of.name.endswith("Connection")) and of.name != HISTORY

    def _directives(self) -> str:
        if not self._choose.chance(8):
            return ""
        flag = self._choose.input(GraphQLNonNull(GraphQLBoolean), lambda: self._choose.chance(60))
        return f" @{self._choose.one(['include', 'skip'])}(if: {flag})"


def is_row(kind: object) -> bool:
    """Tell whether a type is that of rows."""
    return isinstance(kind, GraphQLObjectType) and any(i.name == "Node" for i in kind.interfaces)
