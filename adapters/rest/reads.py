"""Read models over REST: for each that is public, a list in pages and one row by its key."""

from typing import Annotated, Any, Final, TypeAlias

import msgspec
from litestar import Response
from litestar.datastructures import ResponseHeader
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, QueryParameter
from msgspec import Struct

from adapters.postgres.models.conditions import Model
from adapters.postgres.models.moments import read_as_of, row_as_of
from adapters.postgres.models.paging import FIRST_DEFAULT, FIRST_MAX
from adapters.postgres.models.queries import Page, find_row, list_rows
from adapters.postgres.models.shown import shown_type
from adapters.postgres.models.sight import hidden
from adapters.rest.filters import asked_of, filters_of, refuse_unknown
from adapters.rest.problems import documented
from adapters.rest.signatures import with_signature
from adapters.rest.streams import Turn, form_of, stream
from adapters.rest.tags import JSON, ReadRequest, tagged
from adapters.runtime import Runtime
from adapters.waiting import wait_until
from application.errors import NotFound
from projections.kernel import guarded_fields, read_models

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
Last: TypeAlias = Annotated[
    int | None,
    QueryParameter(
        name="last", ge=1, le=FIRST_MAX, description="Rows of a page that is read from the end."
    ),
]
Before: TypeAlias = Annotated[
    str | None, QueryParameter(name="before", description="The previous of the page behind.")
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
UNCHANGED: Final = ResponseSpec(None, description="The caller has it: If-None-Match holds its tag.")
TAG: Final = ResponseHeader(
    name="ETag",
    description="What was seen, for If-None-Match and, of a row, for If-Match.",
    documentation_only=True,
)
MASKED: Final = "Asiento-Masked"
OF_MASKED: Final = ResponseHeader(
    name=MASKED,
    description="The fields that are empty here because the caller lacks the permission behind"
    " each, as in `customer.tax_id; needs=invoicing.customer.see_tax_id`.",
    documentation_only=True,
)
PAGING: Final = {
    "first": First,
    "after": After,
    "last": Last,
    "before": Before,
    "order_by": OrderBy,
    "at_least": AtLeast,
}


def read_handlers() -> list[HTTPRouteHandler]:
    """Make the handlers of every public read model."""
    public = [model for model in read_models().values() if model.public]
    return [handler for model in public for handler in (_list(model), _one(model))]


def _list(model: Model) -> HTTPRouteHandler:
    filters = filters_of(model)
    known = {*PAGING, *(place.query for place in filters.values())}

    async def run(
        request: ReadRequest,
        *,
        first: int | None,
        after: str | None,
        last: int | None,
        before: str | None,
        order_by: str | None,
        at_least: int | None,
        **given: object,
    ) -> Response[Any]:
        refuse_unknown(request, model, known)
        form = form_of(request)
        runtime: Runtime = request.app.state.runtime
        await wait_until(runtime, model, request.user, at_least)
        conditions = asked_of(filters, given)
        whole = form != JSON and (first, last, before) == (None, None, None)

        async def turn(cursor: str | None) -> Page:
            return await list_rows(
                runtime.read_pool,
                model,
                request.user,
                first=FIRST_MAX if whole else first,
                after=cursor,
                last=last,
                before=before,
                filter=conditions,
                order_by=order_by,
            )

        return _sent(request, model, form, await turn(after), turn if whole else None)

    filtering = {name: place.hint for name, place in filters.items()}
    hints = {"request": ReadRequest, **PAGING, **filtering}
    return _get(model, "", "List", with_signature(run, f"list_{model.name}", hints, _page(model)))


def _sent(
    request: ReadRequest, model: Model, form: str, page: Page, turn: Turn | None
) -> Response[Any]:
    headers = _masked(request, model)
    if form != JSON:
        sent = stream(request, model, form, page, turn)
        sent.headers.update(headers)
        return sent
    return tagged(request, {"items": page.rows, **_ways(page)}, None, Vary="Accept", **headers)


def _masked(request: ReadRequest, model: Model) -> dict[str, str]:
    """Say which fields are empty because the caller may not see them."""
    fields = hidden(model, request.user)
    said = [f"{'.'.join(each.path)}; needs={each.permission}" for each in fields]
    return {MASKED: ", ".join(said)} if said else {}


def _ways(page: Page) -> dict[str, str | None]:
    """Say where the list goes on from a page, both ways."""
    return {
        "next": page.cursors[-1] if page.has_next and page.cursors else None,
        "previous": page.cursors[0] if page.has_previous and page.cursors else None,
    }


def _page(model: Model) -> type[Struct]:
    return msgspec.defstruct(
        f"{model.row.__name__}Page",
        [
            ("items", list[shown_type(model.row)]),  # type: ignore[misc] # Made of the row at run time.
            ("next", str | None),
            ("previous", str | None),
        ],
        module=__name__,
    )


def _one(model: Model) -> HTTPRouteHandler:
    async def run(
        request: ReadRequest, at_least: int | None, as_of: str | None, **place: str
    ) -> Response[Any]:
        refuse_unknown(request, model, {"at_least", "as_of"})
        runtime: Runtime = request.app.state.runtime
        key = place[model.key]
        if as_of is not None:
            row = await row_as_of(runtime, model, request.user, key, read_as_of(as_of))
            if row is None:
                raise _absent(model, key, as_of)
            return tagged(request, row, None, **_masked(request, model))
        await wait_until(runtime, model, request.user, at_least)
        found = await find_row(runtime.read_pool, model, request.user, key)
        if found is None:
            raise _absent(model, key, as_of)
        return tagged(request, found.row, found.position, **_masked(request, model))

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
        responses={304: UNCHANGED, **documented(400, 401, 403, 404 if rest else 406, 503)},
        response_headers=[TAG, *([OF_MASKED] if guarded_fields(model.row) else [])],
    )(function)


def _absent(model: Model, key: str, as_of: str | None) -> NotFound:
    missing = f"{model.key} {key} in {_address(model)}"
    if as_of is not None:
        return NotFound(
            "query.absent",
            f"There was no {missing} as of {as_of}.",
            hint="Name a later position or moment, or leave as_of out for what is so now.",
        )
    return NotFound(
        "query.absent",
        f"There is no {missing}.",
        hint="It may be on its way: ask with at_least, or list what there is.",
    )


def _address(model: Model) -> str:
    return f"/{model.name.replace('_', '-')}"
