"""A rebuild in a process of its own, which stands still at a step and waits to be killed."""

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adapters.keyring import open_keyring
from adapters.postgres.projecting.building import worker
from adapters.postgres.projecting.building.folding import fold_rows
from adapters.postgres.projecting.building.rebuild import Asked, rebuild
from adapters.settings import load_settings
from domain.kernel import Event
from projections.kernel import ReadModel, Row

REST_SECONDS = 0.03
LONG_SECONDS = 60


def stand_still(step: str, reached: Path) -> None:
    """Rebuild invoices, a small part at a time, up to a step."""
    settings = load_settings()

    def slowly(
        model: type[ReadModel[Any]], events: Sequence[tuple[int, Event]]
    ) -> tuple[dict[str, Row], list[int]]:
        time.sleep(REST_SECONDS)
        return fold_rows(model, events)

    def pause(at: str, _done: int, _total: int) -> None:
        if at == step:
            reached.touch()
            time.sleep(LONG_SECONDS)

    setattr(worker, fold_rows.__name__, slowly)  # So that there is time for a kill.
    worker.CLAIMED_MAX = 1  # type: ignore[misc] # As above.
    asked = Asked(jobs=0, piece_events=5, kept_seconds=60)
    asyncio.run(
        rebuild(
            settings.database_admin_url or "",
            "invoices",
            keyring=open_keyring(settings),
            asked=asked,
            on_progress=pause,
        )
    )


if __name__ == "__main__":
    stand_still(sys.argv[1], Path(sys.argv[2]))
