"""Read models over REST: for each that is public, a list in pages and one row by its key."""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from litestar import Request, Response
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter
from msgspec import Struct

from adapters.postgres.models.conditions import SEARCHED, WORDS, filterable
from adapters.postgres.models.moments import read_as_of, row_as_of, wait_for_rows
from adapters.postgres.models.queries import FIRST_DEFAULT, FIRST_MAX, get_row, list_rows
from adapters.postgres.models.shown import shown_type
from adapters.postgres.models.tables import plain_type
from adapters.rest.problems import documented
from adapters.rest.signatures import with_signature
from adapters.runtime import Runtime
from application.errors import Malformed, NotFound
from application.kernel import Context
from projections.kernel import ReadModel, columns_with_hints, read_models

ReadRequest: TypeAlias = Request[Context, str, State]
Model: TypeAlias = type[ReadModel[Any]]  # Any: of any row.
JSON: Final = "application/json"
ORDERED: Final = (int, Decimal, date, datetime)
COMPARISONS: Final = ("lt", "lte", "gt", "gte")
TAG_LENGTH: Final = 32

First: TypeAlias = Annotated[
    int | None,
    QueryParameter(
        name="first",
        ge=1,
        le=FIRST_MAX,
        description=f"Rows of a page; {FIRST_DEFAULT} unless told.",
    ),
]
After: TypeAlias = Annotated[
    str | None, QueryParameter(name="after", description="The next of the page before.")
]
OrderBy: TypeAlias = Annotated[
    str | None,
    QueryParameter(name="order_by", description="A column, with a dash before it for descending."),
]
AtLeast: TypeAlias = Annotated[
    int | None,
    QueryParameter(
        name="at_least", ge=0, description="Wait until the rows hold what stands at this position."
    ),
]
AsOf: TypeAlias = Annotated[
    str | None,
    QueryParameter(
        name="as_of",
        description="The row as it was, after this position or at this moment (ISO 8601).",
    ),
]
PAGING: Final = {"first": First, "after": After, "order_by": OrderBy, "at_least": AtLeast}


def read_handlers() -> list[HTTPRouteHandler]:
    """Make the handlers of every public read model."""
    public = [model for model in read_models().values() if model.public]
    return [handler for model in public for handler in (_list(model), _one(model))]


def _list(model: Model) -> HTTPRouteHandler:
    filters = dict(_filters(model))
    known = {*PAGING, *(place.query for place in filters.values())}

    async def run(
        request: ReadRequest,
        first: int | None,
        after: str | None,
        order_by: str | None,
        at_least: int | None,
        **given: object,
    ) -> Response[Any]:
        _refuse_unknown(request, known)
        runtime: Runtime = request.app.state.runtime
        await wait_until(runtime, model, request.user, at_least)
        asked: dict[str, dict[str, object]] = {}
        for name, value in given.items():
            if value is not None:
                asked.setdefault(filters[name].column, {})[filters[name].comparison] = value
        page = await list_rows(
            runtime.read_pool,
            model,
            request.user,
            first=first or FIRST_DEFAULT,
            after=after,
            filter=asked,
            order_by=order_by,
        )
        following = page.cursors[-1] if page.has_next else None
        return _answer(request, {"items": page.rows, "next": following})

    hints = {"request": ReadRequest, **PAGING, **{name: f.hint for name, f in filters.items()}}
    return _get(model, "", "List", with_signature(run, f"list_{model.name}", hints, _page(model)))


def _page(model: Model) -> type[Struct]:
    return msgspec.defstruct(
        f"{model.row.__name__}Page",
        [("items", list[shown_type(model.row)]), ("next", str | None)],  # type: ignore[misc] # Made of the row at run time.
        module=__name__,
    )


def _one(model: Model) -> HTTPRouteHandler:
    async def run(
        request: ReadRequest, at_least: int | None, as_of: str | None, **place: str
    ) -> Response[Any]:
        _refuse_unknown(request, {"at_least", "as_of"})
        runtime: Runtime = request.app.state.runtime
        key = place[model.key]
        if as_of is None:
            await wait_until(runtime, model, request.user, at_least)
            row = await get_row(runtime.read_pool, model, request.user, key)
        else:
            row = await row_as_of(runtime, model, request.user, key, read_as_of(as_of))
        if row is None:
            raise NotFound(
                "query.absent",
                f"There is no {model.key} {key} in {_address(model)}.",
                hint="It may be on its way: ask with at_least, or list what there is.",
            )
        return _answer(request, row)

    hints = {"request": ReadRequest, "at_least": AtLeast, "as_of": AsOf, model.key: FromPath[str]}
    function = with_signature(run, f"get_{model.name}", hints, shown_type(model.row))
    return _get(model, f"/{{{model.key}:str}}", "Get one of", function)


def _get(model: Model, rest: str, verb: str, function: Any) -> HTTPRouteHandler:  # noqa: ANN401 - its signature was made.
    name = function.__name__
    return HTTPRouteHandler(
        _address(model) + rest,
        http_method="GET",
        operation_id="".join(word.capitalize() for word in name.split("_")),
        summary=f"{verb} {model.name.replace('_', ' ')}",
        description=model.row.__doc__,
        tags=[model.permission.partition(".")[0]],
        responses=documented(400, 401, 403, *([404] if rest else []), 503),
    )(function)


def _address(model: Model) -> str:
    return f"/{model.name.replace('_', '-')}"


def _answer(request: ReadRequest, content: object) -> Response[Any]:
    """Send it with a tag of its content, or say that the caller has it (RFC 9110, 13.1.2)."""
    body = msgspec.json.encode(content)
    tag = f'"{sha256(body).hexdigest()[:TAG_LENGTH]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if tag in (each.strip() for each in request.headers.get("if-none-match", "").split(",")):
        return Response(None, status_code=304, headers=headers)
    return Response(body, media_type=JSON, headers=headers)


async def wait_until(
    runtime: Runtime, model: Model, context: Context, position: int | None
) -> None:
    seconds_max = runtime.settings.at_least_seconds_max
    await wait_for_rows(runtime.read_pool, model, context, position, seconds_max)


class _Place(Struct, frozen=True, kw_only=True):
    """A filter's place in the query, and what it may hold."""

    column: str
    comparison: str
    query: str
    hint: Any  # An annotation.


def _filters(model: Model) -> Iterator[tuple[str, _Place]]:
    """Name the filters of *model* and the arguments that they arrive in."""
    hints = columns_with_hints(model.row)
    if model.search:
        yield _filter(SEARCHED, WORDS, f"filter[{SEARCHED}]", str)
    for column in filterable(model):
        kind = plain_type(hints[column])
        yield _filter(column, "eq", f"filter[{column}]", kind)
        if kind in ORDERED:
            for comparison in COMPARISONS:
                yield _filter(column, comparison, f"filter[{column}][{comparison}]", kind)


def _filter(column: str, comparison: str, query: str, kind: Any) -> tuple[str, _Place]:  # noqa: ANN401 - an annotation may be anything.
    hint = Annotated[kind | None, QueryParameter(name=query)]
    place = _Place(column=column, comparison=comparison, query=query, hint=hint)
    return f"filter_{column}_{comparison}", place


def _refuse_unknown(request: ReadRequest, known: set[str]) -> None:
    """A filter that is misspelt and ignored would show rows that were not asked for."""
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        raise Malformed(
            "query.unknown_parameter",
            f"This list knows no {unknown[0]!r}.",
            hint=f"Use {', '.join(sorted(known))}.",
        )
