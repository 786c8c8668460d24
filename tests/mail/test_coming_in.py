"""Who is invited comes in, once, and shows who they are."""

import asyncio
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from adapters.access.door import door_of
from adapters.access.login import log_in_as
from adapters.access.sessions import Client
from adapters.access.shown import Shown
from adapters.accounts.accounts import account_of, recognise
from adapters.accounts.invitations import Acceptance, Accepted, accept
from adapters.accounts.links import Links
from adapters.accounts.passwords import hash_password
from adapters.runtime import Runtime
from application.access import email_fields
from application.errors import ApplicationError, Forbidden, Malformed, Unauthenticated
from application.kernel import SystemClock, build
from application.ports import QueryItem
from domain.access import (
    OWNER,
    AdmitMember,
    DefineRole,
    Invitation,
    Mailbox,
    Member,
    RegisterUser,
    RetireRole,
    UserId,
    WithdrawInvitation,
)
from domain.ids import SYSTEM_TENANT
from domain.kernel import Refused
from domain.tenants import SuspendTenant
from tests.mail.conftest import Company

LUIS = "luis@books.example"
PASSWORD, OTHER = "quartz lantern otter", "seven green saddles"
NOTHING = Shown()
HERE = Client(address="192.0.2.7")


class Later(SystemClock):
    """A clock that is ahead."""

    def __init__(self, by: timedelta) -> None:
        self._by = by

    def now(self) -> datetime:
        return super().now() + self._by


async def come_in(
    company: Company, token: str, password: str | None = PASSWORD, shown: Shown = NOTHING
) -> Accepted:
    return await accept(company.runtime, Acceptance(token=token, password=password), shown, HERE)


async def register(company: Company, email: str, password: str = PASSWORD) -> UserId:
    """Make an account, as a process does that dies before it admits the member."""
    runtime = company.runtime
    given = {
        **await email_fields(runtime.vault, email),
        "password_hash": hash_password(password, runtime.settings),
        "tenant": company.tenant,
        "permissions": (),
    }
    operator = replace(company.context, tenant=SYSTEM_TENANT)
    done = await runtime.bus.execute(build(RegisterUser, given, runtime.clock), operator)
    return UserId(done.ids["user"])


async def roles_of(company: Company, user: UserId) -> tuple[str, ...]:
    return (await company.runtime.bus.fold(company.tenant, Member.at(user=user))).roles


async def count(runtime: Runtime, tenant: str, kind: str) -> int:
    query = [QueryItem(types=(kind,))]
    return len([each async for each in runtime.store.read(tenant, query)])  # type: ignore[arg-type] # An id.


async def test_who_is_new_chooses_a_password_and_is_a_member(company: Company) -> None:
    invitation = await company.invite(LUIS)
    came = await come_in(company, await company.token(LUIS))
    runtime = company.runtime
    known = await recognise(runtime, LUIS, PASSWORD)
    assert known is not None
    assert known[0] == came.user
    assert (came.tenant, await roles_of(company, came.user)) == (company.tenant, (OWNER,))
    assert (await runtime.bus.fold(SYSTEM_TENANT, Mailbox.at(user=came.user))).verified
    state = await runtime.bus.fold(company.tenant, Invitation.at(invitation=invitation))
    assert state.status == "accepted"


async def test_a_letter_lets_in_once(company: Company) -> None:
    await company.invite("twice@books.example")
    token = await company.token("twice@books.example")
    await come_in(company, token)
    with pytest.raises(Refused) as refused:
        await come_in(company, token)
    assert refused.value.code == "access.invitation_over"


async def test_of_two_who_come_at_once_one_comes_in(company: Company) -> None:
    await company.invite("both@books.example")
    token = await company.token("both@books.example")
    before = await count(company.runtime, SYSTEM_TENANT, "UserEnrolled")
    came = await asyncio.gather(
        *(come_in(company, token) for _ in range(4)), return_exceptions=True
    )
    refused = [each for each in came if isinstance(each, Refused)]
    assert {each.code for each in refused} == {"access.invitation_over"}
    assert len(refused) == 3
    assert await count(company.runtime, company.tenant, "MemberAdmitted") == 1
    assert await count(company.runtime, SYSTEM_TENANT, "UserEnrolled") == before + 1


async def test_who_was_registered_when_the_process_died_comes_in_by_the_same_link(
    company: Company,
) -> None:
    email = "half@books.example"
    await company.invite(email)
    token = await company.token(email)
    user = await register(company, email)
    with pytest.raises(Unauthenticated):
        await come_in(company, token, OTHER)
    assert (await come_in(company, token)).user == user


