"""The rules of roles and members."""

from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.access import (
    OWNER,
    AdmitMember,
    ChangeMemberRoles,
    ChangeRole,
    DefineRole,
    Email,
    Giver,
    Member,
    MemberAdmitted,
    MemberRemoved,
    MemberRolesChanged,
    Owners,
    RemoveMember,
    RetireRole,
    RoleChanged,
    RoleDefined,
    RoleId,
    RoleRetired,
    UserId,
)
from domain.kernel import Command, Refused
from projections.kernel import project
from projections.roles import MemberRow, Members, RoleRow, Roles
from tests.kernel import given, history_of

ANA, LUIS = UserId("u1"), UserId("u2")
CLERK, READER = RoleId("r1"), RoleId("reader")
READ, DRAFT, DEFINE = "invoicing.invoice.read", "invoicing.invoice.draft", "access.role.define"
STANDARD: dict[RoleId, tuple[str, ...]] = {OWNER: (DEFINE, DRAFT, READ), READER: (READ,)}
ALL = frozenset(STANDARD[OWNER])
DRAFTS: dict[str, Any] = {"giver": Giver(held=frozenset({DRAFT, READ}), standard=STANDARD)}
OWNS: dict[str, Any] = {"giver": Giver(held=ALL, standard=STANDARD)}

defined = RoleDefined(role=CLERK, name="Clerk", permissions=(DRAFT, READ))
ana = MemberAdmitted(user=ANA, email=Email("ana@example.org"), roles=(OWNER,), office="owner")
luis = MemberAdmitted(user=LUIS, email=Email("luis@example.org"), roles=(CLERK,))


def test_a_role_holds_permissions_once_and_in_order() -> None:
    define = DefineRole(role=CLERK, name="Clerk", permissions=(READ, DRAFT, READ), **OWNS)
    given().when(define).then(defined)


@pytest.mark.parametrize("role", [CLERK, OWNER])
def test_no_role_is_defined_over_another(role: RoleId) -> None:
    define = DefineRole(role=role, name="x", permissions=(READ,), **OWNS)
    given(defined).when(define).then_refused("access.role_taken")


def test_nobody_defines_a_role_of_more_than_they_hold() -> None:
    define = DefineRole(role=CLERK, name="x", permissions=(READ, DEFINE), **DRAFTS)
    given().when(define).then_refused("access.not_yours_to_give")


def test_who_holds_everything_gives_anything() -> None:
    define = DefineRole(role=CLERK, name="Clerk", permissions=(DRAFT, READ), giver=Giver(held=None))
    given().when(define).then(defined)


def test_a_role_is_changed_for_all_who_have_it() -> None:
    change = ChangeRole(role=CLERK, name="Reader", permissions=(READ,), **OWNS)
    changed = RoleChanged(role=CLERK, name="Reader", permissions=(READ,))
    given(defined).when(change).then(changed)
    given(defined, changed).when(change).then_nothing()


def test_nobody_takes_from_a_role_what_they_lack() -> None:
    change = ChangeRole(
        role=CLERK, name="x", permissions=(READ,), giver=Giver(held=frozenset({READ}))
    )
    given(defined).when(change).then_refused("access.not_yours_to_give")


@pytest.mark.parametrize("role", [OWNER, READER])
def test_the_roles_of_every_tenant_stay_as_they_are(role: RoleId) -> None:
    for command in (
        ChangeRole(role=role, name="x", permissions=(READ,), **OWNS),
        RetireRole(role=role, **OWNS),
    ):
        given().when(command).then_refused("access.standard_role")


def test_a_retired_role_is_gone_for_good() -> None:
    retired = RoleRetired(role=CLERK)
    given(defined).when(RetireRole(role=CLERK, **OWNS)).then(retired)
    gone = given(defined, retired)
    gone.when(RetireRole(role=CLERK, **OWNS)).then_nothing()
    for command in (
        ChangeRole(role=CLERK, name="x", permissions=(READ,), **OWNS),
        AdmitMember(user=LUIS, email=Email("l@x.org"), roles=(CLERK,), **OWNS),
    ):
        gone.when(command).then_refused("access.role_absent")


def test_a_member_is_admitted_once() -> None:
    admit = AdmitMember(user=LUIS, email=Email("luis@example.org"), roles=(CLERK,), **OWNS)
    given(defined).when(admit).then(luis)
    given(defined, luis).when(admit).then_refused("access.member_there")
    given(defined, luis, MemberRemoved(user=LUIS)).when(admit).then(luis)


