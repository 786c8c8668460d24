"""The documentation of REST: our own OpenAPI document, and two pages that show it to people."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec
from litestar import Litestar, MediaType, Request, Response, Router, get
from litestar.enums import OpenAPIMediaType
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.response import Redirect

from adapters.pages.html import HEADERS, REDOC, SWAGGER, page
from adapters.rest.described import described


class SwaggerPage(OpenAPIRenderPlugin):
    """Shows Swagger UI at the address of the documentation."""

    def __init__(self) -> None:
        super().__init__(path="/", media_type=MediaType.HTML)

    def render(
        self,
        request: Request[Any, Any, Any],  # noqa: ARG002 - the framework's.
        openapi_schema: Mapping[str, Any],  # noqa: ARG002 - the page fetches it.
    ) -> bytes:
        return page(SWAGGER)


def docs_router() -> Router:
    """Make the place of Swagger UI, whose answers carry the headers of a page."""
    return Router("/docs", route_handlers=[], response_headers=HEADERS, include_in_schema=False)


@get("/redoc", include_in_schema=False)
async def redoc() -> Response[bytes]:
    return Response(page(REDOC), media_type=MediaType.HTML, headers=dict(HEADERS))


@get("/", include_in_schema=False)
async def front_door() -> Redirect:
    return Redirect("/docs")


@get("/openapi.json", media_type=OpenAPIMediaType.OPENAPI_JSON, include_in_schema=False)
async def openapi_json(request: Request[Any, Any, Any]) -> bytes:
    return document_of(request.app)


@lru_cache(maxsize=1)
def document_of(app: Litestar) -> bytes:
    """Write the OpenAPI document in lines that a diff can be read in."""
    schema = described(app.openapi_schema.to_schema())
    return msgspec.json.format(msgspec.json.encode(schema, enc_hook=str), indent=1) + b"\n"
