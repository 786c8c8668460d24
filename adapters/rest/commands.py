"""Commands over REST: for each that has a route, a handler, typed by the command's own fields."""

import inspect
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import cache
from http import HTTPStatus
from types import NoneType
from typing import Annotated, Any, Final, TypeAlias, get_args, get_origin, get_type_hints

import msgspec
from litestar import Request, Response
from litestar.datastructures import State
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, HeaderParameter, JSONBody
from msgspec import UNSET, Struct, UnsetType, structs

from adapters.accounts.letters import check_letters
from adapters.postgres.models.conditions import Model
from adapters.postgres.models.queries import find_row
from adapters.rest.bodies import JSON_ONLY
from adapters.rest.problems import application_error, documented
from adapters.rest.signatures import with_signature
from adapters.rest.tags import Tag, condition_of, named_model, tag_of
from adapters.runtime import Runtime
from adapters.waiting import wait_until
from application.asks import KEY_LENGTH_MAX
from application.errors import ApplicationError, Changed
from application.kernel import Context, Exposed, Outcome, exposed_commands
from domain.kernel import Command, filled_fields, found_fields

CommandRequest: TypeAlias = Request[Context, str, State]
PLACE: Final = re.compile(r"\{(\w+)\}")
JOB: Final = "job"
NOTHING: Final[Mapping[str, str]] = {}
ERRORS: Final = documented(400, 401, 403, 409, 412, 429, 503)
SHOWN: Final = (str, int, bool, Decimal, NoneType)
"""What a default may be to be documented; any other is left to the command."""

MEANINGS: Final = {
    200: "Done. Without events it was so already, and nothing had to happen.",
    201: "It is made, under the ids of this answer.",
    202: "The job is queued.",
}
IdempotencyKey: TypeAlias = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        max_length=KEY_LENGTH_MAX,
        description="Sent again with the same request, it gets the first result again.",
    ),
]


IfMatch: TypeAlias = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        description="The ETag of the row, as it was seen: where it changed since, nothing happens.",
    ),
]


class Wanted(Struct, frozen=True):
    """On which row a command is sent, in what state of it, and under which idempotency key."""

    model: Model | None
    places: Mapping[str, str]
    if_match: str | None
    key: str | None


class Happened(Struct, frozen=True, kw_only=True):
    """An event that the command made, and where it stands in the tenant's log."""

    type: str
    position: int


def command_handlers() -> list[HTTPRouteHandler]:
    """Make the handlers of every command that has a route."""
    public = {exposed.route: exposed for exposed in exposed_commands().values() if exposed.route}
    return [_handler(public[route]) for route in sorted(public)]


async def execute(
    request: CommandRequest, command: Command, wanted: Wanted, exposed: Exposed | None = None
) -> Response[Any]:  # Any: of its own result type, or a problem.
    """Run a command, and tell what happened or that its row is another by now (412)."""
    runtime: Runtime = request.app.state.runtime
    condition = condition_of(wanted.if_match, wanted.model, wanted.places, request.user)
    await check_letters(runtime, command, request.user)
    try:
        outcome = await runtime.bus.execute(
            command, request.user, key=wanted.key, condition=condition
        )
    except Changed as error:
        tag = await _tag_since(runtime, wanted, request.user, error.position)
        return application_error(request, error, {"ETag": tag} if tag else None)
    shown = await _shown(exposed, runtime, request.user, command, outcome) if exposed else NOTHING
    return respond(command, outcome, shown)


async def _tag_since(
    runtime: Runtime, wanted: Wanted, context: Context, position: int
) -> Tag | None:
    """Return the tag of the row as it is since *position*; None where it can't be told in time."""
    model = wanted.model
    assert model is not None, "A condition speaks of a row."
    try:
        await wait_until(runtime, model, context, position)
        found = await find_row(runtime.read_pool, model, context, wanted.places[model.key])
    except ApplicationError:
        return None
    return None if found is None else tag_of(msgspec.json.encode(found.row), found.position)


def respond(
    command: Command, outcome: Outcome, shown: Mapping[str, str] = NOTHING
) -> Response[Any]:  # Any: of its own result type.
    """Tell the caller what happened: 202 with a job, 201 with new ids, else 200."""
    job = outcome.ids.get(JOB) or _named_job(command)
    status = HTTPStatus.OK
    if job:
        status = HTTPStatus.ACCEPTED
    elif outcome.ids:
        status = HTTPStatus.CREATED
    result = {
        "position": outcome.position,
        "events": [Happened(type=name, position=at) for name, at in outcome.events],
        **outcome.ids,
        **({JOB: job} if job else {}),
        **shown,
    }
    return Response(result, status_code=status)


def _named_job(command: Command) -> str | None:
    """Return the job that the caller named, which is there; one that we would make is not."""
    return None if JOB in filled_fields(type(command)) else getattr(command, JOB, None)


def _handler(exposed: Exposed) -> HTTPRouteHandler:
    command = exposed.command
    method, _, path = (exposed.route or "").partition(" ")
    statuses = _statuses(command)
    spec = {
        status: ResponseSpec(
            result_of(command), description=MEANINGS[status], generate_examples=False
        )
        for status in statuses
    }
    return HTTPRouteHandler(
        PLACE.sub(r"{\1:str}", path),
        http_method=HttpMethod(method),
        status_code=statuses[-1],
        before_request=JSON_ONLY,
        operation_id=command.__name__,
        summary=_spaced(command.__name__),
        description=inspect.getdoc(command),
        response_description=MEANINGS[statuses[-1]],
        tags=[exposed.permission.partition(".")[0]],
        responses={**spec, **ERRORS},
    )(_function(exposed, PLACE.findall(path)))


