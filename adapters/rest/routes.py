"""All of /api/v1: what commands and rows declare, and what modules of this folder add by hand.

A handler written by hand replaces the derived one of its address.
"""

import re
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

from litestar import Response
from litestar.handlers import HTTPRouteHandler

from adapters.rest.commands import command_handlers
from adapters.rest.reads import read_handlers
from application.discovery import modules_of

TAKES_FILES: Final = "takes_files"
"""Marks a handler, in its ``opt``, whose bodies may be as large as an upload."""

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
    handlers = [*own, *(each for each in derived if taken.isdisjoint(_addresses(each)))]
    return [*_options(handlers), *handlers]


def _options(handlers: list[HTTPRouteHandler]) -> Iterator[HTTPRouteHandler]:
    """Answer OPTIONS with all methods of an address.

    The framework's own answer knows of those alone that the first of its handlers has.
    """
    methods: dict[str, set[str]] = {}
    opts: dict[str, dict[str, Any]] = {}  # Any: as the framework has them.
    for handler in handlers:
        for path in handler.paths:
            methods.setdefault(path, {"OPTIONS"}).update(handler.http_methods)
            opts.setdefault(path, {}).update(handler.opt)
    for path, names in methods.items():
        allowed = ", ".join(sorted(names))
        yield HTTPRouteHandler(
            path, http_method="OPTIONS", status_code=204, opt=opts[path], include_in_schema=False
        )(_telling(allowed))


def _telling(allowed: str) -> Callable[[], Awaitable[Response[None]]]:
    async def tell() -> Response[None]:
        return Response(None, status_code=204, headers={"Allow": allowed})

    return tell


def _addresses(handler: HTTPRouteHandler) -> set[tuple[str, str]]:
    """Name methods and paths, whatever the places in a path are called."""
    return {
        (method, PLACE.sub("{}", path.strip("/")))
        for path in handler.paths
        for method in handler.http_methods
    }
