"""Showing that an address is one's own, and choosing another password, over REST."""

from typing import Final

from litestar import post
from litestar.params import JSONBody
from msgspec import Struct

from adapters.access.refreshing import holder
from adapters.accounts.recovery import (
    Forgotten,
    Reset,
    Verification,
    ask_verification,
    forget_password,
    reset_password,
    verify,
)
from adapters.rest.account_sessions import PersonRequest
from adapters.rest.bodies import JSON_ONLY
from adapters.rest.cookies import AnyRequest
from adapters.rest.problems import documented
from adapters.security.places import client_of

SENT: Final = "If the address has an account, a letter is on its way to it."


class LetterAsked(Struct, frozen=True, kw_only=True):
    """What whoever asked for a letter is told, whether there is an account or not."""

    detail: str = SENT


@post(
    "/api/v1/password/forgotten",
    status_code=202,
    before_request=JSON_ONLY,
    operation_id="ForgetPassword",
    summary="Ask for another password",
    description="The answer is the same whether the address has an account or not. The link of the"
    " letter is good for 30 minutes, and until the password changes.",
    tags=["access"],
    responses=documented(400, 429, 503),
)
async def password_forgotten(request: AnyRequest, data: JSONBody[Forgotten]) -> LetterAsked:
    await forget_password(request.app.state.runtime, data, client_of(request.scope))
    return LetterAsked()


@post(
    "/api/v1/password/reset",
    status_code=204,
    before_request=JSON_ONLY,
    operation_id="ResetPassword",
    summary="Choose another password",
    description="By the token of a letter, once. All sessions of the person end.",
    tags=["access"],
    responses=documented(400, 409, 429, 503),
)
async def password_reset(request: AnyRequest, data: JSONBody[Reset]) -> None:
    await reset_password(request.app.state.runtime, data)


@post(
    "/api/v1/email/verify",
    status_code=204,
    before_request=JSON_ONLY,
    operation_id="VerifyEmail",
    summary="Show that an address is yours",
    description="By the token of a letter, once.",
    tags=["access"],
    responses=documented(400, 409, 429, 503),
)
async def email_verify(request: AnyRequest, data: JSONBody[Verification]) -> None:
    await verify(request.app.state.runtime, data)


@post(
    "/account/email/verification",
    status_code=202,
    operation_id="AskEmailVerification",
    summary="Ask for a letter that shows that your address is yours",
    description="Its link is good for 3 days. Where that is known already, none is sent.",
    tags=["access"],
    responses=documented(400, 401, 403, 429, 503),
)
async def email_verification(request: PersonRequest) -> LetterAsked:
    _, user = holder(request.auth)
    await ask_verification(request.app.state.runtime, user, client_of(request.scope))
    return LetterAsked()


HANDLERS = (email_verification,)
