"""All of /api/v1: what commands and rows declare, and what modules of this folder add by hand.

A handler written by hand replaces the derived one of its address.
"""

import re
from typing import Final

from litestar.handlers import HTTPRouteHandler

from adapters.rest.commands import command_handlers
from adapters.rest.reads import read_handlers
from application.discovery import modules_of

PLACE: Final = re.compile(r"\{[^}]*\}")


def rest_handlers() -> list[HTTPRouteHandler]:
    """Collect the handlers; a module of this folder lists its own as ``HANDLERS``."""
    own = [
        handler
        for module in modules_of("adapters.rest")
        for handler in getattr(module, "HANDLERS", ())
        if isinstance(handler, HTTPRouteHandler)
    ]
    taken = {address for handler in own for address in _addresses(handler)}
    derived = [*command_handlers(), *read_handlers()]
    return [*own, *(each for each in derived if taken.isdisjoint(_addresses(each)))]


def _addresses(handler: HTTPRouteHandler) -> set[tuple[str, str]]:
    """Name methods and paths, whatever the places in a path are called."""
    return {
        (method, PLACE.sub("{}", path.strip("/")))
        for path in handler.paths
        for method in handler.http_methods
    }