def test_nobody_gives_a_role_that_holds_more_than_they_do() -> None:
    admit = AdmitMember(user=LUIS, email=Email("l@x.org"), roles=(READER, OWNER), **DRAFTS)
    given().when(admit).then_refused("access.not_yours_to_give")
    change = ChangeMemberRoles(user=LUIS, roles=(OWNER,), **DRAFTS)
    given(defined, luis, ana).when(change).then_refused("access.not_yours_to_give")


def test_nobody_takes_from_an_owner_who_is_less() -> None:
    others = given(
        defined, ana, luis, MemberRolesChanged(user=LUIS, roles=(OWNER,), office="owner")
    )
    others.when(RemoveMember(user=ANA, **DRAFTS)).then_refused("access.not_yours_to_give")
    change = ChangeMemberRoles(user=ANA, roles=(READER,), **DRAFTS)
    others.when(change).then_refused("access.not_yours_to_give")


def test_the_last_owner_stays_one() -> None:
    last = given(defined, ana, luis)
    last.when(RemoveMember(user=ANA, **OWNS)).then_refused("access.last_owner")
    change = ChangeMemberRoles(user=ANA, roles=(READER,), **OWNS)
    last.when(change).then_refused("access.last_owner")


def test_of_two_owners_one_may_go() -> None:
    two = given(defined, ana, luis, MemberRolesChanged(user=LUIS, roles=(OWNER,), office="owner"))
    two.when(RemoveMember(user=ANA, **OWNS)).then(MemberRemoved(user=ANA, office="owner"))
    change = ChangeMemberRoles(user=ANA, roles=(READER,), **OWNS)
    two.when(change).then(MemberRolesChanged(user=ANA, roles=(READER,), office="owner"))


def test_what_is_so_already_happens_not_again() -> None:
    there = given(defined, ana, luis)
    there.when(ChangeMemberRoles(user=LUIS, roles=(CLERK,), **OWNS)).then_nothing()
    gone = given(defined, ana, luis, MemberRemoved(user=LUIS))
    gone.when(RemoveMember(user=LUIS, **OWNS)).then_nothing()


def test_who_is_no_member_has_no_roles_to_change() -> None:
    change = ChangeMemberRoles(user=LUIS, roles=(READER,), **OWNS)
    given(ana).when(change).then_refused("access.member_absent")
    given(ana).when(RemoveMember(user=LUIS, **OWNS)).then_refused("access.member_absent")


def _by_an_owner(command: Command) -> Command:
    return replace(command, **OWNS)


USERS = [ANA, LUIS, UserId("u3")]
some_roles = st.lists(st.sampled_from([OWNER, READER, CLERK]), min_size=1, unique=True).map(tuple)
users = st.sampled_from(USERS)
commands: st.SearchStrategy[Command] = st.one_of(
    st.builds(AdmitMember, user=users, email=st.just("a@b.c"), roles=some_roles).map(_by_an_owner),
    st.builds(ChangeMemberRoles, user=users, roles=some_roles).map(_by_an_owner),
    st.builds(RemoveMember, user=users).map(_by_an_owner),
)


@for_all(st.lists(commands, max_size=30))
@settings(max_examples=200)
def test_whatever_is_asked_an_owner_remains_and_lists_show_who_may(asked: list[Command]) -> None:
    history = history_of(asked, [defined, ana])
    owners = Owners.at(office=OWNER).fold(history).users
    members = {user: Member.at(user=user).fold(history).roles for user in USERS}
    assert owners == {user for user, roles in members.items() if OWNER in roles}
    assert owners
    rows = project(Members, history)
    assert {user: row.roles for user, row in rows.items()} == {
        user: roles for user, roles in members.items() if roles
    }


def test_lists_show_roles_and_members_as_they_are_now() -> None:
    changed = RoleChanged(role=CLERK, name="Reader", permissions=(READ,))
    assert project(Roles, [defined, changed]) == {
        CLERK: RoleRow(role=CLERK, name="Reader", permissions=(READ,))
    }
    assert project(Roles, [defined, RoleRetired(role=CLERK)]) == {}
    assert project(Members, [luis, MemberRolesChanged(user=LUIS, roles=(READER,))]) == {
        LUIS: MemberRow(user=LUIS, email="luis@example.org", roles=(READER,))
    }


def test_who_goes_by_branch_gives_nobody_the_right_to_place_people() -> None:
    held = frozenset({"invoicing.invoice.read@branch", "access.member.place"})
    giver = Giver(held=held, standard=STANDARD)
    with pytest.raises(Refused) as refused:
        giver.check(frozenset({"access.member.place"}))
    assert refused.value.code == "access.not_yours_to_give"
    giver.check(frozenset({"invoicing.invoice.read@branch"}))
    Giver(held=frozenset({"access.member.place"})).check(frozenset({"access.member.place"}))
