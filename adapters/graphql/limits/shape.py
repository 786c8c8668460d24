"""What a document looks like: how deep, how wide, how often it repeats itself.

Each fragment is measured once, for one may spread another twice, and that one a third; what that
makes is multiplied out. So measuring takes time in proportion to the text, whatever it spreads.
"""

from collections.abc import Iterator

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    Node,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
)
from msgspec import Struct

from adapters.graphql.limits.bounds import (
    ALIASES,
    DEPTH,
    DIRECTIVES,
    DIRECTIVES_AT_ONCE,
    FRAGMENTS,
    OPERATIONS,
    ROOT_FIELDS,
    SELECTIONS,
    Bound,
    refusal,
)


class Shape(Struct, frozen=True):
    """How deep a selection goes, and what it holds once fragments are spread.

    Attributes:
        width: Its own fields, and those of the fragments that it spreads itself.

    """

    depth: int = 0
    aliases: int = 0
    directives: int = 0
    width: int = 0


NOTHING = Shape()


def refusals(document: DocumentNode) -> list[GraphQLError]:
    """Name the limits that a document passes."""
    return list(_refusals(document))


def _refusals(document: DocumentNode) -> Iterator[GraphQLError]:
    operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    measure = _Measure(document)
    yield from _past((FRAGMENTS, len(measure.fragments)), (OPERATIONS, len(operations)))
    for operation in operations:
        shape = measure.of(operation.selection_set)
        yield from _past(
            (DEPTH, shape.depth),
            (ALIASES, shape.aliases),
            (DIRECTIVES, shape.directives + len(operation.directives or ())),
            (ROOT_FIELDS, shape.width),
            node=operation,
        )
    widest = max(measure.selections, default=0)
    crowd = max(measure.directives, default=0)
    yield from _past((SELECTIONS, widest), (DIRECTIVES_AT_ONCE, crowd))


def _past(*found: tuple[Bound, int], node: Node | None = None) -> Iterator[GraphQLError]:
    return (refusal(bound, number, node) for bound, number in found if number > bound.max)


class _Measure:
    def __init__(self, document: DocumentNode) -> None:
        self.fragments = {
            node.name.value: node
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }
        self.selections: list[int] = []
        self.directives: list[int] = []
        self._known: dict[str, Shape] = {}

    def of(self, selected: SelectionSetNode | None) -> Shape:
        if selected is None:
            return NOTHING
        self.selections.append(len(selected.selections))
        shapes = [self._selection(each) for each in selected.selections]
        return Shape(
            depth=max((shape.depth for shape in shapes), default=0),
            aliases=sum(shape.aliases for shape in shapes),
            directives=sum(shape.directives for shape in shapes),
            width=sum(shape.width for shape in shapes),
        )

    def _selection(self, node: SelectionNode) -> Shape:
        self.directives.append(here := len(node.directives or ()))
        if isinstance(node, FragmentSpreadNode):
            return _more(self._fragment(node.name.value), directives=here)
        if not isinstance(node, FieldNode):
            return _more(self.of(getattr(node, "selection_set", None)), directives=here)
        inner = self.of(node.selection_set)
        # Introspection is deep by nature, and has a rule of its own in graphql-core.
        below = 0 if node.name.value.startswith("__") else inner.depth
        return Shape(
            depth=below + 1,
            aliases=inner.aliases + (node.alias is not None),
            directives=inner.directives + here,
            width=1,
        )

    def _fragment(self, name: str) -> Shape:
        if name not in self._known:
            self._known[name] = NOTHING  # For one that spreads itself: another rule's affair.
            if name in self.fragments:
                self._known[name] = self.of(self.fragments[name].selection_set)
        return self._known[name]


def _more(shape: Shape, *, directives: int) -> Shape:
    return Shape(shape.depth, shape.aliases, shape.directives + directives, shape.width)
