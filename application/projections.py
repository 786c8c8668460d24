"""Projections as operators may act on them. Nobody else may: it reaches into all surfaces."""

from application.kernel import Exposed
from domain.projections import SkipEvent

COMMANDS = (Exposed(command=SkipEvent, permission="projections.event.skip", system=True),)
