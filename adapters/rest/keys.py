"""What API keys have over REST beside their commands and their list: when each was used last."""

from typing import Annotated

from litestar import Request, get
from litestar.datastructures import State
from litestar.params import QueryParameter
from msgspec import Struct

from adapters.access.key_uses import USES_MAX, KeyUse, list_uses
from adapters.postgres.models.conditions import require
from adapters.rest.problems import documented
from adapters.runtime import Runtime
from application.kernel import Context
from projections.access import ApiKeys


class KeyUsePage(Struct, frozen=True, kw_only=True):
    """Last uses, in the order of the keys, and behind which key the next page begins."""

    items: list[KeyUse]
    next: str | None


@get(
    "/api-key-uses",
    operation_id="ListApiKeyUses",
    summary="List when each key was used last",
    tags=["access"],
    responses=documented(400, 401, 403, 503),
)
async def list_key_uses(
    request: Request[Context, object, State],
    first: Annotated[int, QueryParameter(ge=1, le=USES_MAX)] = 100,
    after: Annotated[str, QueryParameter(max_length=100)] = "",
) -> KeyUsePage:
    require(request.user, ApiKeys.permission)
    runtime: Runtime = request.app.state.runtime
    uses = await list_uses(runtime.pool, request.user.tenant, after=after, limit=first + 1)
    following = uses[first - 1].key if len(uses) > first else None
    return KeyUsePage(items=uses[:first], next=following)


HANDLERS = (list_key_uses,)
