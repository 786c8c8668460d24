"""The scheduler process: does what time asks for."""

from adapters.settings import Settings
from adapters.worker.sweeper import sweep
from adapters.worker.until_told import until_told


def run_scheduler(settings: Settings) -> int:
    """Run until told to end, and return the exit code."""
    return until_told(settings, "scheduler", sweep)
