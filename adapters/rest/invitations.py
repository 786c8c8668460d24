"""Accepting an invitation over REST."""

from litestar import post
from litestar.params import JSONBody

from adapters.access.shown import read_shown
from adapters.accounts.invitations import Acceptance, Accepted, accept
from adapters.rest.bodies import JSON_ONLY
from adapters.rest.cookies import AnyRequest
from adapters.rest.problems import documented
from adapters.security.places import client_of


@post(
    "/api/v1/invitations/accept",
    status_code=200,
    before_request=JSON_ONLY,
    operation_id="AcceptInvitation",
    summary="Accept an invitation",
    description="Come in by the token of its letter. Who is new chooses a password; who has an"
    " account sends its password, or is logged in.",
    tags=["access"],
    responses=documented(400, 401, 403, 409, 429, 503),
)
async def accept_invitation(request: AnyRequest, data: JSONBody[Acceptance]) -> Accepted:
    shown = read_shown(request.scope["headers"], request.scope["method"])
    return await accept(request.app.state.runtime, data, shown, client_of(request.scope))
