"""How large a document may be, in each of the ways in which one can be too large.

A refusal names the limit and the number that passed it. Where counting ends at the limit, it says
"more than", for nobody counts on for a figure.
"""

from typing import Final

from graphql import GraphQLError, Node
from msgspec import Struct

from application.errors import Malformed


class Bound(Struct, frozen=True, kw_only=True):
    """A limit, and how it is told."""

    code: str
    max: int
    what: str
    hint: str


CHARACTERS: Final = Bound(
    code="graphql.document_too_long",
    max=100_000,
    what="characters",
    hint="Send values as variables, and ask for less at a time.",
)
TOKENS: Final = Bound(
    code="graphql.too_many_tokens",
    max=5_000,
    what="tokens",
    hint="Send values as variables, and ask for less at a time.",
)
DEPTH: Final = Bound(
    code="graphql.too_deep",
    max=15,
    what="levels",
    hint="Ask for what is further down by its id.",
)
ALIASES: Final = Bound(
    code="graphql.too_many_aliases",
    max=100,
    what="aliases once its fragments are spread",
    hint="Ask for many rows by a filter, such as id: {in: [...]}, and not one by one.",
)
ROOT_FIELDS: Final = Bound(
    code="graphql.too_many_root_fields",
    max=50,
    what="fields at the root",
    hint="Send several documents.",
)
SELECTIONS: Final = Bound(
    code="graphql.too_many_selections",
    max=200,
    what="selections in one pair of braces",
    hint="Name each field once.",
)
FRAGMENTS: Final = Bound(
    code="graphql.too_many_fragments",
    max=100,
    what="fragments",
    hint="Leave out those that nothing spreads, and send several documents.",
)
OPERATIONS: Final = Bound(
    code="graphql.too_many_operations",
    max=20,
    what="operations",
    hint="Send the one that should run.",
)
DIRECTIVES: Final = Bound(
    code="graphql.too_many_directives",
    max=100,
    what="directives",
    hint="Send another document instead of switching parts of one.",
)
DIRECTIVES_AT_ONCE: Final = Bound(
    code="graphql.too_many_directives",
    max=4,
    what="directives at one place",
    hint="@include and @skip are enough.",
)
VALUE_DEPTH: Final = Bound(
    code="graphql.too_deep",
    max=50,
    what="levels in its variables",
    hint="Send flat values.",
)
ITEMS: Final = Bound(
    code="graphql.list_too_long",
    max=50_000,
    what="items in the lists of its variables",
    hint="Send them in several requests, or as a file.",
)


def too_large(bound: Bound, asked: int) -> Malformed:
    """Say that a request passes a limit."""
    more = "more than " if asked > 2 * bound.max else ""
    number = min(asked, 2 * bound.max)
    return Malformed(
        bound.code,
        f"It has {more}{number:,} {bound.what}, {bound.max:,} at most.",
        hint=bound.hint,
    )


def refusal(bound: Bound, asked: int, node: Node | None = None) -> GraphQLError:
    """Say the same of a place in a document."""
    error = too_large(bound, asked)
    return GraphQLError(error.message, node, original_error=error)
