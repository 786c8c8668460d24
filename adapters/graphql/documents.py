"""Documents that can be run: parsed, measured and validated once for all who send the same."""

from collections.abc import Sequence

from graphql import DocumentNode, GraphQLError, GraphQLSchema

from adapters.graphql.guarded import Guards
from adapters.graphql.schema import documents, schema


class NotValid(Exception):
    """A document that can't be run, and what is wrong with it."""

    def __init__(self, errors: Sequence[GraphQLError]) -> None:
        super().__init__(f"{len(errors)} errors")
        self.errors = list(errors)


def core_schema() -> GraphQLSchema:
    """Return the schema as graphql-core has it."""
    core: GraphQLSchema = schema()._schema  # noqa: SLF001 - strawberry lends it by no other name.
    return core


def guards_of(query: str) -> Guards:
    """Name what a document asks for that is seen with a permission of its own."""
    return documents().get(query).guards


def read_document(query: str) -> DocumentNode:
    """Parse and validate a document.

    Raises:
        NotValid: It is not one that can be run.

    """
    known = documents().get(query)
    if known.errors or known.node is None:
        raise NotValid(known.errors)
    return known.node
