"""GraphQL at its one address: POST and GET, answered in JSON or as server-sent events; WebSockets.

The caller is verified before its document is read, so the schema too is for those who are known.
What most requests are, a document posted as JSON, is read and answered without a framework's
request and response, which would cost more than the rows.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from http import HTTPStatus
from typing import Any, Final

import msgspec
from graphql import GraphQLError
from litestar import Litestar, Request, Response, WebSocket, asgi
from litestar.enums import ScopeType
from litestar.exceptions import MethodNotAllowedException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.handlers import ASGIRouteHandler
from litestar.types import HTTPScope, Receive, Scope, Send
from msgspec import Struct
from strawberry.types.graphql import OperationType

from adapters.access.door import Admission, admit
from adapters.access.shown import read_shown
from adapters.graphql.answering import AT_ONCE, READING, READING_ON, Answer, prepare, run
from adapters.graphql.asked import Asked
from adapters.graphql.asking import Asking
from adapters.graphql.commands.uploads import check_preflight, is_upload, uploaded
from adapters.graphql.errors import tell
from adapters.graphql.requests import JSON, read_address, read_body, read_one
from adapters.graphql.subscriptions.sockets import converse
from adapters.graphql.subscriptions.streams import EVENT_STREAM, stream
from adapters.pages.graphiql import graphiql, wants_page
from adapters.runtime import Runtime
from application.errors import ApplicationError, TooMany

BODY_BYTES_MAX: Final = 1_000_000
METHODS: Final = "GET, HEAD, POST"

AnyRequest = Request[Any, Any, Any]  # Any: whatever the application keeps in it.
AnyResponse = Response[Any]

# As it came: 1.5 and "1.5" are two things.
_exact = msgspec.json.Encoder(decimal_format="number")


class Reply(Struct, frozen=True):
    """An answer in JSON, and what else is said with it."""

    body: bytes
    status: HTTPStatus = HTTPStatus.OK
    headers: tuple[tuple[bytes, bytes], ...] = ()


def graphql_handlers() -> list[ASGIRouteHandler]:
    """Make what an application mounts. It finds the runtime in ``app.state.runtime``."""
    return [_graphql]


@asgi("/graphql", copy_scope=False)
async def _graphql(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == ScopeType.WEBSOCKET:
        socket: WebSocket[Any, Any, Any] = WebSocket(scope, receive, send)
        await converse(socket, _runtime(scope))
        return
    try:
        answer = await _answer(scope, receive)
    except ApplicationError as error:
        answer = _failed(error)
    if isinstance(answer, Reply):
        await _send(answer, send)
    else:
        request: AnyRequest = Request(scope, receive, send)
        response = answer.to_asgi_response(app=None, request=request)
        await response(scope, receive, send)


async def _answer(scope: HTTPScope, receive: Receive) -> Reply | AnyResponse:
    if scope["method"] == "POST":
        content_type = _header(scope, b"content-type")
        if is_upload(content_type):
            return await _answer_upload(scope, content_type, receive)
        return await _answer_post(scope, content_type, receive)
    if scope["method"] == "GET":
        return await _answer_get(scope)
    raise MethodNotAllowedException(headers={"Allow": METHODS})


async def _answer_post(
    scope: HTTPScope, content_type: str, receive: Receive
) -> Reply | AnyResponse:
    admission = await _admitted(scope)
    asking = _asking(scope, admission)
    body = await _read(scope, receive)
    batch_max = asking.runtime.settings.graphql_batch_max
    asked = read_body(content_type, body, batch_max=batch_max)
    if isinstance(asked, list):
        return _reply([(await _in_batch(asking, each)) for each in asked])
    if EVENT_STREAM in _header(scope, b"accept"):
        return stream(admission, asking, asked, _header(scope, b"last-event-id"))
    return await _one(asking, asked, AT_ONCE, body)


async def _answer_get(scope: HTTPScope) -> Reply | AnyResponse:
    if wants_page(_header(scope, b"accept")):
        return graphiql()
    admission = await _admitted(scope)
    asking = _asking(scope, admission)
    request: AnyRequest = Request(scope)
    asked = read_address(dict(request.query_params.items()))
    if EVENT_STREAM in _header(scope, b"accept"):
        last_event_id = _header(scope, b"last-event-id")
        return stream(admission, asking, asked, last_event_id, READING_ON)
    return await _one(asking, asked, READING, _exact.encode(asked))


async def _answer_upload(scope: HTTPScope, content_type: str, receive: Receive) -> Reply:
    request: AnyRequest = Request(scope)
    check_preflight(request.headers)
    asking = _asking(scope, await _admitted(scope))
    bytes_max = asking.runtime.settings.upload_bytes_max
    async with uploaded(content_type, receive, bytes_max) as sent:
        asked = read_one(sent.operations)
        sent.fill(asked.variables or {})
        return await _one(asking, asked, AT_ONCE)


async def _admitted(scope: HTTPScope) -> Admission:
    shown = read_shown(scope["headers"], scope["method"], scope["client"])
    return await admit(_runtime(scope), shown)


def _asking(scope: HTTPScope, admission: Admission) -> Asking:
    return Asking(runtime=_runtime(scope), caller=admission.context)


def _runtime(scope: Scope) -> Runtime:
    app: Litestar = scope["litestar_app"]
    runtime: Runtime = app.state.runtime
    return runtime


def _header(scope: HTTPScope, name: bytes) -> str:
    return next((value.decode("latin-1") for each, value in scope["headers"] if each == name), "")


async def _read(scope: HTTPScope, receive: Receive) -> bytes:
    """Read the body of a request.

    Raises:
        RequestEntityTooLarge: It is longer than a document and its variables may be.

    """
    told = _header(scope, b"content-length")
    if told.isdecimal() and int(told) > BODY_BYTES_MAX:
        raise RequestEntityTooLarge
    parts: list[bytes] = []
    length, more = 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            break  # The client went away; what came is no request.
        parts.append(message["body"])
        length += len(message["body"])
        if length > BODY_BYTES_MAX:
            raise RequestEntityTooLarge
        more = message["more_body"]
    return b"".join(parts)


async def _send(reply: Reply, send: Send) -> None:
    headers = [
        (b"content-type", JSON.encode()),
        (b"content-length", b"%d" % len(reply.body)),
        (b"cache-control", b"no-store"),
        *reply.headers,
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body, "more_body": False})


async def _one(
    asking: Asking, asked: Asked, kinds: AbstractSet[OperationType], body: bytes = b""
) -> Reply:
    prepared = await prepare(asking, asked, kinds)
    waiting = {"Retry-After": str(prepared.wait_seconds)} if prepared.wait_seconds else {}
    return _reply(await run(asking, prepared, body), prepared.status, waiting)


async def _in_batch(asking: Asking, asked: Asked) -> Answer:
    """Answer one of several, whose refusals are its own."""
    try:
        prepared = await prepare(asking, asked, AT_ONCE)
        return await run(asking, prepared, _exact.encode(asked))
    except ApplicationError as error:
        return _refusal(error)


def _failed(error: ApplicationError) -> Reply:
    headers = {}
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if error.status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = "POST"
    if isinstance(error, TooMany) and error.wait_seconds:
        headers["Retry-After"] = str(error.wait_seconds)
    return _reply(_refusal(error), HTTPStatus(error.status), headers)


def _refusal(error: ApplicationError) -> Answer:
    told = GraphQLError(error.message, original_error=error)
    tell([told])
    return {"errors": [told.formatted]}


def _reply(
    answer: Answer | list[Answer],
    status: HTTPStatus = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    more = tuple((n.lower().encode(), v.encode()) for n, v in (headers or {}).items())
    return Reply(msgspec.json.encode(answer), status, more)
