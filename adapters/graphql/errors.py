"""What callers are told when something is not done: a code, and a hint what to do next."""

import re
from collections.abc import Iterable
from functools import cache
from typing import Final

import structlog
from graphql import GraphQLError
from strawberry.utils.str_converters import to_camel_case

from adapters.postgres.connections import Interrupted
from application.errors import ApplicationError, Unavailable
from application.kernel import exposed_commands
from domain.kernel import Refused, secret_fields

INVALID: Final = "graphql.invalid"
INTERNAL: Final = "internal"
INVALID_HINT: Final = "Compare the document and its variables with the schema."
INTERNAL_HINT: Final = "Ask again; if it stays, report when it happened."
QUOTED: Final = re.compile(r"(?:, found| value): (?!Expected|String ).*", re.DOTALL)
"""How GraphQL's own messages quote what they were given."""

log = structlog.get_logger()


def tell(errors: Iterable[GraphQLError]) -> None:
    """Give each error its code and hint. A bug is logged, and says nothing of itself outside."""
    for error in errors:
        cause = _cause(error)
        if isinstance(cause, Interrupted):
            cause = too_slow()
        if isinstance(cause, Refused | ApplicationError):
            error.message = cause.message
            error.extensions = {"code": cause.code, "hint": cause.hint}
        elif error.extensions:
            continue  # It says what it is by itself.
        elif cause is None:
            error.message = _unquoted(error.message)
            error.extensions = {"code": INVALID, "hint": INVALID_HINT}
        else:
            log.error("graphql.failed", path=error.path, exc_info=cause)
            error.message = "Something went wrong here, and it is no fault of the request."
            error.extensions = {"code": INTERNAL, "hint": INTERNAL_HINT}


def too_slow() -> ApplicationError:
    """Say that a query took longer than a query may."""
    return Unavailable(
        "graphql.timeout",
        "The query took longer than a query may, and was broken off.",
        hint="Ask for less: fewer rows, a narrower filter, no totalCount.",
    )


def _unquoted(message: str) -> str:
    """Say what is wrong with an input, and quote nothing of one that brings a secret."""
    return QUOTED.sub(".", message) if any(name in message for name in _secret_names()) else message


@cache
def _secret_names() -> frozenset[str]:
    return frozenset(
        to_camel_case(name) for command in exposed_commands() for name in secret_fields(command)
    )


def _cause(error: GraphQLError) -> Exception | None:
    """Find what was raised; None where GraphQL itself found the fault."""
    cause: Exception | None = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    return cause
