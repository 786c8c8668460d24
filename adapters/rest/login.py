"""Logging in over REST."""

from typing import Any

from litestar import Request, post
from litestar.datastructures import State
from litestar.params import JSONBody

from adapters.access.login import AccessToken, Credentials, log_in
from adapters.rest.bodies import JSON_ONLY
from adapters.rest.problems import documented


@post(
    "/api/v1/login",
    status_code=200,
    before_request=JSON_ONLY,
    operation_id="Login",
    summary="Log in",
    description="Get an access token for an address and its password.",
    tags=["access"],
    responses=documented(400, 401, 429, 503),
)
async def login(request: Request[Any, Any, State], data: JSONBody[Credentials]) -> AccessToken:
    address = request.client.host if request.client else ""
    return await log_in(request.app.state.runtime, data, address)
