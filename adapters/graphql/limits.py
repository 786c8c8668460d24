"""Documents have limits, so that no question costs more than its asker may reasonably ask.

Fragments are measured once each, for one may spread another twice, and that one a third.
"""

from typing import Final

from graphql import (
    ASTValidationRule,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    Node,
    OperationDefinitionNode,
    SelectionNode,
)
from msgspec import Struct

DEPTH_MAX: Final = 15
ALIASES_MAX: Final = 100
TOKENS_MAX: Final = 5_000
DOCUMENTS_KEPT: Final = 500
"""Parsed and validated documents that are kept for the next time."""


class Size(Struct, frozen=True):
    """How deep a selection goes, and how many aliases it holds once fragments are spread."""

    depth: int = 0
    aliases: int = 0


class SizeRule(ASTValidationRule):
    """Refuses operations that are too deep or repeat themselves too often."""

    def enter_document(self, node: DocumentNode, *_: object) -> None:
        measure = _Measure(node)
        for operation in node.definitions:
            if not isinstance(operation, OperationDefinitionNode):
                continue
            size = measure.of(operation)
            if size.depth > DEPTH_MAX:
                self._refuse(f"It is {size.depth} levels deep, {DEPTH_MAX} at most.", operation)
            if size.aliases > ALIASES_MAX:
                self._refuse(f"It has more than {ALIASES_MAX} aliases.", operation)

    def _refuse(self, message: str, node: Node) -> None:
        self.report_error(GraphQLError(message, node))


class _Measure:
    def __init__(self, document: DocumentNode) -> None:
        self._fragments = {
            node.name.value: node
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }
        self._known: dict[str, Size] = {}

    def of(self, node: Node) -> Size:
        selections = getattr(getattr(node, "selection_set", None), "selections", ())
        sizes = [self._selection(each) for each in selections]
        return Size(
            max((size.depth for size in sizes), default=0), sum(size.aliases for size in sizes)
        )

    def _selection(self, node: SelectionNode) -> Size:
        if isinstance(node, FragmentSpreadNode):
            return self._fragment(node.name.value)
        inner = self.of(node)
        if not isinstance(node, FieldNode):
            return inner
        # Introspection is deep by nature, and has a rule of its own in graphql-core.
        below = 0 if node.name.value.startswith("__") else inner.depth
        return Size(below + 1, inner.aliases + (node.alias is not None))

    def _fragment(self, name: str) -> Size:
        if name not in self._known:
            self._known[name] = Size()  # For a fragment that spreads itself: another rule's affair.
            if name in self._fragments:
                self._known[name] = self.of(self._fragments[name])
        return self._known[name]
