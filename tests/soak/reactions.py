"""A reaction that only the soak has, whose command shows when it is run twice.

Most commands change nothing the second time, and so would hide it.
"""

from typing import Final

from application.reactions import Reaction
from domain.imports import FileReceived
from domain.jobs import ReportWaiting
from domain.kernel import Command

LEFT: Final = "left.csv"
"""The name of a file that nobody goes on with, so that its job never ends."""


class NoteLeftFile(Reaction):
    """Note of a file that is left alone that its job waits; noted twice, it stands there twice."""

    name = "soak.note_left_file"

    @staticmethod
    def on(event: FileReceived) -> Command | None:
        if event.name != LEFT:
            return None
        return ReportWaiting(job=event.job, reason="soak")
