"""What a document selects, by the names in the answer: fragments spread, directives decided."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
)
from msgspec import Struct

TYPENAME: Final = "__typename"
Node = FieldNode | FragmentSpreadNode | InlineFragmentNode


class Uncompilable(Exception):
    """There is something that only the usual execution can do."""


class Selected(Struct, frozen=True):
    """A field of the answer: its name there, the field of the schema, and what is below it."""

    key: str
    name: str
    node: FieldNode
    below: tuple[SelectionSetNode, ...]


class Document:
    """An operation of a document, with the values of the variables that decide its directives."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        flags: Mapping[str, Any],  # Any: of variables of any type.
    ) -> None:
        self.operation = operation
        self._schema = schema
        self._flags = flags
        self._fragments = {
            node.name.value: node
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }

    def definition(self, type_name: str, name: str) -> GraphQLField:
        """Return the field of an object type.

        Raises:
            Uncompilable: It is one that every type has, or that tells of the schema.

        """
        fields = cast("GraphQLObjectType", self._schema.type_map[type_name]).fields
        if name not in fields:
            raise Uncompilable(name)
        field: GraphQLField = fields[name]
        return field

    def fields(self, type_name: str, below: Iterable[SelectionSetNode]) -> list[Selected]:
        """List the fields that are selected on an object type, each once.

        Raises:
            Uncompilable: There are none, once directives left out theirs.

        """
        found: dict[str, list[FieldNode]] = {}
        for selection_set in below:
            self._collect(type_name, selection_set, found, set())
        if not found:
            raise Uncompilable(type_name)
        return [
            Selected(
                key,
                nodes[0].name.value,
                nodes[0],
                tuple(each.selection_set for each in nodes if each.selection_set),
            )
            for key, nodes in found.items()
        ]

    def _collect(
        self,
        type_name: str,
        selection_set: SelectionSetNode,
        found: dict[str, list[FieldNode]],
        spread: set[str],
    ) -> None:
        for node in selection_set.selections:
            if not isinstance(node, Node) or not self._is_included(node):
                continue
            if isinstance(node, FieldNode):
                name = (node.alias or node.name).value
                found.setdefault(name, []).append(node)
                continue
            part: FragmentDefinitionNode | InlineFragmentNode | None = node  # type: ignore[assignment] # Of a spread, below.
            if isinstance(node, FragmentSpreadNode):
                name = node.name.value
                part = None if name in spread else self._fragments[name]
                spread.add(name)
            if part is not None and self._applies(part, type_name):
                self._collect(type_name, part.selection_set, found, spread)

    def _is_included(self, node: Node) -> bool:
        for directive in node.directives or ():
            name = directive.name.value
            if name not in {"include", "skip"}:
                raise Uncompilable(name)
            (argument,) = directive.arguments or ()
            value = argument.value
            given = (
                self._flags[value.name.value]
                if isinstance(value, VariableNode)
                else getattr(value, "value", None)
            )
            if given is not (name == "include"):
                return False
        return True

    @staticmethod
    def _applies(part: FragmentDefinitionNode | InlineFragmentNode, type_name: str) -> bool:
        condition = part.type_condition
        if condition is None or condition.name.value == type_name:
            return True
        # Validation lets through what may apply: an interface of the type, and there is one.
        return condition.name.value == "Node"


def deciding_variables(document: DocumentNode) -> frozenset[str]:
    """Name the variables that decide directives: with others of them it is another plan."""
    found: set[str] = set()

    def look(node: Any) -> None:  # noqa: ANN401 - nodes of any kind.
        for directive in getattr(node, "directives", None) or ():
            found.update(
                argument.value.name.value
                for argument in directive.arguments or ()
                if isinstance(argument.value, VariableNode)
            )
        selection_set = getattr(node, "selection_set", None)
        for each in selection_set.selections if selection_set else ():
            look(each)

    for definition in document.definitions:
        look(definition)
    return frozenset(found)
