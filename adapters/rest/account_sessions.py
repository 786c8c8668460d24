"""Where a person is logged in, and ending it elsewhere."""

from datetime import datetime
from typing import Annotated, TypeAlias

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.params import Parameter
from msgspec import Meta, Struct

from adapters.access.door import Admission, door_of
from adapters.access.refreshing import end_sessions, holder
from adapters.rest.problems import documented
from adapters.runtime import Runtime
from adapters.security.notes import notes_of
from application.errors import NotFound
from application.kernel import Context
from domain.access import SessionId

PersonRequest: TypeAlias = Request[Context, Admission, State]
"""The request of somebody who was let in."""

UUID_TEXT = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"


class AccountSession(Struct, frozen=True, kw_only=True):
    """Where and since when somebody is logged in. Times are UTC."""

    session: str
    kind: Annotated[str, Meta(description="browser: by a cookie; tokens: by tokens.")]
    tenant: str
    address: str
    agent: str
    began_at: datetime
    seen_at: Annotated[datetime, Meta(description="To the minute.")]
    ends_at: datetime
    current: Annotated[bool, Meta(description="Whether it is the one that asks.")]


class AccountSessions(Struct, frozen=True, kw_only=True):
    """All sessions of a person, the newest first."""

    sessions: list[AccountSession]


class Ended(Struct, frozen=True, kw_only=True):
    """How many sessions were ended."""

    ended: int


@get(
    "/account/sessions",
    operation_id="AccountSessions",
    summary="List where you are logged in",
    tags=["access"],
    responses=documented(400, 401, 403, 503),
)
async def list_sessions(request: PersonRequest) -> AccountSessions:
    runtime: Runtime = request.app.state.runtime
    current, user = holder(request.auth)
    found = await door_of(runtime).sessions.of_user(user)
    return AccountSessions(
        sessions=[
            AccountSession(
                session=each.session,
                kind=each.kind,
                tenant=each.acts_for,
                address=each.address,
                agent=each.agent,
                began_at=each.began_at,
                seen_at=each.seen_at,
                ends_at=each.ends_at,
                current=each.session == current,
            )
            for each in found
        ]
    )


@post(
    "/account/sessions/{session:str}/end",
    status_code=200,
    operation_id="EndAccountSession",
    summary="End one of your sessions",
    tags=["access"],
    responses=documented(400, 401, 403, 404, 429, 503),
)
async def end_session(
    request: PersonRequest, session: Annotated[str, Parameter(pattern=UUID_TEXT)]
) -> Response[Ended]:
    runtime: Runtime = request.app.state.runtime
    _, user = holder(request.auth)
    if not await door_of(runtime).sessions.end(SessionId(session), user):
        raise NotFound(
            "access.session_absent",
            "You have no session of this id.",
            hint="List them: GET /api/v1/account/sessions.",
        )
    company = request.auth.context.tenant
    notes_of(runtime).session_ended(user, "ended", session=session, tenant=company)
    return Response(Ended(ended=1))


@post(
    "/account/sessions/end-others",
    status_code=200,
    operation_id="EndOtherAccountSessions",
    summary="End all your sessions but this one",
    tags=["access"],
    responses=documented(400, 401, 403, 429, 503),
)
async def end_others(request: PersonRequest) -> Response[Ended]:
    runtime: Runtime = request.app.state.runtime
    current, user = holder(request.auth)
    return Response(Ended(ended=await end_sessions(runtime, user, but=current)))


HANDLERS = (list_sessions, end_session, end_others)
