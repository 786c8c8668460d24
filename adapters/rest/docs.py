"""The documentation pages: made from our own OpenAPI document, and loading nothing from anywhere.

The usual viewers are JavaScript of several megabytes that their pages fetch from a CDN.
"""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

import msgspec
from litestar import Litestar, MediaType, Request, get
from litestar.enums import OpenAPIMediaType
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.response import Redirect

METHODS: Final = ("get", "post", "put", "patch", "delete")
STYLE: Final = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
code,pre{font:14px/1.4 ui-monospace,monospace}pre{overflow:auto;padding:.5rem;background:#8881}
details{border:1px solid #8884;border-radius:4px;margin:.4rem 0;padding:.3rem .7rem}
summary{cursor:pointer}b{display:inline-block;width:4rem}:root{color-scheme:light dark}
"""
Json = Mapping[str, Any]  # Any: a document.


class OfflinePages(OpenAPIRenderPlugin):
    """Renders every operation and schema as one page without scripts, at /docs."""

    def __init__(self) -> None:
        super().__init__(path="/")

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002 - the framework's.
        return page_of(openapi_schema).encode()


@get("/redoc", media_type=MediaType.HTML, include_in_schema=False)
async def redoc(request: Request[Any, Any, Any]) -> str:
    return page_of(request.app.openapi_schema.to_schema())


@get("/", include_in_schema=False)
async def front_door() -> Redirect:
    return Redirect("/docs")


@get("/openapi.json", media_type=OpenAPIMediaType.OPENAPI_JSON, include_in_schema=False)
async def openapi_json(request: Request[Any, Any, Any]) -> bytes:
    return document_of(request.app)


def document_of(app: Litestar) -> bytes:
    """Write the OpenAPI document in lines that a diff can be read in."""
    schema = app.openapi_schema.to_schema()
    return msgspec.json.format(msgspec.json.encode(schema, enc_hook=str), indent=1) + b"\n"


def page_of(document: Json) -> str:
    """Write an OpenAPI document as HTML."""
    info = document["info"]
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width'>"
        f"<title>{escape(info['title'])}</title><style>{STYLE}</style>"
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>"
        f"<p>{escape(info.get('description', ''))}</p>"
        "<p>For programs: <a href='/openapi.json'>/openapi.json</a></p>"
        f"<h2>Operations</h2>{''.join(_operations(document))}"
        f"<h2>Schemas</h2>{''.join(_schemas(document))}"
    )


def _operations(document: Json) -> Iterator[str]:
    for path, item in sorted(document["paths"].items()):
        for method in METHODS:
            if operation := item.get(method):
                yield _operation(method, path, operation)


def _operation(method: str, path: str, operation: Json) -> str:
    shown = {
        name: operation[name]
        for name in ("parameters", "requestBody", "responses")
        if operation.get(name)
    }
    return (
        f"<details id='{escape(operation.get('operationId', ''))}'>"
        f"<summary><b>{method.upper()}</b><code>{escape(path)}</code>"
        f" {escape(operation.get('summary') or '')}</summary>"
        f"<p>{escape(operation.get('description') or '')}</p>{_json(shown)}</details>"
    )


def _schemas(document: Json) -> Iterator[str]:
    for name, schema in sorted(document.get("components", {}).get("schemas", {}).items()):
        yield (
            f"<details id='{escape(name)}'><summary><code>{escape(name)}</code></summary>"
            f"{_json(schema)}</details>"
        )


def _json(value: object) -> str:
    text = msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2).decode()
    return f"<pre>{escape(text)}</pre>"
