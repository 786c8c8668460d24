"""What has not come yet: a position that a log lacks, a moment in the future.

Whoever names one has it from nowhere: a position is told once its event is written. So waiting
for it makes no sense, and what was so then can't be said.
"""

from contextlib import suppress
from datetime import UTC, datetime

from application.errors import Malformed


def check_position(position: int, head: int) -> None:
    """See that a log has come to a position; its *head* was read after the position was named.

    Raises:
        Malformed: It ends before.

    """
    if position > head:
        raise Malformed(
            "query.beyond_head",
            f"There is no position {position} yet: the log ends at {head}.",
            hint=f"Name one up to {head}, such as a command has answered with.",
        )


def check_moment(moment: datetime, now: datetime) -> None:
    """See that a moment has come: what is so then could still change.

    Raises:
        Malformed: It has not.

    """
    if moment > now:
        raise Malformed(
            "query.in_the_future",
            f"{_written(moment)} is in the future: now it is {_written(now)}.",
            hint="Name a moment that has passed, or none for what is so now.",
        )


def _written(moment: datetime) -> str:
    # The last moments there are have no place in UTC.
    with suppress(OverflowError):
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
