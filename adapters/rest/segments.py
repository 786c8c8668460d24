"""A slash that is sent as %2F is part of a key, and no border in a path (RFC 3986, 2.2).

Servers decode a path before it is routed, and routing then takes each slash for a border. So one
inside of a segment goes through it as a sign that no decoded path can hold.
"""

from typing import Final
from urllib.parse import unquote

from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

ENCODED: Final = b"%2f"
HELD: Final = "\udc2f"
"""What stands for a byte of 2F that is no text (PEP 383)."""


def hold_slashes(scope: Scope) -> None:
    """Let the encoded slashes of a path pass the routing as parts of their segments."""
    raw = scope.get("raw_path") or b""
    if ENCODED in raw.lower():
        scope["path"] = "/".join(unquote(each).replace("/", HELD) for each in raw.split(b"/"))


class KeysWithSlashes(ASGIMiddleware):
    """Gives handlers the keys of a path as they were sent, once it is routed."""

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        if HELD in scope["path"]:
            scope["path"] = scope["path"].replace(HELD, "/")
            # A new one: what the routing found is cached.
            scope["path_params"] = {
                name: value.replace(HELD, "/") for name, value in scope["path_params"].items()
            }
        await next_app(scope, receive, send)
