"""The rules of branches, and of who belongs to them."""

import pytest

from domain.access import (
    OWNER,
    AssignBranches,
    Branch,
    BranchClosed,
    BranchesAssigned,
    BranchOpened,
    BranchRenamed,
    CloseBranch,
    MemberAdmitted,
    MemberRemoved,
    OpenBranch,
    Place,
    RenameBranch,
    UserId,
)
from domain.ids import BranchId
from projections.branches import Branches, BranchRow
from projections.kernel import project
from projections.roles import Members
from tests.kernel import given

SOL, NORTE, LUIS = BranchId("sol"), BranchId("norte"), UserId("luis")
sol, norte = (BranchOpened(branch=SOL, name="Sol"), BranchOpened(branch=NORTE, name="Norte"))
luis = MemberAdmitted(user=LUIS, email="luis@example.org", roles=(OWNER,), office="owner")
placed = BranchesAssigned(user=LUIS, branches=(SOL,))


def test_a_branch_is_opened_renamed_and_closed() -> None:
    given().when(OpenBranch(branch=SOL, name="Sol")).then(sol)
    rename = RenameBranch(branch=SOL, name="Puerta del Sol", code="S")
    renamed = BranchRenamed(branch=SOL, name="Puerta del Sol", code="S")
    given(sol).when(rename).then(renamed)
    given(sol, renamed).when(rename).then_nothing()
    given(sol).when(CloseBranch(branch=SOL)).then(BranchClosed(branch=SOL))
    given(sol, BranchClosed(branch=SOL)).when(CloseBranch(branch=SOL)).then_nothing()
    assert project(Branches, [sol, renamed, BranchClosed(branch=SOL)]) == {
        SOL: BranchRow(branch=SOL, name="Puerta del Sol", code="S", closed=True)
    }


def test_what_is_not_there_or_closed_stays_so() -> None:
    given(sol).when(OpenBranch(branch=SOL, name="x")).then_refused("access.branch_taken")
    for command in (RenameBranch(branch=SOL, name="x"), CloseBranch(branch=SOL)):
        given().when(command).then_refused("access.branch_absent")
    closed = given(sol, BranchClosed(branch=SOL))
    closed.when(RenameBranch(branch=SOL, name="x")).then_refused("access.branch_absent")


def test_a_member_belongs_to_the_branches_that_are_assigned() -> None:
    there = given(sol, norte, luis)
    there.when(AssignBranches(user=LUIS, branches=(SOL, SOL))).then(placed)
    given(sol, luis, placed).when(AssignBranches(user=LUIS, branches=(SOL,))).then_nothing()
    given(sol, luis, placed).when(AssignBranches(user=LUIS, branches=())).then(
        BranchesAssigned(user=LUIS, branches=())
    )
    assert project(Members, [luis, placed])[LUIS].branches == (SOL,)


def test_a_member_stays_in_a_branch_that_is_closed_and_comes_into_none() -> None:
    closed = (sol, norte, luis, placed, BranchClosed(branch=SOL), BranchClosed(branch=NORTE))
    given(*closed).when(AssignBranches(user=LUIS, branches=(SOL,))).then_nothing()
    both = AssignBranches(user=LUIS, branches=(SOL, NORTE))
    given(*closed).when(both).then_refused("access.branch_absent")


def test_who_is_no_member_belongs_to_none() -> None:
    assign = AssignBranches(user=LUIS, branches=(SOL,))
    given(sol).when(assign).then_refused("access.member_absent")
    gone = (sol, luis, placed, MemberRemoved(user=LUIS, office="owner"))
    given(*gone).when(assign).then_refused("access.member_absent")
    assert Place.at(user=LUIS).fold(gone).branches == ()
    assert Place.at(user=LUIS).fold([*gone, luis]).branches == ()


@pytest.mark.parametrize("branches", [(NORTE,), (), (SOL, NORTE)], ids=str)
def test_nobody_moves_a_member_where_they_do_not_reach(branches: tuple[BranchId, ...]) -> None:
    assign = AssignBranches(user=LUIS, branches=branches, within=())
    given(sol, norte, luis, placed).when(assign).then_refused("access.not_your_branch")


def test_who_reaches_a_branch_moves_members_into_it() -> None:
    assign = AssignBranches(user=LUIS, branches=(SOL, NORTE), within=(NORTE,))
    given(sol, norte, luis, placed).when(assign).then(
        BranchesAssigned(user=LUIS, branches=(SOL, NORTE))
    )


def test_a_branch_knows_its_name() -> None:
    assert Branch.at(branch=SOL).fold([sol]).name == "Sol"
