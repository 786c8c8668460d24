"""The rules of service accounts."""

import pytest

from domain.access import (
    OWNER,
    AddServiceAccount,
    ChangeServiceAccount,
    Giver,
    MemberAdmitted,
    RemoveMember,
    ResumeServiceAccount,
    RoleDefined,
    RoleId,
    ServiceAccount,
    ServiceAccountAdded,
    ServiceAccountChanged,
    ServiceAccountId,
    ServiceAccountResumed,
    ServiceAccountSuspended,
    SuspendServiceAccount,
    UserId,
)
from domain.kernel import Command
from tests.kernel import given

READ, ISSUE = "invoicing.invoice.read", "invoicing.invoice.issue"
ROBOT, TILL, CLERK = ServiceAccountId("a1"), RoleId("r1"), RoleId("r2")
STANDARD = {OWNER: (READ, ISSUE)}
reader = Giver(held=frozenset({READ}), standard=STANDARD)
owner = Giver(held=frozenset({READ, ISSUE}), standard=STANDARD)

role = RoleDefined(role=TILL, name="Till", permissions=(READ,))
greater = RoleDefined(role=CLERK, name="Clerk", permissions=(ISSUE,))
added = ServiceAccountAdded(service_account=ROBOT, name="till", roles=(TILL,))
of_owner = ServiceAccountAdded(service_account=ROBOT, name="till", roles=(OWNER,))
suspended = ServiceAccountSuspended(service_account=ROBOT)
resumed = ServiceAccountResumed(service_account=ROBOT)


def add(*roles: RoleId) -> AddServiceAccount:
    return AddServiceAccount(service_account=ROBOT, name="till", roles=roles, giver=reader)


def change(*roles: RoleId, name: str = "till") -> ChangeServiceAccount:
    return ChangeServiceAccount(service_account=ROBOT, name=name, roles=roles, giver=reader)


def suspend(giver: Giver = reader) -> SuspendServiceAccount:
    return SuspendServiceAccount(service_account=ROBOT, giver=giver)


def resume(*opens: str) -> ResumeServiceAccount:
    return ResumeServiceAccount(service_account=ROBOT, opens=frozenset(opens), giver=reader)


def test_a_program_gets_roles() -> None:
    given(role).when(add(TILL)).then(added)
    given(role, added).when(add(TILL)).then_refused("access.account_there")


def test_a_program_gets_no_role_that_is_not_there_or_holds_what_the_giver_lacks() -> None:
    given().when(add(TILL)).then_refused("access.role_absent")
    given(greater).when(add(CLERK)).then_refused("access.not_yours_to_give")
    given(role, greater, added).when(change(CLERK)).then_refused("access.not_yours_to_give")


def test_a_program_gets_another_name_and_other_roles() -> None:
    changed = ServiceAccountChanged(service_account=ROBOT, name="door", roles=(TILL,))
    given(role, added).when(change(TILL, name="door")).then(changed)
    given(role, added).when(change(TILL)).then_nothing()


def test_a_program_is_suspended_and_resumed() -> None:
    given(added).when(suspend()).then(suspended)
    given(added, suspended).when(suspend()).then_nothing()
    given(added, suspended).when(resume(READ)).then(resumed)
    given(added).when(resume(READ)).then_nothing()
    assert ServiceAccount.at(service_account=ROBOT).fold([added, suspended, resumed]) == (
        ServiceAccount(name="till", roles=(TILL,))
    )


def test_what_is_resumed_is_given() -> None:
    given(added, suspended).when(resume(ISSUE)).then_refused("access.not_yours_to_give")


@pytest.mark.parametrize("asked", [change(TILL), suspend()], ids=["change", "suspend"])
def test_nobody_takes_from_an_owner_who_is_less(asked: Command) -> None:
    given(role, of_owner).when(asked).then_refused("access.not_yours_to_give")


def test_an_owner_suspends_a_program_that_has_the_role() -> None:
    given(of_owner).when(suspend(owner)).then(suspended)


@pytest.mark.parametrize(
    "asked", [change(TILL), suspend(), resume()], ids=["change", "suspend", "resume"]
)
def test_there_must_be_a_program(asked: Command) -> None:
    given(role).when(asked).then_refused("access.account_absent")


def test_a_program_counts_as_no_owner() -> None:
    ana = MemberAdmitted(
        user=UserId("ana"), email="ana@example.org", roles=(OWNER,), office="owner"
    )
    asked = RemoveMember(user=UserId("ana"), giver=owner)
    given(ana, of_owner).when(asked).then_refused("access.last_owner")
