"""GraphQL over HTTP: a thin handler of our own, answering in JSON or as server-sent events.

The caller is verified before its document is read, so the schema too is for those who are known.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Final

import msgspec
from graphql import GraphQLError
from litestar import Request, Response, post, websocket
from litestar.handlers import HTTPRouteHandler, WebsocketRouteHandler
from litestar.response import Stream
from msgspec import Struct
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.graphql import OperationType

from adapters.access import authenticate
from adapters.graphql.asking import Asking
from adapters.graphql.errors import tell
from adapters.graphql.schema import schema
from adapters.graphql.sockets import AnySocket, converse
from application.errors import ApplicationError, Malformed

BODY_BYTES_MAX: Final = 1_000_000
HEARTBEAT_SECONDS: Final = 12.0
JSON: Final = "application/json"
EVENT_STREAM: Final = "text/event-stream"
AT_ONCE: Final = frozenset({OperationType.QUERY, OperationType.MUTATION})

AnyRequest = Request[Any, Any, Any]  # Any: whatever the application keeps in it.
Answer = dict[str, object]


class Asked(Struct, frozen=True, rename="camel"):
    """What a client sends."""

    query: str
    operation_name: str | None = None
    variables: dict[str, Any] | None = None  # Any: JSON.
    extensions: dict[str, Any] | None = None


# A JSON number keeps its digits; as a float it would lose them before a Decimal sees it.
_asked = msgspec.json.Decoder(Asked, float_hook=Decimal)


def graphql_handlers() -> list[HTTPRouteHandler | WebsocketRouteHandler]:
    """Make what an application mounts. It finds the runtime in ``app.state.runtime``."""
    return [_answer, _converse]


@post("/graphql", request_max_body_size=BODY_BYTES_MAX, include_in_schema=False)
async def _answer(request: AnyRequest) -> Response[Any]:
    try:
        caller = await authenticate(request.app.state.runtime, request.headers.get("authorization"))
        asking = Asking(runtime=request.app.state.runtime, caller=caller)
        asked = _read(request.headers.get("content-type", ""), await request.body())
        if EVENT_STREAM in request.headers.get("accept", ""):
            return Stream(
                _events(asking, asked), media_type=EVENT_STREAM, status_code=HTTPStatus.OK
            )
        return _response(await _execute(asking, asked))
    except ApplicationError as error:
        told = GraphQLError(error.message, original_error=error)
        tell([told])
        challenge = (
            {"WWW-Authenticate": "Bearer"} if error.status == HTTPStatus.UNAUTHORIZED else {}
        )
        return _response({"errors": [told.formatted]}, HTTPStatus(error.status), challenge)


@websocket("/graphql")
async def _converse(socket: AnySocket) -> None:
    await converse(socket, socket.app.state.runtime)


def _read(content_type: str, body: bytes) -> Asked:
    """Read a request.

    Raises:
        Malformed: It is no JSON object with a query.

    """
    try:
        if content_type.partition(";")[0].strip().lower() == JSON:
            return _asked.decode(body)
        reason = f"The content type is {content_type or 'missing'}"
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        reason = str(error)
    raise Malformed(
        "graphql.bad_request",
        f"This is no GraphQL request: {reason}.",
        hint='POST application/json, such as {"query": "{ invoices { nodes { id } } }"}.',
    )


async def _execute(asking: Asking, asked: Asked) -> Answer:
    try:
        result = await schema().execute(
            asked.query,
            variable_values=asked.variables,
            context_value=asking,
            operation_name=asked.operation_name,
            allowed_operation_types=AT_ONCE,
        )
    except (CannotGetOperationTypeError, InvalidOperationTypeError, MissingQueryError) as error:
        raise Malformed(
            "graphql.bad_operation",
            "There is no one query or mutation to run.",
            hint="Name the operation of a document of several; subscribe over a WebSocket,"
            f" or with Accept: {EVENT_STREAM}.",
        ) from error
    return _told(result)


def _told(result: Any) -> Answer:  # noqa: ANN401 - the library's results have no common type.
    answer: Answer = {"data": result.data}
    return answer | ({"errors": [e.formatted for e in result.errors]} if result.errors else {})


def _response(
    answer: Answer, status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Response[bytes]:
    body = msgspec.json.encode(answer)
    return Response(body, status_code=status, media_type=JSON, headers=dict(headers or {}))


async def _events(asking: Asking, asked: Asked) -> AsyncGenerator[bytes, None]:
    """Answer in the distinct connections mode of the protocol graphql-sse."""
    results = await schema().stream(
        asked.query,
        variable_values=asked.variables,
        context_value=asking,
        operation_name=asked.operation_name,
    )
    async with aclosing(results):
        coming = asyncio.ensure_future(anext(results))
        try:
            while True:
                done, _ = await asyncio.wait({coming}, timeout=HEARTBEAT_SECONDS)
                if not done:
                    yield b":\n\n"
                    continue
                yield b"event: next\ndata: " + msgspec.json.encode(_told(coming.result())) + b"\n\n"
                coming = asyncio.ensure_future(anext(results))
        except StopAsyncIteration:
            yield b"event: complete\ndata:\n\n"
        finally:
            coming.cancel()
