"""Documents that came before are known: parsed, measured, validated and priced once.

What is kept is bounded by tokens, for those decide what a document takes in memory: about 1 KB
each. One that is refused is not kept.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Final

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    parse,
    specified_rules,
)
from msgspec import Struct
from strawberry.schema.schema import validate_document
from strawberry.types.graphql import OperationType

from adapters.graphql.guarded import NOTHING, Guards, guards_in
from adapters.graphql.limits.amounts import Cost
from adapters.graphql.limits.bounds import CHARACTERS, TOKENS, refusal
from adapters.graphql.limits.cost import cost_of
from adapters.graphql.limits.shape import refusals

TOKENS_KEPT_MAX: Final = 100_000
COUNTED_MAX: Final = 2 * TOKENS.max


class Operation(Struct, frozen=True, kw_only=True):
    """What can be said of an operation before its variables are known."""

    name: str | None
    kind: OperationType
    cost: Cost


class Document(Struct, frozen=True, kw_only=True):
    """A document that may be run, or the errors for which it may not.

    Attributes:
        node: None where it can't be parsed, or is past a limit.
        operations: By name; one without a name is under None.
        guards: What it asks for that is seen with a permission of its own.

    """

    text: str
    node: DocumentNode | None = None
    errors: tuple[GraphQLError, ...] = ()
    operations: Mapping[str | None, Operation] = {}
    tokens: int = 0
    guards: Guards = NOTHING

    def operation(self, name: str | None) -> Operation | None:
        """Find the operation that a request means; None where it names none of them."""
        if name:
            return self.operations.get(name)
        return next(iter(self.operations.values())) if len(self.operations) == 1 else None

    @property
    def digest(self) -> str:
        return sha256(self.text.encode()).hexdigest()


class Documents:
    """The documents that one schema knows."""

    def __init__(self, schema: GraphQLSchema, *, tokens_max: int = TOKENS_KEPT_MAX) -> None:
        self._schema = schema
        self._tokens_max = tokens_max
        self._tokens = 0
        self._known: OrderedDict[str, Document] = OrderedDict()

    def get(self, text: str) -> Document:
        """Return what is known of *text*, which is found out where it is new."""
        known = self._known.get(text)
        if known is not None:
            self._known.move_to_end(text)
            return known
        read = self._read(text)
        if not read.errors:
            self._keep(read)
        return read

    def _keep(self, document: Document) -> None:
        self._known[document.text] = document
        self._tokens += document.tokens
        while self._tokens > self._tokens_max:
            _, oldest = self._known.popitem(last=False)
            self._tokens -= oldest.tokens

    def _read(self, text: str) -> Document:
        if len(text) > CHARACTERS.max:
            return Document(text=text, errors=(refusal(CHARACTERS, len(text)),))
        try:
            node = parse(text, max_tokens=COUNTED_MAX)
        except GraphQLError as error:
            return Document(text=text, errors=(_told(error),))
        tokens: int = node.token_count
        errors = [refusal(TOKENS, tokens)] if tokens > TOKENS.max else refusals(node)
        if errors:
            return Document(text=text, errors=tuple(errors))
        if errors := validate_document(self._schema, node, specified_rules):
            return Document(text=text, node=node, errors=tuple(errors))
        operations = {each.name: each for each in self._operations(node)}
        guards = guards_in(self._schema, node, text)
        return Document(text=text, node=node, operations=operations, tokens=tokens, guards=guards)

    def _operations(self, document: DocumentNode) -> Iterator[Operation]:
        for node in document.definitions:
            if isinstance(node, OperationDefinitionNode):
                yield Operation(
                    name=node.name.value if node.name else None,
                    kind=OperationType(node.operation.value),
                    cost=cost_of(self._schema, document, node),
                )


def _told(error: GraphQLError) -> GraphQLError:
    """Tell a text of too many tokens from one that can't be read at all."""
    too_many = "tokens" in error.message and "Parsing aborted" in error.message
    return refusal(TOKENS, COUNTED_MAX + 1) if too_many else error
