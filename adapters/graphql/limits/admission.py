"""Who may ask this, and can pay for it: what is looked at before a document is run.

Each surface of GraphQL asks here first, with the document as it is known and the variables of the
request; nothing was read yet, and a refusal costs nobody anything.
"""

from collections.abc import Sequence
from typing import Any

from graphql import GraphQLError
from msgspec import Struct

from adapters.graphql.errors import tell
from adapters.graphql.limits.amounts import Variables
from adapters.graphql.limits.bounds import ITEMS, VALUE_DEPTH, too_large
from adapters.graphql.limits.documents import Document, Operation
from adapters.graphql.limits.persisted import listed
from adapters.redis.budget import FULL_SECONDS, Left, budget_of
from adapters.runtime import Runtime
from adapters.settings import Settings
from application.access import READ_SCHEMA, SEND_DOCUMENTS
from application.errors import ApplicationError, Forbidden, Malformed, TooMany
from application.kernel import Context


class Charge(Struct, frozen=True, omit_defaults=True):
    """What a request costs, as ``extensions.cost`` says it.

    Attributes:
        remaining: What the key may still spend now; None where that is not bounded or not known.

    """

    requested: int
    limit: int
    remaining: int | None = None


class Admitted(Struct, frozen=True):
    """The charge of a request; or why it is not run.

    Attributes:
        wait_seconds: After which it would be; 0 where waiting does not help.

    """

    charge: Charge | None = None
    errors: Sequence[GraphQLError] = ()
    wait_seconds: int = 0


async def admit(
    runtime: Runtime,
    caller: Context,
    document: Document,
    operation: Operation,
    variables: Variables | None,
) -> Admitted:
    """Let a request through, and take its cost off what its key may spend."""
    settings = runtime.settings
    cost = operation.cost.of(variables)
    charge = Charge(cost, settings.graphql_cost_max)
    refused = _refused(settings, caller, document, operation, variables) or _costly(charge)
    if refused:
        return _declined(refused, charge)
    rate = settings.graphql_budget_per_second
    if not rate:
        return Admitted(charge)
    full = max(rate * FULL_SECONDS, settings.graphql_cost_max)
    left = await budget_of(runtime.redis, "graphql").spend(caller, cost, rate=rate, full=full)
    if left is None:
        return Admitted(charge)
    charge = Charge(cost, settings.graphql_cost_max, left.remaining)
    if not left.wait_seconds:
        return Admitted(charge)
    return _declined(_spent(cost, left), charge, left.wait_seconds)


def _refused(
    settings: Settings,
    caller: Context,
    document: Document,
    operation: Operation,
    variables: Variables | None,
) -> ApplicationError | None:
    place = settings.graphql_documents
    if place and not caller.may(SEND_DOCUMENTS) and document.digest not in listed(place):
        return Forbidden(
            "graphql.not_listed",
            "This instance runs only the documents that its operator lists.",
            hint=f"Have it listed, or ask for the permission {SEND_DOCUMENTS}.",
        )
    if operation.cost.introspects and not (
        settings.graphql_introspection or caller.may(READ_SCHEMA)
    ):
        return Forbidden(
            "graphql.introspection_off",
            "This instance does not tell its schema to every key.",
            hint=f"Ask for the permission {READ_SCHEMA}, or read docs/schema.graphql.",
        )
    return _oversized(variables) if variables else None


def _oversized(variables: Variables) -> ApplicationError | None:
    """Look at all that stands in lists and objects, level by level."""
    depth, items = 0, 0
    level: list[Any] = [variables]  # Any: JSON.
    while level:
        depth += 1
        items += sum(len(each) for each in level if isinstance(each, list))
        members = (each if isinstance(each, list) else each.values() for each in level)
        level = [each for some in members for each in some if isinstance(each, list | dict)]
        if depth > VALUE_DEPTH.max:
            return too_large(VALUE_DEPTH, depth)
    return too_large(ITEMS, items) if items > ITEMS.max else None


def _costly(charge: Charge) -> ApplicationError | None:
    if charge.requested <= charge.limit:
        return None
    return Malformed(
        "graphql.too_costly",
        f"This costs {charge.requested:,}, and a request may cost {charge.limit:,}.",
        hint="Ask for fewer rows (`first`), fewer fields, or fewer lists inside of lists.",
    )


def _spent(cost: int, left: Left) -> ApplicationError:
    return TooMany(
        "graphql.budget_spent",
        f"This costs {cost:,}, and this key has {left.remaining:,} left.",
        hint=f"Ask again in {left.wait_seconds} s, or for less.",
    )


def _declined(error: ApplicationError, charge: Charge, wait_seconds: int = 0) -> Admitted:
    told = GraphQLError(error.message, original_error=error)
    tell([told])
    return Admitted(charge, [told], wait_seconds)