async def test_who_is_new_has_to_choose_a_password_that_may_be_chosen(company: Company) -> None:
    email = "new@books.example"
    await company.invite(email)
    token = await company.token(email)
    with pytest.raises(Unauthenticated) as needed:
        await come_in(company, token, None)
    with pytest.raises(Malformed) as common:
        await come_in(company, token, "password1234")
    assert (needed.value.code, common.value.code) == (
        "access.password_needed",
        "access.password_common",
    )
    assert await account_of(company.runtime, email) is None
    await come_in(company, token)


async def test_who_has_an_account_comes_in_logged_in(company: Company) -> None:
    runtime, email = company.runtime, "here@books.example"
    users = {each: await register(company, each) for each in (email, "another@books.example")}
    shown = {}
    for each, user in users.items():
        await company.execute(AdmitMember, user=user, email=each, roles=[OWNER])
        entry = await log_in_as(runtime, user, company.tenant, HERE)
        shown[each] = Shown(authorization=f"Bearer {entry.access_token}")
    second = Company(runtime, company.tenant)
    await second.invite(email)
    token = await second.token(email)
    for stranger in (NOTHING, shown["another@books.example"]):
        with pytest.raises(Unauthenticated) as refused:
            await come_in(company, token, None, stranger)
        assert refused.value.code == "access.not_shown"
    with pytest.raises(Refused) as there:  # It was the right person.
        await come_in(company, token, None, shown[email])
    assert there.value.code == "access.member_there"


async def test_an_invitation_that_is_over_makes_no_account(company: Company) -> None:
    runtime, email = company.runtime, "late@books.example"
    invitation = await company.invite(email, days=1)
    token = await company.token(email)
    late = replace(company.runtime, clock=Later(timedelta(days=2)))
    with pytest.raises(Refused, match="was good until"):
        await accept(late, Acceptance(token=token, password=PASSWORD), NOTHING, HERE)
    await company.execute(WithdrawInvitation, invitation=invitation)
    with pytest.raises(Refused, match="withdrawn"):
        await come_in(company, token)
    assert await account_of(runtime, email) is None


async def test_a_link_of_another_kind_or_nobodys_lets_nobody_in(company: Company) -> None:
    invitation = await company.invite("kind@books.example")
    links = Links(company.runtime.settings)
    name = f"{company.tenant}.{invitation}"
    for token in (links.token("email", name), links.token("password", name), name, "", "."):
        with pytest.raises(Malformed) as refused:
            await come_in(company, token)
        assert refused.value.code == "access.link_invalid"
    absent = links.token("invitation", f"{company.tenant}.none")
    with pytest.raises(Refused) as none:
        await come_in(company, absent)
    assert none.value.code == "access.invitation_absent"


async def test_nobody_comes_in_by_a_role_that_was_retired(company: Company) -> None:
    role = (await company.execute(DefineRole, name="x", permissions=["jobs.job.read"]))["role"]
    await company.invite("role@books.example", roles=[role])
    token = await company.token("role@books.example")
    await company.execute(RetireRole, role=role)
    with pytest.raises(Refused) as refused:
        await come_in(company, token)
    assert refused.value.code == "access.role_absent"


async def test_nobody_comes_in_to_a_company_that_is_suspended(company: Company) -> None:
    await company.invite("closed@books.example")
    token = await company.token("closed@books.example")
    operator = replace(company.context, tenant=SYSTEM_TENANT)
    suspend = build(SuspendTenant, {"tenant": company.tenant, "reason": "x"}, company.runtime.clock)
    await company.runtime.bus.execute(suspend, operator)
    with pytest.raises(Forbidden):
        await come_in(company, token)


async def test_a_password_is_not_tried_on_and_on(company: Company) -> None:
    email = "tried@books.example"
    await register(company, email)
    await company.invite(email)
    token = await company.token(email)
    codes = set()
    for _ in range(12):
        with pytest.raises(ApplicationError) as refused:
            await come_in(company, token, OTHER)
        codes.add(refused.value.code)
    assert codes == {"access.not_shown", "access.too_many_logins"}


def test_what_somebody_sends_does_not_show_itself() -> None:
    assert PASSWORD not in repr(Acceptance(token="t", password=PASSWORD))  # noqa: S106 - none.


async def test_letters_of_invitations_end_no_session(company: Company) -> None:
    email = "kept@books.example"
    user = await register(company, email)
    await company.invite(email)
    entry = await door_of(company.runtime).sessions.open(user, company.tenant, "tokens", HERE)
    await come_in(company, await company.token(email))
    assert await door_of(company.runtime).sessions.find(entry.session.session) is not None
