"""What webhooks have over REST beside their commands and their list: how the sending goes."""

from typing import Annotated, Final

from litestar import Request, get
from litestar.datastructures import State
from litestar.params import FromPath, QueryParameter
from msgspec import Struct

from adapters.postgres.models.conditions import require
from adapters.rest.problems import documented
from adapters.runtime import Runtime
from adapters.webhooks.ledger import DeadLetter, Delivery, delivery_of, letters_of
from application.kernel import Context
from application.webhooks import READ

PAGE: Final = 100
PAGE_MAX: Final = 500
ERRORS: Final = documented(400, 401, 403, 404, 503)


class DeadLetterPage(Struct, frozen=True, kw_only=True):
    """Dead letters of an endpoint, and where the next page begins."""

    items: list[DeadLetter]
    next: int | None


@get(
    "/webhooks/{endpoint:str}/delivery",
    operation_id="GetWebhookDelivery",
    summary="Get how far an endpoint has come",
    tags=["webhooks"],
    responses=ERRORS,
)
async def get_delivery(request: Request[Context, str, State], endpoint: FromPath[str]) -> Delivery:
    require(request.user, READ)
    runtime: Runtime = request.app.state.runtime
    return await delivery_of(runtime.pool, request.user.tenant, endpoint)


@get(
    "/webhooks/{endpoint:str}/dead-letters",
    operation_id="ListWebhookDeadLetters",
    summary="List what an endpoint never took",
    tags=["webhooks"],
    responses=ERRORS,
)
async def get_dead_letters(
    request: Request[Context, str, State],
    endpoint: FromPath[str],
    first: Annotated[int, QueryParameter(ge=1, le=PAGE_MAX)] = PAGE,
    after: Annotated[int, QueryParameter(ge=0)] = 0,
) -> DeadLetterPage:
    require(request.user, READ)
    runtime: Runtime = request.app.state.runtime
    letters = await letters_of(
        runtime.pool, request.user.tenant, endpoint, after=after, limit=first + 1
    )
    following = letters[first - 1].position if len(letters) > first else None
    return DeadLetterPage(items=letters[:first], next=following)


HANDLERS = (get_delivery, get_dead_letters)
