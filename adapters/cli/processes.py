"""The processes of an instance, each in the foreground until a signal stops it."""

import gc
from typing import Final

from adapters.logging import configure_logging
from adapters.settings import Settings, load_settings

GC_OBJECTS: Final = 700
"""Python's own: a command of seconds may let cycles lie, and who answers for days may not."""

# Each imports its own alone: a projector should not wait for the API's libraries.


def up() -> int:
    """Run everything on this machine, with embedded servers where none are set."""
    from adapters.cli.up import up as run  # noqa: PLC0415

    return run(_prepared("up"))


def api() -> int:
    """Serve GraphQL, REST and their documentation."""
    from adapters.rest.serve import serve  # noqa: PLC0415

    gc.set_threshold(GC_OBJECTS)
    serve(_prepared("api"))
    return 0


def projector() -> int:
    """Fold events into read models, and queue the jobs that events want."""
    from adapters.worker.projector_process import run_projector  # noqa: PLC0415

    return run_projector(_prepared("projector"))


def worker() -> int:
    """Work on jobs."""
    from adapters.worker.worker_process import run_worker  # noqa: PLC0415

    return run_worker(_prepared("worker"))


def scheduler() -> int:
    """Queue again what was lost, and forget what is out of date."""
    from adapters.worker.scheduler_process import run_scheduler  # noqa: PLC0415

    return run_scheduler(_prepared("scheduler"))


def _prepared(service: str) -> Settings:
    settings = load_settings()
    configure_logging(settings, service)
    return settings
