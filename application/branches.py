"""Branches as the world may call them, and who reaches which."""

from typing import Final

from msgspec.structs import replace

from application.kernel import Context, Exposed, Looking
from domain.access.branches import (
    AssignBranches,
    Branch,
    CloseBranch,
    OpenBranch,
    RenameBranch,
    check_open,
)
from domain.access.roles import PLACE
from domain.access.scopes import goes_by_branch
from domain.ids import BranchId

MANAGE: Final = "access.branch.manage"


def reached(context: Context) -> tuple[BranchId, ...] | None:
    """Name the branches that somebody reaches; None: all, as nothing it may goes by branch."""
    return tuple(sorted(context.branches)) if goes_by_branch(context.permissions) else None


async def check_branch(looking: Looking, branch: BranchId | None) -> None:
    """See that something new may be of a branch; of none, it may.

    Raises:
        Refused: There is no such branch, or it is closed.

    """
    if branch is not None:
        check_open(branch, await looking.fold(looking.tenant, Branch.at(branch=branch)))


async def _with_reach(looking: Looking, command: AssignBranches) -> AssignBranches:
    return replace(command, within=reached(looking.caller))


COMMANDS = (
    Exposed(command=OpenBranch, permission=MANAGE, route="POST /branches"),
    Exposed(command=RenameBranch, permission=MANAGE, route="POST /branches/{branch}/rename"),
    Exposed(command=CloseBranch, permission=MANAGE, route="POST /branches/{branch}/close"),
    Exposed(
        command=AssignBranches,
        permission=PLACE,
        route="POST /members/{user}/branches",
        find=_with_reach,
    ),
)
