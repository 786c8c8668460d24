"""Passkeys over REST: made and taken away by who is logged in, and logging in by one."""

from typing import Annotated, Final

from litestar import Response, post
from litestar.params import JSONBody, Parameter
from msgspec import Meta, Struct

from adapters.access.login import Keep, log_in_as
from adapters.access.refreshing import holder
from adapters.accounts.factors import Proof, execute, step_up
from adapters.accounts.passkeys import (
    AddedPasskey,
    NewPasskey,
    Options,
    SignedCredential,
    add_passkey,
    adding_options,
    check_passkey,
    login_options,
)
from adapters.rest.account_sessions import PersonRequest
from adapters.rest.bodies import JSON_ONLY
from adapters.rest.cookies import AnyRequest, LoggedIn, answered, check_page
from adapters.rest.factors import ERRORS
from adapters.rest.problems import documented
from adapters.runtime import Runtime
from adapters.security.places import client_of
from domain.access import PasskeyName, RemovePasskey, RenamePasskey
from domain.tenants import TenantIdText

ID: Final = r"^[0-9a-f]{64}$"


class PasskeyCredentials(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person logs in with by a passkey."""

    credential: SignedCredential
    tenant: Annotated[
        TenantIdText | None,
        Meta(description="For which one; the one that the person was registered for unless told."),
    ] = None
    keep: Annotated[Keep, Meta(description="As for a login by password.")] = "tokens"


class NewName(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a passkey is called from here on."""

    name: PasskeyName


@post(
    "/api/v1/login/passkey/options",
    status_code=200,
    operation_id="PasskeyLoginOptions",
    summary="Begin to log in by a passkey",
    description="Get what `PublicKeyCredential.parseRequestOptionsFromJSON` reads, with a challenge"
    " that holds for five minutes and counts once. It is the same for everybody.",
    tags=["access"],
    responses=documented(400, 429, 503),
)
async def give_login_options(request: AnyRequest) -> Options:
    return login_options(request.app.state.runtime)


@post(
    "/api/v1/login/passkey",
    status_code=200,
    before_request=JSON_ONLY,
    operation_id="PasskeyLogin",
    summary="Log in by a passkey",
    description="Open a session for what a device signed. Nothing else is asked for.",
    tags=["access"],
    responses=documented(400, 401, 403, 412, 429, 503),
)
async def log_in_by_passkey(
    request: AnyRequest, data: JSONBody[PasskeyCredentials]
) -> Response[LoggedIn]:
    runtime: Runtime = request.app.state.runtime
    check_page(request, data.keep)
    user, enrolled_for = await check_passkey(runtime, data.credential)
    tenant = data.tenant or enrolled_for
    client = client_of(request.scope)
    entry = await log_in_as(runtime, user, tenant, client, data.keep, by="passkey")
    return answered(runtime.settings, entry)


@post(
    "/account/passkeys/options",
    status_code=200,
    before_request=JSON_ONLY,
    operation_id="NewPasskeyOptions",
    summary="Begin to add a passkey",
    description="Get what `PublicKeyCredential.parseCreationOptionsFromJSON` reads, with a"
    " challenge that holds for five minutes and counts once.",
    tags=["access"],
    responses=ERRORS,
)
async def give_adding_options(request: PersonRequest, data: JSONBody[Proof]) -> Options:
    runtime: Runtime = request.app.state.runtime
    _, user = holder(request.auth)
    await step_up(runtime, user, data)
    return await adding_options(runtime, user)


@post(
    "/account/passkeys",
    status_code=201,
    before_request=JSON_ONLY,
    operation_id="AddPasskey",
    summary="Add a passkey",
    description="Let a device log you in. Recovery codes come with a first factor.",
    tags=["access"],
    responses=ERRORS,
)
async def add(request: PersonRequest, data: JSONBody[NewPasskey]) -> AddedPasskey:
    _, user = holder(request.auth)
    return await add_passkey(request.app.state.runtime, user, data)


@post(
    "/account/passkeys/{passkey:str}/rename",
    status_code=204,
    before_request=JSON_ONLY,
    operation_id="RenamePasskey",
    summary="Call a passkey something else",
    tags=["access"],
    responses=ERRORS,
)
async def rename(
    request: PersonRequest,
    passkey: Annotated[str, Parameter(pattern=ID)],
    data: JSONBody[NewName],
) -> Response[None]:
    _, user = holder(request.auth)
    asked: dict[str, object] = {"passkey": passkey, "name": data.name}
    await execute(request.app.state.runtime, user, RenamePasskey, asked)
    return Response(None, status_code=204)


@post(
    "/account/passkeys/{passkey:str}/remove",
    status_code=204,
    before_request=JSON_ONLY,
    operation_id="RemovePasskey",
    summary="Remove a passkey",
    description="Let a device log you in no longer.",
    tags=["access"],
    responses=ERRORS,
)
async def remove(
    request: PersonRequest, passkey: Annotated[str, Parameter(pattern=ID)], data: JSONBody[Proof]
) -> Response[None]:
    runtime: Runtime = request.app.state.runtime
    _, user = holder(request.auth)
    await step_up(runtime, user, data)
    await execute(runtime, user, RemovePasskey, {"passkey": passkey})
    return Response(None, status_code=204)


HANDLERS = (give_adding_options, add, rename, remove)
