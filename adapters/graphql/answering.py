"""One request of GraphQL: its document found, let through or not, run, and told what it cost.

What a request is refused for before it runs is an error of the answer, as the specification wants
it; only who is unknown, too eager or not understood at all is refused in another way.
"""

import asyncio
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from http import HTTPStatus
from typing import Final

import msgspec
from graphql import GraphQLError
from msgspec import Struct, structs
from strawberry.types.graphql import OperationType

from adapters.graphql.asked import Asked
from adapters.graphql.asking import Asking
from adapters.graphql.compiled.answers import answer_compiled
from adapters.graphql.errors import tell, too_slow
from adapters.graphql.guarded import masked
from adapters.graphql.limits.admission import Charge, admit
from adapters.graphql.limits.documents import Operation
from adapters.graphql.limits.persisted import listed, read_persisted, taught_of
from adapters.graphql.schema import documents, schema
from adapters.postgres.connections import bound_statements
from application.errors import Malformed

AT_ONCE: Final = frozenset({OperationType.QUERY, OperationType.MUTATION})
READING: Final = frozenset({OperationType.QUERY})
READING_ON: Final = frozenset({OperationType.QUERY, OperationType.SUBSCRIPTION})
ANY: Final = frozenset(OperationType)
UNKNOWN_DOCUMENT: Final = "PERSISTED_QUERY_NOT_FOUND"
"""The code and the message by which clients of Apollo's protocol know that they must send it."""

Answer = dict[str, object]
Masked = Sequence[Mapping[str, str]]


class NotByGet(Malformed):
    """What changes something is posted (GraphQL over HTTP, section 6.1)."""

    status = 405


class Prepared(Struct, frozen=True, kw_only=True):
    """A request that may run; or the errors for which it does not.

    Attributes:
        masked: The fields that are empty in the answer, as the caller may not see them.
        wait_seconds: After which it might; 0 where waiting does not help.

    """

    asked: Asked
    operation: Operation | None = None
    masked: Masked = ()
    charge: Charge | None = None
    errors: tuple[GraphQLError, ...] = ()
    wait_seconds: int = 0

    @property
    def status(self) -> HTTPStatus:
        return HTTPStatus.TOO_MANY_REQUESTS if self.wait_seconds else HTTPStatus.OK

    @property
    def refusal(self) -> Answer:
        return told(None, self.errors, self.charge)


async def prepare(asking: Asking, asked: Asked, kinds: AbstractSet[OperationType]) -> Prepared:
    """Find out whether a request may run, and charge its key for it.

    Raises:
        Malformed: Its document or its operation is missing, or of another kind than may run here.

    """
    runtime = asking.runtime
    digest = read_persisted(asked.extensions, asked.query)
    text = asked.query or (await _find(asking, digest) if digest else None)
    if digest and text is None:
        return Prepared(asked=asked, errors=(_unknown_document(),))
    document = documents().get(text or "")
    if document.errors and text:
        tell(document.errors)
        return Prepared(asked=asked, errors=document.errors)
    operation = document.operation(asked.operation_name)
    if operation is None or operation.kind not in kinds:
        raise _wrong_operation(operation, kinds)
    admitted = await admit(runtime, asking.context, document, operation, asked.variables)
    if digest and asked.query and not admitted.errors:
        await taught_of(runtime.redis).teach(asking.context.tenant, digest, asked.query)
    return Prepared(
        asked=asked if asked.query else structs.replace(asked, query=text),
        operation=operation,
        masked=masked(document.guards, asking.context) if document.guards else (),
        charge=admitted.charge,
        errors=tuple(admitted.errors),
        wait_seconds=admitted.wait_seconds,
    )


async def run(asking: Asking, prepared: Prepared, request: bytes = b"") -> Answer:
    """Run what was let through; *request* is what came to the byte, where it came by itself."""
    asked, operation = prepared.asked, prepared.operation
    if prepared.errors or operation is None:
        return prepared.refusal
    settings, reads = asking.runtime.settings, operation.kind is OperationType.QUERY
    longest = settings.graphql_seconds_max + settings.at_least_seconds_max
    # A command has bounds of its own, and is not broken off.
    bound_statements(settings.graphql_seconds_max if reads else None)
    try:
        compiled = await answer_compiled(asking, asked, request) if request else None
        if compiled is not None:
            return told(msgspec.Raw(compiled), (), prepared.charge, prepared.masked)
        async with asyncio.timeout(longest if reads else None):
            data, errors = await _execute(asking, asked)
    except Exception as error:  # noqa: BLE001 - a bug is logged, and told as one.
        cause = too_slow() if isinstance(error, TimeoutError) else error
        failed = GraphQLError(str(cause), original_error=cause)
        tell([failed])
        return told(None, [failed], prepared.charge)
    return told(data, errors, prepared.charge, prepared.masked)


async def _execute(asking: Asking, asked: Asked) -> tuple[object, Sequence[GraphQLError]]:
    result = await schema().execute(
        asked.query,
        variable_values=asked.variables,
        context_value=asking,
        operation_name=asked.operation_name,
        allowed_operation_types=AT_ONCE,
    )
    return result.data, result.errors or ()


def told(
    data: object, errors: Sequence[GraphQLError], charge: Charge | None, masked: Masked = ()
) -> Answer:
    """Write an answer. Its errors have their codes already."""
    answer: Answer = {"data": data}
    if errors:
        answer["errors"] = [error.formatted for error in errors]
    extensions = {"cost": charge, "masked": masked}
    if said := {name: value for name, value in extensions.items() if value}:
        answer["extensions"] = said
    return answer


async def _find(asking: Asking, digest: str) -> str | None:
    """Find the text of a document: listed by the operator, or taught by a client of the tenant."""
    runtime = asking.runtime
    place = runtime.settings.graphql_documents
    text = listed(place).get(digest) if place else None
    return text or await taught_of(runtime.redis).find(asking.context.tenant, digest)


def _unknown_document() -> GraphQLError:
    hint = "Send the hash again with the query beside it; from then on the hash will do."
    return GraphQLError(
        "PersistedQueryNotFound", extensions={"code": UNKNOWN_DOCUMENT, "hint": hint}
    )


def _wrong_operation(operation: Operation | None, kinds: AbstractSet[OperationType]) -> Malformed:
    if operation and kinds == READING:
        return NotByGet(
            "graphql.not_by_get",
            f"This is a {operation.kind.value}, and only a query is asked for by GET.",
            hint="POST it.",
        )
    return Malformed(
        "graphql.bad_operation",
        "There is no one query or mutation to run.",
        hint="Name the operation of a document of several; subscribe over a WebSocket,"
        " or with Accept: text/event-stream.",
    )
