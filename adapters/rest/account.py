"""The account of whoever is logged in: who it is, for which companies, and by which password."""

import asyncio
from typing import Annotated, Final

from litestar import get, post
from litestar.params import JSONBody
from msgspec import Meta, Struct

from adapters.access.lookups import KEPT_SECONDS
from adapters.access.refreshing import act_for, holder
from adapters.accounts.accounts import PasswordChange, change_password, find_account
from adapters.accounts.companies import Company, companies_of
from adapters.rest.account_sessions import PersonRequest
from adapters.rest.bodies import JSON_ONLY
from adapters.rest.problems import documented
from adapters.runtime import Runtime
from adapters.security.places import client_of
from domain.access import Mailbox
from domain.ids import SYSTEM_TENANT, TenantId
from domain.tenants import TenantIdText

ERRORS: Final = documented(400, 401, 403, 503)


class OwnAccount(Struct, frozen=True, kw_only=True):
    """A person, the session by which they ask, and the companies for which they may act."""

    user: str
    email: str
    verified: Annotated[bool, Meta(description="Whether letters are known to reach the person.")]
    session: str
    tenant: Annotated[TenantId, Meta(description="For which company this request acts.")]
    companies: list[Company]


class CompanyChoice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The company to act for from now on, by its id."""

    tenant: TenantIdText


@get(
    "/account",
    operation_id="Account",
    summary="Read who you are",
    description="With the companies for which you may act. A new one is listed within a second.",
    tags=["access"],
    responses=ERRORS,
)
async def read_account(request: PersonRequest) -> OwnAccount:
    runtime: Runtime = request.app.state.runtime
    session, user = holder(request.auth)
    account = await find_account(runtime, user)
    mailbox = await runtime.bus.fold(SYSTEM_TENANT, Mailbox.at(user=user))
    tenant = request.user.tenant
    return OwnAccount(
        user=user,
        email=account.email,
        verified=mailbox.verified,
        session=session,
        tenant=tenant,
        companies=await companies_of(runtime, user, [tenant]),
    )


@post(
    "/account/password",
    status_code=204,
    before_request=JSON_ONLY,
    operation_id="ChangeAccountPassword",
    summary="Change your password",
    description="All your other sessions end.",
    tags=["access"],
    responses=documented(400, 401, 403, 409, 429, 503),
)
async def change(request: PersonRequest, data: JSONBody[PasswordChange]) -> None:
    holder(request.auth)
    await change_password(request.app.state.runtime, request.auth, data, client_of(request.scope))


@post(
    "/account/company",
    status_code=204,
    before_request=JSON_ONLY,
    operation_id="ChooseAccountCompany",
    summary="Act for another of your companies",
    description="By the cookie of the session, from the answer on. An access token acts for the"
    " company that it was made for: get another one by /api/v1/refresh.",
    tags=["access"],
    responses=documented(400, 401, 403, 429, 503),
)
async def choose_company(request: PersonRequest, data: JSONBody[CompanyChoice]) -> None:
    await act_for(request.app.state.runtime, request.auth, data.tenant)
    # Until then a process may take the session to act for the former company, and what is asked
    # next would be done there.
    await asyncio.sleep(KEPT_SECONDS)


HANDLERS = (read_account, change, choose_company)
