"""Logging in, going on and logging out over REST."""

from typing import Annotated

from litestar import Response, post
from litestar.params import JSONBody
from msgspec import Meta, Struct

from adapters.access.door import door_of
from adapters.access.login import Credentials, Keep, log_in
from adapters.access.refreshing import go_on, log_out, session_of
from adapters.access.shown import REFRESH_COOKIE, Shown, read_shown
from adapters.rest.bodies import JSON_ONLY
from adapters.rest.cookies import (
    AnyRequest,
    LoggedIn,
    answered,
    check_page,
    taken_away,
)
from adapters.rest.problems import documented
from adapters.runtime import Runtime
from adapters.security.places import client_of
from domain.tenants import TenantIdText


class Goes(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The session that is meant."""

    refresh_token: Annotated[
        Annotated[str, Meta(max_length=200)] | None,
        Meta(description="Left out: the one in the cookie refresh_token."),
    ] = None


class GoesOn(Goes, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The session that goes on, and for whom."""

    tenant: Annotated[
        TenantIdText | None, Meta(description="Another company to act for from now on.")
    ] = None


@post(
    "/api/v1/login",
    status_code=200,
    before_request=JSON_ONLY,
    operation_id="Login",
    summary="Log in",
    description="Open a session for an address and its password.",
    tags=["access"],
    responses=documented(400, 401, 403, 429, 503),
)
async def login(request: AnyRequest, data: JSONBody[Credentials]) -> Response[LoggedIn]:
    runtime: Runtime = request.app.state.runtime
    check_page(request, data.keep)
    return answered(runtime.settings, await log_in(runtime, data, client_of(request.scope)))


@post(
    "/api/v1/refresh",
    status_code=200,
    before_request=JSON_ONLY,
    operation_id="Refresh",
    summary="Go on with a session",
    description="Get new tokens for a refresh token, which is replaced: each is good for once.",
    tags=["access"],
    responses=documented(400, 401, 403, 429, 503),
)
async def refresh(request: AnyRequest, data: JSONBody[GoesOn]) -> Response[LoggedIn]:
    runtime: Runtime = request.app.state.runtime
    keep: Keep = "tokens" if data.refresh_token else "cookies"
    token = data.refresh_token or await _in_cookie(runtime, _shown(request))
    return answered(runtime.settings, await go_on(runtime, token, data.tenant, keep))


@post(
    "/api/v1/logout",
    status_code=204,
    before_request=JSON_ONLY,
    operation_id="Logout",
    summary="Log out",
    description="End the session that the request shows, by a token or a cookie.",
    tags=["access"],
    responses=documented(400, 401, 403, 429, 503),
)
async def logout(request: AnyRequest, data: JSONBody[Goes | None] = None) -> Response[None]:
    runtime: Runtime = request.app.state.runtime
    shown, given = _shown(request), data.refresh_token if data else None
    session = None if given else await door_of(runtime).session_shown(shown)
    if session is None:  # The access token has run out, perhaps.
        session = await session_of(runtime, given or await _in_cookie(runtime, shown))
    await log_out(runtime, session)
    return Response(None, status_code=204, cookies=taken_away(runtime.settings))


async def _in_cookie(runtime: Runtime, shown: Shown) -> str:
    """Return the refresh token that a browser shows; of a page of ours, if of any.

    Raises:
        Forbidden: It is a page of others, or nobody knows.

    """
    token = shown.cookies.get(REFRESH_COOKIE, "")
    session = await door_of(runtime).sessions.holder(token)
    if session is not None:
        door_of(runtime).check_forgery(shown, session.session, strict=False)
    return token


def _shown(request: AnyRequest) -> Shown:
    return read_shown(request.scope["headers"], request.scope["method"], request.scope["client"])
