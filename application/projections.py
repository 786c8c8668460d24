"""Projections as operators may act on them. Nobody else may: it reaches into all surfaces."""

from application.kernel import Exposed
from domain.projections import SkipEvent, UnskipEvent

COMMANDS = tuple(
    Exposed(command=command, permission="projections.event.skip", system=True)
    for command in (SkipEvent, UnskipEvent)
)
