"""The worker process: does jobs."""

from adapters.settings import Settings
from adapters.worker.until_told import until_told
from adapters.worker.worker import work


def run_worker(settings: Settings) -> int:
    """Run until told to end, and return the exit code."""
    return until_told(settings, "worker", work)
