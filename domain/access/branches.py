"""Branches: places of a company that what is made may be of, and that members belong to.

A permission that ends in ``@branch`` holds for what is of the branches of whoever has it. Nobody
moves a member into or out of a branch that they don't reach themselves.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Final, TypeAlias

from msgspec import Meta
from msgspec.structs import replace

from domain.access.people import UserId
from domain.access.roles import Member, MemberRemoved, no_member
from domain.ids import BranchId
from domain.kernel import Boundary, Command, Event, Filled, Found, Key, Refused, State

BRANCHES_MAX: Final = 100
BranchName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=100)]
BranchCode: TypeAlias = Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{1,20}$")]
Branches: TypeAlias = Annotated[tuple[BranchId, ...], Meta(max_length=BRANCHES_MAX)]


class BranchOpened(Event):
    branch: Key[BranchId]
    name: str
    code: str | None = None


class BranchRenamed(Event):
    branch: Key[BranchId]
    name: str
    code: str | None = None


class BranchClosed(Event):
    """Nothing new is of the branch. What is of it stays so, and its members see it."""

    branch: Key[BranchId]


class BranchesAssigned(Event):
    """The member belongs to these branches, and to no others."""

    user: Key[UserId]
    branches: tuple[BranchId, ...]


BranchEvent: TypeAlias = BranchOpened | BranchRenamed | BranchClosed
PlaceEvent: TypeAlias = BranchesAssigned | MemberRemoved


class Branch(State):
    known: bool = False
    closed: bool = False
    name: str = ""
    code: str | None = None

    def evolve(self, event: BranchEvent) -> "Branch":
        match event:
            case BranchOpened() | BranchRenamed():
                return replace(self, known=True, name=event.name, code=event.code)
            case BranchClosed():
                return replace(self, closed=True)


class Place(State):
    """The branches of a member; none, once it is removed."""

    branches: tuple[BranchId, ...] = ()

    def evolve(self, event: PlaceEvent) -> "Place":
        match event:
            case BranchesAssigned():
                return Place(branches=event.branches)
            case MemberRemoved():
                return Place()


class OpenBranch(Command):
    """Have one more branch."""

    branch: Filled[BranchId]
    name: BranchName
    code: BranchCode | None = None

    def boundary(self) -> tuple[Boundary[Branch]]:
        return (Branch.at(branch=self.branch),)

    def decide(self, branch: Branch) -> Iterator[BranchEvent]:
        if branch.known:
            raise Refused(
                "access.branch_taken", f"There is a branch {self.branch}.", hint="Leave the id out."
            )
        yield BranchOpened(branch=self.branch, name=self.name, code=self.code)


class RenameBranch(Command):
    """Give a branch another name and code. As they are already, nothing happens."""

    branch: BranchId
    name: BranchName
    code: BranchCode | None = None

    def boundary(self) -> tuple[Boundary[Branch]]:
        return (Branch.at(branch=self.branch),)

    def decide(self, branch: Branch) -> Iterator[BranchEvent]:
        check_open(self.branch, branch)
        if (branch.name, branch.code) != (self.name, self.code):
            yield BranchRenamed(branch=self.branch, name=self.name, code=self.code)


class CloseBranch(Command):
    """Let nothing new be of a branch. Closed again, nothing happens."""

    branch: BranchId

    def boundary(self) -> tuple[Boundary[Branch]]:
        return (Branch.at(branch=self.branch),)

    def decide(self, branch: Branch) -> Iterator[BranchEvent]:
        if not branch.closed:
            check_open(self.branch, branch)
            yield BranchClosed(branch=self.branch)


class AssignBranches(Command):
    """Say which branches a member belongs to. As it is already, nothing happens."""

    user: UserId
    branches: Branches
    within: Found[tuple[BranchId, ...]] | None = None  # What the caller reaches; None: all.

    def boundary(self) -> tuple[Boundary[Any], ...]:  # Any: of the member, its place, branches.
        named = [Branch.at(branch=each) for each in dict.fromkeys(self.branches)]
        return (Member.at(user=self.user), Place.at(user=self.user), *named)

    def decide(self, member: Member, place: Place, *named: Branch) -> Iterator[PlaceEvent]:
        if not member.roles:
            raise no_member(self.user)
        wanted = tuple(dict.fromkeys(self.branches))
        for branch, state in zip(wanted, named, strict=True):
            if branch not in place.branches:
                check_open(branch, state)
        moved = {*wanted} ^ {*place.branches}
        if self.within is not None and not moved <= {*self.within}:
            raise not_your_branch("You move members into and out of your own branches alone.")
        if moved:
            yield BranchesAssigned(user=self.user, branches=wanted)


def not_your_branch(message: str) -> Refused:
    return Refused("access.not_your_branch", message, hint="Name one of your branches.")


def check_open(name: BranchId, branch: Branch) -> None:
    """See that something new may be of a branch.

    Raises:
        Refused: There is no such branch, or it is closed.

    """
    if not branch.known or branch.closed:
        is_ = "is closed" if branch.closed else "is not there"
        raise Refused(
            "access.branch_absent", f"The branch {name} {is_}.", hint="List the branches."
        )
