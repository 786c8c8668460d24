"""The three pages: a frame each, whose scripts and styles are our own assets.

A page holds no script of its own, so the policy that it is sent with allows none.
"""

from html import escape
from typing import Final

from msgspec import Struct

from adapters.pages.assets import address

POLICY: Final = {
    "default-src": "'none'",
    "script-src": "'self'",
    # The three write styles while they run; a style can ask for nothing but what is allowed here.
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data:",
    "font-src": "'self' data:",
    "connect-src": "'self'",
    # ReDoc searches in a worker that it makes of its own text.
    "worker-src": "'self' blob:",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
HEADERS: Final = {
    "Content-Security-Policy": "; ".join(f"{what} {whence}" for what, whence in POLICY.items()),
    "Cache-Control": "no-cache",
}


class Frame(Struct, frozen=True):
    """What a page is made of; its scripts run in their order."""

    title: str
    scripts: tuple[str, ...]
    styles: tuple[str, ...] = ()
    place: str = ""
    """Style of the place that the scripts fill."""


GRAPHIQL: Final = Frame(
    "Asiento GraphiQL", ("graphiql.js",), ("graphiql.css",), place="height:100dvh"
)
SWAGGER: Final = Frame("Asiento REST", ("swagger-ui.js", "start-swagger.js"), ("swagger-ui.css",))
REDOC: Final = Frame("Asiento REST", ("redoc.js", "start-redoc.js"))


def page(of: Frame) -> bytes:
    links = "".join(f'<link rel="stylesheet" href="{address(each)}">' for each in of.styles)
    scripts = "".join(f'<script defer src="{address(each)}"></script>' for each in of.scripts)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(of.title)}</title>{links}{scripts}"
        f'<body style="margin:0"><div id="page" style="{of.place}"></div>'
        "<noscript>This page is a script. For programs there are docs/schema.graphql and"
        ' <a href="/openapi.json">openapi.json</a>.</noscript></body></html>'
    ).encode()
