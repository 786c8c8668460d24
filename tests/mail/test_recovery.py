"""Letters by which a password is chosen, and an address shown to be somebody's."""

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from adapters.access.door import door_of
from adapters.access.sessions import Client
from adapters.accounts.accounts import recognise
from adapters.accounts.links import Links
from adapters.accounts.passwords import hash_password
from adapters.accounts.recovery import (
    Forgotten,
    Reset,
    Verification,
    ask_verification,
    forget_password,
    reset_password,
    verify,
)
from adapters.runtime import Runtime
from application.errors import Malformed, TooMany
from application.kernel import build
from domain.access import ChangePassword, Mailbox, UserId
from domain.ids import SYSTEM_TENANT
from domain.kernel import Refused
from domain.privacy import ForgetSubject
from tests.mail.conftest import Company
from tests.mail.test_coming_in import OTHER, PASSWORD, Later, register

HERE = Client(address="192.0.2.7")
THIRD = "plum engine waterfall"


async def forgot(company: Company, email: str) -> None:
    await forget_password(company.runtime, Forgotten(email=email), HERE)


async def reset(runtime: Runtime, token: str, password: str = OTHER) -> None:
    await reset_password(runtime, Reset(token=token, password=password))


async def knows(company: Company, email: str, password: str) -> bool:
    return await recognise(company.runtime, email, password) is not None


async def test_a_letter_lets_its_holder_choose_another_password(company: Company) -> None:
    email = "a@books.example"
    user = await register(company, email)
    sessions = door_of(company.runtime).sessions
    opened = await sessions.open(user, company.tenant, "tokens", HERE)
    await forgot(company, email)
    token = await company.token(email)
    await reset(company.runtime, token)
    assert await knows(company, email, OTHER)
    assert not await knows(company, email, PASSWORD)
    assert await sessions.find(opened.session.session) is None
    assert (await company.runtime.bus.fold(SYSTEM_TENANT, Mailbox.at(user=user))).verified
    with pytest.raises(Refused) as used:
        await reset(company.runtime, token, THIRD)
    assert used.value.code == "access.link_spent"
    assert await knows(company, email, OTHER)


async def test_a_password_that_may_not_be_chosen_costs_no_letter(company: Company) -> None:
    email = "b@books.example"
    await register(company, email)
    await forgot(company, email)
    token = await company.token(email)
    with pytest.raises(Malformed) as refused:
        await reset(company.runtime, token, "short")
    assert refused.value.code == "access.password_too_short"
    await reset(company.runtime, token)


async def test_once_the_password_changed_every_letter_from_before_is_void(
    company: Company,
) -> None:
    email = "c@books.example"
    user = await register(company, email)
    for _ in range(3):
        await forgot(company, email)
    first, second, third = (await company.letter()).tokens(email)
    await reset(company.runtime, second)
    for token in (first, second, third):
        with pytest.raises(Refused, match="changed since"):
            await reset(company.runtime, token, THIRD)
    await forgot(company, email)
    fourth = await company.token(email)
    kept = hash_password(THIRD, company.runtime.settings)
    operator = replace(company.context, tenant=SYSTEM_TENANT)
    change = ChangePassword(user=user, password_hash=kept)
    await company.runtime.bus.execute(change, operator)
    with pytest.raises(Refused, match="changed since"):
        await reset(company.runtime, fourth, PASSWORD)
    assert await knows(company, email, THIRD)


async def test_of_two_uses_at_once_one_counts(company: Company) -> None:
    email = "d@books.example"
    await register(company, email)
    await forgot(company, email)
    token = await company.token(email)
    done = await asyncio.gather(
        reset(company.runtime, token), reset(company.runtime, token, THIRD), return_exceptions=True
    )
    assert [type(each) for each in done if each is not None] == [Refused]
    assert await knows(company, email, OTHER if done[0] is None else THIRD)


async def test_a_letter_is_good_for_half_an_hour(company: Company) -> None:
    email = "e@books.example"
    await register(company, email)
    await forgot(company, email)
    token = await company.token(email)
    for minutes, holds in ((31, False), (29, True)):
        later = replace(company.runtime, clock=Later(timedelta(minutes=minutes)))
        if holds:
            await reset(later, token)
        else:
            with pytest.raises(Refused, match="was good until"):
                await reset(later, token)


