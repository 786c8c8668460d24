"""A projector process as in production, with one reaction more.

The harness may have planted a fault in it.
"""

import os
import sys
from functools import partial
from typing import Final

from adapters.logging import configure_logging
from adapters.settings import load_settings
from adapters.webhooks import delivering, turn
from adapters.worker.projector_process import project
from adapters.worker.until_told import until_told
from application.reactions import reactions
from tests.soak.planted import VARIABLE, plant
from tests.soak.reactions import NoteLeftFile

SECONDS: Final = 0.3
SHORTENED: Final = (
    (turn, "TURN_SECONDS"),
    (delivering, "TURN_SECONDS"),
    (delivering, "LEASE_SPARE_SECONDS"),
    (delivering, "POLL_SECONDS"),
)

if __name__ == "__main__":
    settings = load_settings()
    # What a killed one had leased, and what was refused, is sent in moments and not in minutes.
    for place, name in SHORTENED:
        setattr(place, name, SECONDS)
    configure_logging(settings, "projector")
    if planted := os.environ.get(VARIABLE):
        plant(planted)
    found = [*reactions().values(), NoteLeftFile]
    sys.exit(until_told(settings, "projector", partial(project, found=found)))
