"""Addresses: the same however they are capitalised, and those of before as they were written."""

import pytest

from adapters.accounts.accounts import account_of
from adapters.runtime import Runtime
from application.kernel import build
from domain.access import EmailDigest, RegisterUser
from domain.kernel import Refused
from tests.access.people import OPERATOR, PASSWORD, TENANT, enrol, hashed_once


async def test_an_address_is_the_same_however_it_is_capitalised(runtime: Runtime) -> None:
    user = await enrol(runtime, "Ana.Ruiz@Case.example")
    for written in ("ana.ruiz@case.example", "ANA.RUIZ@CASE.EXAMPLE", "Ana.Ruiz@Case.example"):
        known = await account_of(runtime, written)
        assert known is not None
        assert known[0] == user
    with pytest.raises(Refused) as refused:
        await enrol(runtime, "ana.ruiz@case.example")
    assert refused.value.code == "access.email_taken"


async def test_an_account_of_before_is_found_as_its_address_was_written(runtime: Runtime) -> None:
    email = "Eva@Before.example"
    exact = EmailDigest(await runtime.vault.digest(email))
    given = {
        "email": email,
        "email_digest": exact,
        "password_hash": hashed_once(PASSWORD),
        "tenant": TENANT,
        "permissions": (),
    }
    await runtime.bus.execute(build(RegisterUser, given, runtime.clock), OPERATOR)
    assert await account_of(runtime, email) is not None
