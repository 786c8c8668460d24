"""What an operation may cost: rows by fields, known before anything is read.

Each field costs 1. What stands below a list costs as often as the list may have rows: `first` or
`last` of them, of the connection or the list itself; 10 where a list says nothing. A count costs
100, a row as it was (`asOf`) 100, a command 10, and introspection 10 whatever it asks for.
"""

from collections.abc import Mapping
from typing import Final

from graphql import (
    BooleanValueNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    NullValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_list_type,
)
from msgspec import Struct

from adapters.graphql.limits.amounts import NOTHING, Amount, Cost, Factor, Ledger, Switch

FIELD_COST: Final = 1
COMMAND_COST: Final = 10
COUNT_COST: Final = 100
AS_OF_COST: Final = 100
INTROSPECTION_COST: Final = 10
ROWS_UNTOLD: Final = 10
"""Rows of a list that takes no `first`, such as the lines of an invoice."""

PAGED: Final = ("first", "last")
COUNTS: Final = frozenset({"totalCount"})
INTROSPECTION: Final = frozenset({"__schema", "__type"})


class Below(Struct, frozen=True):
    """What a selection costs: once, and again for each row where its owner has a page of them."""

    once: Amount = NOTHING
    each: Amount = NOTHING

    def __add__(self, other: "Below") -> "Below":
        return Below(self.once + other.once, self.each + other.each)


def cost_of(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode
) -> Cost:
    """Measure an operation of a document that is valid."""
    return _Costing(schema, document, operation).cost(operation)


class _Costing:
    def __init__(
        self, schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode
    ) -> None:
        self._schema = schema
        self._ledger = Ledger()
        self._fragments = {
            node.name.value: node
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }
        self._known: dict[str, Below] = {}
        self._defaults: Mapping[str, ValueNode | None] = {
            each.variable.name.value: each.default_value
            for each in operation.variable_definitions or ()
        }
        self._root_cost = (
            COMMAND_COST if operation.operation is OperationType.MUTATION else FIELD_COST
        )

    def cost(self, operation: OperationDefinitionNode) -> Cost:
        root = self._schema.get_root_type(operation.operation)
        below = self._below(operation.selection_set, root)
        more = Amount(self._root_cost - FIELD_COST) * len(operation.selection_set.selections)
        return self._ledger.cost(below.once + self._ledger.times(below.each, ROWS_UNTOLD) + more)

    def _below(self, selected: SelectionSetNode | None, of: GraphQLNamedType | None) -> Below:
        total = Below()
        for node in selected.selections if selected else ():
            below = self._selection(node, of)
            for switch in map(self._switch, node.directives or ()):
                below = Below(
                    self._ledger.times(below.once, switch), self._ledger.times(below.each, switch)
                )
            total += below
        return total

    def _selection(self, node: SelectionNode, of: GraphQLNamedType | None) -> Below:
        match node:
            case FieldNode():
                return self._field(node, of)
            case FragmentSpreadNode():
                return self._fragment(node.name.value)
            case InlineFragmentNode(type_condition=None):
                return self._below(node.selection_set, of)
            case InlineFragmentNode(type_condition=condition) if condition is not None:
                return self._below(node.selection_set, self._schema.get_type(condition.name.value))
        return Below()

    def _fragment(self, name: str) -> Below:
        if name not in self._known:
            self._known[name] = Below()  # For one that spreads itself, which is not valid.
            if fragment := self._fragments.get(name):
                of = self._schema.get_type(fragment.type_condition.name.value)
                below = self._below(fragment.selection_set, of)
                self._known[name] = Below(
                    self._ledger.shared(below.once), self._ledger.shared(below.each)
                )
        return self._known[name]

    def _field(self, node: FieldNode, of: GraphQLNamedType | None) -> Below:
        name = node.name.value
        if name in INTROSPECTION:
            self._ledger.introspects = True
            return Below(Amount(INTROSPECTION_COST))
        field = _field_of(of, name)
        own = Amount(COUNT_COST if name in COUNTS else FIELD_COST)
        if field is None:
            return Below(own)
        given = {argument.name.value: argument.value for argument in node.arguments or ()}
        if not isinstance(given.get("asOf"), NullValueNode | None):
            own += Amount(AS_OF_COST)
        below = self._below(node.selection_set, get_named_type(field.type))
        rows, is_list = self._rows(field, given), is_list_type(get_nullable_type(field.type))
        inner = below.once + self._ledger.times(
            below.each, ROWS_UNTOLD if rows is None or is_list else rows
        )
        if not is_list or node.selection_set is None:
            return Below(own + inner)
        if rows is None:  # The page that the owner has, or else its untold rows.
            return Below(own, inner)
        return Below(own + self._ledger.times(inner, rows))

    def _rows(self, field: GraphQLField, given: Mapping[str, ValueNode]) -> Factor | int | None:
        """Find out how many rows a page has; None where the field takes no `first`."""
        paged = [name for name in PAGED if name in field.args]
        if not paged:
            return None
        name = next((each for each in paged if each in given), paged[0])
        default = field.args[name].default_value
        otherwise = default if isinstance(default, int) else ROWS_UNTOLD
        return self._whole(given.get(name), otherwise)

    def _whole(self, value: ValueNode | None, otherwise: int) -> Factor | int:
        match value:
            case IntValueNode(value=text):
                return max(int(text[:20]), 0)
            case VariableNode():
                name = value.name.value
                default = self._defaults.get(name)
                if isinstance(default, IntValueNode):
                    otherwise = max(int(default.value[:20]), 0)
                return Factor(name, "rows", otherwise)
        return otherwise

    def _switch(self, directive: DirectiveNode) -> Factor | int:
        """Tell what @include and @skip make of a selection."""
        value = next((each.value for each in directive.arguments or ()), None)
        match directive.name.value:
            case "include":
                return self._switched("include", value)
            case "skip":
                return self._switched("skip", value)
        return 1

    def _switched(self, switch: Switch, value: ValueNode | None) -> Factor | int:
        match value:
            case BooleanValueNode(value=given):
                return int(given is (switch == "include"))
            case VariableNode():
                name = value.name.value
                otherwise = self._switched(switch, self._defaults.get(name))
                return Factor(name, switch, otherwise if isinstance(otherwise, int) else 1)
        return 1


def _field_of(of: GraphQLNamedType | None, name: str) -> GraphQLField | None:
    if isinstance(of, GraphQLObjectType | GraphQLInterfaceType):
        field: GraphQLField | None = of.fields.get(name)
        return field
    return None
