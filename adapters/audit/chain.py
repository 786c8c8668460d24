"""A log event by event: is each the one that was appended, and where not, what was done to it.

The records come from a database or from a file; nothing here knows which.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from adapters.audit.recipe import FIRST_LINK, Links, Record, Unfit
from domain.ids import TenantId

Problem: TypeAlias = Literal[
    "changed",
    "swapped",
    "inserted",
    "removed",
    "truncated",
    "unfit",
    "head",
    "index",
    "anchor",
    "unanchored",
]
Progress: TypeAlias = Callable[[int, int], None]
PROGRESS_EVENTS: Final = 10_000
LOOK_AHEAD_EVENTS: Final = 10_000
"""How far an event that is out of its line is looked for."""


class Finding(Struct, frozen=True):
    """The first position that is not as it was, and what was done there."""

    position: int
    problem: Problem
    reason: str


class Chain:
    """How far a log was followed: events done, the hash there, the tags met on the way."""

    def __init__(self, tenant: TenantId) -> None:
        self._links = Links(tenant)
        self._before = FIRST_LINK  # The hash before the last one.
        self.done = 0
        self.link = FIRST_LINK
        self.tags = 0

    def follow(
        self, records: Iterator[Record], on_progress: Callable[[int], None]
    ) -> Finding | None:
        """Recompute every hash, and stop at the first that differs."""
        try:
            return self._follow(records, on_progress)
        except Unfit as error:
            position = self.done + 1 if error.position is None else error.position
            return Finding(position, "unfit", error.reason)

    def _follow(
        self, records: Iterator[Record], on_progress: Callable[[int], None]
    ) -> Finding | None:
        link = self._links.link
        for record in records:
            if record.position != self.done + 1:
                return self._out_of_line(record, records)
            self._before, before = self.link, self._before
            self.link = link(self.link, record)
            if self.link != record.hash:
                self._before, self.link = before, self._before
                return self._name(record, records)
            self.done += 1
            self.tags += record.tag_count
            if self.done % PROGRESS_EVENTS == 0:
                on_progress(self.done)
        return None

    def _out_of_line(self, record: Record, rest: Iterator[Record]) -> Finding:
        due = self.done + 1
        if record.position < due:
            return Finding(record.position, "inserted", f"Event {record.position} stands twice.")
        for later in islice(_readable(rest), LOOK_AHEAD_EVENTS):
            if later.position == due:
                reason = f"Event {record.position} stands before event {due}."
                return Finding(due, "swapped", reason)
        return Finding(due, "removed", f"Event {due} is missing: {record.position} follows.")

    def _name(self, bad: Record, rest: Iterator[Record]) -> Finding:
        """Tell a changed event from one that was moved, slipped in or taken out."""
        link, at = self._links.link_at, bad.position
        if at > 1 and link(at - 1, self._before, bad) == bad.hash:
            reason = f"Event {at - 1} was never appended: the one of this position is now {at}."
            return Finding(at - 1, "inserted", reason)
        before = bad
        for later in _readable(rest):
            here = link(at, self.link, later)
            if here in {later.hash, bad.hash}:
                behind = here if before is bad else before.hash
                if link(later.position, behind, bad) in {bad.hash, later.hash}:
                    reason = f"Events {at} and {later.position} stand in each other's place."
                    return Finding(at, "swapped", reason)
                reason = f"Event {at} was never appended: the one of this position comes later."
                return Finding(at, "inserted", reason)
            if before is bad and link(later.position + 1, bad.hash, later) == later.hash:
                reason = f"The event of position {at} was taken out, and those after it moved up."
                return Finding(at, "removed", reason)
            before = later
        reason = "The hash of this event is not the one of its content behind the event before."
        return Finding(at, "changed", reason)

    def end(self, position: int, link: bytes) -> Finding | None:
        """Compare where the log ended with what its head says."""
        if self.done < position:
            reason = f"The head is at {position}, and the log ends at {self.done}."
            return Finding(self.done + 1, "truncated", reason)
        if self.done > position:
            reason = f"The head is at {position}, and the log goes on to {self.done}."
            return Finding(position + 1, "head", reason)
        if self.link != link:
            return Finding(self.done, "head", "The head's hash is not that of the last event.")
        return None


def silent(_done: int, _total: int) -> None:
    """Tell nobody."""


def _readable(records: Iterator[Record]) -> Iterator[Record]:
    """Go on as far as it can be read: what is wrong behind the first finding is no news."""
    with suppress(Unfit):
        yield from records
