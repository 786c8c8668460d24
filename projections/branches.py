"""Branches of a company, as lists show them."""

from msgspec.structs import replace

from domain.access.branches import BranchClosed, BranchEvent, BranchOpened, BranchRenamed
from domain.ids import BranchId
from projections.kernel import ReadModel, Row


class BranchRow(Row):
    """A place of the company. Nothing new is of one that is closed."""

    branch: BranchId
    name: str
    code: str | None = None
    closed: bool = False


class Branches(ReadModel[BranchRow]):
    name = "branches"
    row = BranchRow
    key = "branch"
    permission = "access.branch.read"

    @staticmethod
    def apply(row: BranchRow | None, event: BranchEvent) -> BranchRow | None:
        match event:
            case BranchOpened():
                return BranchRow(branch=event.branch, name=event.name, code=event.code)
            case BranchRenamed():
                assert row is not None, "A branch is opened before it is renamed."
                return replace(row, name=event.name, code=event.code)
            case BranchClosed():
                assert row is not None, "A branch is opened before it is closed."
                return replace(row, closed=True)
