"""Second factors over REST: what somebody can show beside the password, set up and taken away."""

from datetime import datetime
from typing import Annotated, Final

from litestar import Response, get, post
from litestar.params import JSONBody
from msgspec import Meta, Struct

from adapters.access.refreshing import holder
from adapters.accounts.factors import (
    Code,
    Proof,
    RecoveryCodes,
    TotpOffer,
    begin_totp,
    confirm_totp,
    factors_of,
    make_recovery_codes,
    remove_totp,
    step_up,
)
from adapters.accounts.passkeys import ShownPasskey, passkeys_in
from adapters.rest.account_sessions import PersonRequest
from adapters.rest.bodies import JSON_ONLY
from adapters.rest.problems import documented
from adapters.runtime import Runtime
from domain.access import AccessPolicy

ERRORS: Final = documented(400, 401, 403, 409, 412, 429, 503)


class FirstCode(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A code that shows that the app has the secret."""

    code: Code


class AccountFactors(Struct, frozen=True, kw_only=True):
    """What somebody can show beside the password, or in its place. Times are UTC."""

    required: Annotated[
        bool,
        Meta(description="The company asks for one; who has none may do nothing else for it."),
    ]
    totp_since: Annotated[datetime | None, Meta(description="null: there is no app.")]
    recovery_codes_left: int
    passkeys: list[ShownPasskey]


@get(
    "/account/factors",
    operation_id="AccountFactors",
    summary="List your second factors",
    tags=["access"],
    responses=documented(400, 401, 403, 503),
)
async def list_factors(request: PersonRequest) -> AccountFactors:
    runtime: Runtime = request.app.state.runtime
    _, user = holder(request.auth)
    factors = await factors_of(runtime, user)
    policy = await runtime.bus.fold(request.user.tenant, AccessPolicy.own())
    return AccountFactors(
        required=policy.second_factor,
        totp_since=factors.totp.enabled_at if factors.totp else None,
        recovery_codes_left=factors.codes_left,
        passkeys=passkeys_in(factors),
    )


@post(
    "/account/totp/begin",
    status_code=200,
    before_request=JSON_ONLY,
    operation_id="BeginTotp",
    summary="Begin to set up an app",
    description="Get a secret for an app that shows codes. It counts once a code was right.",
    tags=["access"],
    responses=ERRORS,
)
async def begin(request: PersonRequest, data: JSONBody[Proof]) -> TotpOffer:
    runtime: Runtime = request.app.state.runtime
    _, user = holder(request.auth)
    await step_up(runtime, user, data)
    return await begin_totp(runtime, user)


@post(
    "/account/totp/confirm",
    status_code=200,
    before_request=JSON_ONLY,
    operation_id="ConfirmTotp",
    summary="Ask for codes of the app from here on",
    description="Show by a first code that the app has the secret. Recovery codes come with it.",
    tags=["access"],
    responses=ERRORS,
)
async def confirm(request: PersonRequest, data: JSONBody[FirstCode]) -> RecoveryCodes:
    _, user = holder(request.auth)
    return await confirm_totp(request.app.state.runtime, user, data.code)


@post(
    "/account/totp/remove",
    status_code=204,
    before_request=JSON_ONLY,
    operation_id="RemoveTotp",
    summary="Ask for codes of the app no longer",
    tags=["access"],
    responses=ERRORS,
)
async def remove(request: PersonRequest, data: JSONBody[Proof]) -> Response[None]:
    runtime: Runtime = request.app.state.runtime
    _, user = holder(request.auth)
    await step_up(runtime, user, data)
    await remove_totp(runtime, user)
    return Response(None, status_code=204)


@post(
    "/account/recovery-codes",
    status_code=200,
    before_request=JSON_ONLY,
    operation_id="MakeRecoveryCodes",
    summary="Make new recovery codes",
    description="Those from before count no longer. The new ones are shown once.",
    tags=["access"],
    responses=ERRORS,
)
async def make_codes(request: PersonRequest, data: JSONBody[Proof]) -> RecoveryCodes:
    runtime: Runtime = request.app.state.runtime
    _, user = holder(request.auth)
    await step_up(runtime, user, data)
    return await make_recovery_codes(runtime, user)


HANDLERS = (list_factors, begin, confirm, remove, make_codes)
