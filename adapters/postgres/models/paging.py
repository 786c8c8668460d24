"""Pages of a list, both ways: the first behind a cursor, or the last before one."""

from collections.abc import Sequence
from typing import Final, TypeVar

from msgspec import Struct

from adapters.postgres.models.conditions import Condition, Model
from adapters.postgres.models.keyset import Keyset, keyset_of
from application.errors import Malformed

FIRST_MAX: Final = 100
FIRST_DEFAULT: Final = 50
T = TypeVar("T")


class Paging(Struct, frozen=True, kw_only=True):
    """Which rows of an ordered list a page holds.

    Attributes:
        size: How many at most.
        cursor: Behind which they are, in the direction they are read in; None: from its start.

    """

    keyset: Keyset
    size: int
    cursor: str | None

    @property
    def ranges(self) -> list[list[Condition]]:
        """Say where the rows are, in ranges to be read one after the other.

        Raises:
            Malformed: The cursor is damaged, or of another order.

        """
        if self.cursor is None:
            return [[]]
        return [[behind] for behind in self.keyset.behind(self.cursor)]

    def turned(self, found: Sequence[T]) -> Sequence[T]:
        """Put rows, of which one more than a page was read, as the list has them."""
        page = found[: self.size]
        return page[::-1] if self.keyset.backward else page

    def has_next(self, found: Sequence[object]) -> bool:
        """Tell whether the list goes on behind the page; for one before a cursor it does."""
        return self.cursor is not None if self.keyset.backward else len(found) > self.size

    def has_previous(self, found: Sequence[object]) -> bool:
        """Tell whether the list has something before the page."""
        return len(found) > self.size if self.keyset.backward else self.cursor is not None


def paging_of(
    model: Model,
    order_by: str | None,
    *,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> Paging:
    """Understand which page is asked for: ``first`` after a cursor, or ``last`` before one.

    Raises:
        Malformed: Both ways at once, too many, or an order that there isn't.

    """
    backward = last is not None or before is not None
    if backward and (first is not None or after is not None):
        raise Malformed(
            "query.bad_page",
            "A page is asked for from both ends.",
            hint="Ask for `first` with `after`, or for `last` with `before`.",
        )
    keyset = keyset_of(model, order_by, backward=backward)
    size, cursor = (last, before) if backward else (first, after)
    return Paging(keyset=keyset, size=checked_first(size), cursor=cursor)


def checked_first(first: int | None) -> int:
    """Return how many rows a page shall hold.

    Raises:
        Malformed: Too many, or none.

    """
    if first is None:
        return FIRST_DEFAULT
    if not 1 <= first <= FIRST_MAX:
        raise Malformed(
            "query.bad_first",
            f"{first} rows were asked for, and a page holds 1 to {FIRST_MAX}.",
            hint=f"Ask for 1 to {FIRST_MAX}, and go on with the cursor of the last row.",
        )
    return first