async def test_an_address_that_has_no_account_is_sent_nothing_and_leaves_the_same_events(
    company: Company,
) -> None:
    known, unknown = "f@books.example", "nobody@books.example"
    await register(company, known)
    store, made = company.runtime.store, {}
    for email in (known, unknown):
        before = await store.head(SYSTEM_TENANT)
        await forgot(company, email)
        events = [each async for each in store.read(SYSTEM_TENANT, after=before)]
        made[email] = [
            (each.type, sorted(tag.partition(":")[0] for tag in each.tags)) for each in events
        ]
        assert all(email not in each.data for each in events)
    assert made[known] == made[unknown] == [("PasswordForgotten", ["email_digest", "link"])]
    box = await company.letter()
    assert (len(box.tokens(known)), box.tokens(unknown)) == (1, [])


async def test_who_was_forgotten_is_sent_nothing(company: Company) -> None:
    email = "g@books.example"
    user = await register(company, email)
    await forgot(company, email)
    token = await company.token(email)
    await forgot(company, email)
    given = {"kind": "user", "value": user, "reason": "Asked for it."}
    operator = replace(company.context, tenant=SYSTEM_TENANT)
    await company.runtime.bus.execute(build(ForgetSubject, given, company.runtime.clock), operator)
    assert (await company.letter()).letters == []
    with pytest.raises(Refused) as refused:
        await reset(company.runtime, token)
    assert refused.value.code == "access.link_spent"


async def test_a_link_for_a_password_that_nobody_asked_for_opens_nothing(company: Company) -> None:
    links = Links(company.runtime.settings)
    with pytest.raises(Refused, match="none of ours"):
        await reset(company.runtime, links.token("password", "none"))
    with pytest.raises(Malformed):
        await reset(company.runtime, links.token("email", "none"))
    await forgot(company, "h@books.example")
    events = company.runtime.store.read(SYSTEM_TENANT)
    asked = [each async for each in events if each.type == "PasswordForgotten"][-1]
    (link,) = [tag.partition(":")[2] for tag in asked.tags if tag.startswith("link:")]
    with pytest.raises(Refused, match="no account"):
        await reset(company.runtime, links.token("password", link))


async def test_letters_are_not_asked_for_on_and_on(company: Company) -> None:
    asked = [forgot(company, "i@books.example") for _ in range(8)]
    refused = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(each) for each in refused if each is not None] == [TooMany] * 3


async def is_verified(company: Company, user: UserId) -> bool:
    return (await company.runtime.bus.fold(SYSTEM_TENANT, Mailbox.at(user=user))).verified


async def test_an_address_is_shown_to_be_somebodys_once(company: Company) -> None:
    email = "j@books.example"
    user = await register(company, email)
    await ask_verification(company.runtime, user, HERE)
    token = await company.token(email)
    with pytest.raises(Malformed):
        await reset(company.runtime, token)
    late = replace(company.runtime, clock=Later(timedelta(days=4)))
    with pytest.raises(Refused, match="was good until"):
        await verify(late, Verification(token=token))
    assert not await is_verified(company, user)
    await verify(company.runtime, Verification(token=token))
    assert await is_verified(company, user)
    with pytest.raises(Refused) as used:
        await verify(company.runtime, Verification(token=token))
    assert used.value.code == "access.link_spent"
    await ask_verification(company.runtime, user, HERE)
    assert (await company.letter()).letters == []


async def test_a_letter_that_is_late_is_not_sent(company: Company) -> None:
    email = "k@books.example"
    user = await register(company, email)
    await ask_verification(company.runtime, user, HERE)
    await forgot(company, email)
    late = Company(
        replace(company.runtime, clock=Later(timedelta(days=4))),
        company.tenant,
    )
    assert (await late.letter()).letters == []


def test_what_somebody_sends_does_not_show_itself() -> None:
    shown = repr(Reset(token="t1", password=PASSWORD)), repr(Verification(token="t1"))  # noqa: S106 - none.
    assert all("t1" not in each and PASSWORD not in each for each in shown)
