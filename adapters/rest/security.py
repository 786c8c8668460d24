"""The security log over REST: a page of it, the newest first."""

from datetime import datetime
from typing import Annotated

from litestar import Request, get
from litestar.datastructures import State
from litestar.params import QueryParameter
from msgspec import Struct

from adapters.postgres.models.paging import FIRST_DEFAULT, FIRST_MAX
from adapters.rest.problems import documented
from adapters.runtime import Runtime
from adapters.security.reading import SecurityAsked, read_security
from application.kernel import Context
from application.security import SecurityEntry


class SecurityEntryPage(Struct, frozen=True, kw_only=True):
    """Entries, the newest first, and where older ones begin."""

    items: list[SecurityEntry]
    next: str | None


@get(
    "/security-entries",
    operation_id="ListSecurityEntries",
    summary="List what happened at the door",
    description="Logins, failures, refusals and uses of keys, and who was given what.",
    tags=["access"],
    responses=documented(400, 401, 403, 429, 503),
)
async def list_security_entries(
    request: Request[Context, str, State],
    *,
    first: Annotated[int, QueryParameter(ge=1, le=FIRST_MAX)] = FIRST_DEFAULT,
    after: Annotated[str | None, QueryParameter(description="The next of a page.")] = None,
    user: Annotated[str | None, QueryParameter(description="About this person alone.")] = None,
    kind: Annotated[str | None, QueryParameter(description="Such as LoginFailed.")] = None,
    since: Annotated[datetime | None, QueryParameter(description="None before this.")] = None,
) -> SecurityEntryPage:
    runtime: Runtime = request.app.state.runtime
    asked = SecurityAsked(first=first, after=after, user=user, kind=kind, since=since)
    page = await read_security(runtime, request.user, asked)
    following = page.entries[-1].cursor if page.has_next else None
    return SecurityEntryPage(items=list(page.entries), next=following)


HANDLERS = (list_security_entries,)
