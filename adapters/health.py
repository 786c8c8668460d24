"""How an instance is, in words that the API and the command line share.

Degraded: it serves, and something in it waits for somebody. Failing: it can't serve.
"""

from collections.abc import Mapping
from typing import Final

OK: Final = "ok"
DEGRADED: Final = "degraded"
FAILING: Final = "failing"
STOPS: Final = "projections"
"""The check of what stands still at an event: all else is served meanwhile."""


def status_of(checks: Mapping[str, str]) -> str:
    """Sum up what the checks found."""
    wrong = {name for name, found in checks.items() if found != OK}
    if not wrong:
        return OK
    return DEGRADED if wrong == {STOPS} else FAILING