def _function(exposed: Exposed, in_path: list[str]) -> Any:  # noqa: ANN401 - its signature is made here.
    model = named_model(exposed, in_path)

    async def run(
        request: CommandRequest,
        idempotency_key: str | None,
        data: Struct | None = None,
        if_match: str | None = None,
        **places: str,
    ) -> Response[Any]:
        given = _given(data) | places
        runtime: Runtime = request.app.state.runtime
        # Ignored, it would let a change through that was to happen in one state alone.
        asked = request.headers.get("if-match") if model is None else if_match
        built = await exposed.build(given, request.user, runtime.blobs, runtime.clock)
        wanted = Wanted(model, places, asked, idempotency_key)
        return await execute(request, built, wanted, exposed)

    command, body = exposed.command, body_of(exposed.shape, in_path)
    hints: dict[str, Any] = {  # Any: annotations.
        "request": CommandRequest,
        "idempotency_key": IdempotencyKey,
        **({} if model is None else {"if_match": IfMatch}),
        **_data(body),
        **dict.fromkeys(in_path, FromPath[str]),
    }
    return with_signature(run, command.__name__, hints, result_of(command))


async def _shown(
    exposed: Exposed, runtime: Runtime, context: Context, command: Command, outcome: Outcome
) -> dict[str, str]:
    """Fetch the secret that only this answer shows."""
    if exposed.secret is None:
        return {}
    secret = await exposed.secret(runtime.vault, context.tenant, command, outcome)
    return {} if secret is None else {"secret": secret}


def _data(body: type[Struct] | None) -> dict[str, Any]:  # Any: an annotation.
    """Ask for the body, unless every field of it may be left out."""
    if body is None:
        return {}
    needed = any(each.required for each in structs.fields(body))
    return {"data": JSONBody[body] if needed else JSONBody[body | None]}  # type: ignore[misc,valid-type] # Made of the command.


def _given(data: Struct | None) -> dict[str, object]:
    if data is None:
        return {}
    given = {name: getattr(data, name) for name in data.__struct_fields__}
    return {name: value for name, value in given.items() if value is not UNSET}


def body_of(shape: type[Struct], in_path: Iterable[str]) -> type[Struct] | None:
    """Make the shape of a body: what is sent but for what stands in the path."""
    hints = get_type_hints(shape, include_extras=True)
    filled = filled_fields(shape) if issubclass(shape, Command) else ()
    found = found_fields(shape) if issubclass(shape, Command) else ()
    fields: list[Any] = []  # Any: as msgspec.defstruct takes them.
    for each in structs.fields(shape):
        hint = _listed(hints[each.name])
        if each.name in in_path or each.name in found:
            continue
        if each.required and each.name not in filled:
            fields.append((each.name, hint))
        elif isinstance(each.default, SHOWN):
            fields.append((each.name, hint, each.default))
        else:
            fields.append((each.name, hint | UnsetType, UNSET))
    if not fields:
        return None
    return msgspec.defstruct(
        f"{shape.__name__.removesuffix('Input')}Input",
        fields,
        module=__name__,
        kw_only=True,
        frozen=True,
        forbid_unknown_fields=True,
    )


def _listed(hint: Any) -> Any:  # noqa: ANN401 - an annotation may be anything.
    """Write ``tuple[X, ...]`` as ``list[X]``: the dots are lost on the OpenAPI generator."""
    if get_origin(hint) is Annotated:
        plain, *marks = get_args(hint)
        return Annotated[_listed(plain), *marks]
    if get_origin(hint) is tuple and get_args(hint)[1:] == (...,):
        return list[get_args(hint)[0]]  # type: ignore[misc] # Made of the argument at run time.
    return hint


@cache
def result_of(command: type[Command]) -> type[Struct]:
    """Make the shape of a command's answer: the position, the events, and the ids it made."""
    secret = ["secret"] if exposed_commands()[command].secret else []
    ids = [(name, str | UnsetType, UNSET) for name in [*_made(command), *secret]]
    return msgspec.defstruct(
        f"{command.__name__}Result",
        [("position", int), ("events", list[Happened]), *ids],
        module=__name__,
        kw_only=True,
        frozen=True,
    )


def _made(command: type[Command]) -> list[str]:
    """Name the ids in a command's answer."""
    filled = {name for name in filled_fields(command) if _is_text(get_type_hints(command)[name])}
    return [name for name in command.__struct_fields__ if name in filled or name == JOB]


def _is_text(hint: Any) -> bool:  # noqa: ANN401 - an annotation may be anything.
    return getattr(hint, "__supertype__", hint) is str


def _statuses(command: type[Command]) -> tuple[int, ...]:
    """Name the statuses of success, the usual one last."""
    made = _made(command)
    if JOB in made:
        return (200, 202) if JOB in filled_fields(command) else (202,)
    return (200, 201) if made else (200,)


def _spaced(name: str) -> str:
    """Write a class name as words: ``IssueInvoice`` is ``Issue invoice``."""
    return re.sub(r"(?<=[a-z])[A-Z]", lambda found: f" {found[0].lower()}", name)
