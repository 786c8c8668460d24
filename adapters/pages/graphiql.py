"""GraphiQL for people who open the address of GraphQL in a browser.

The page is for everyone; the schema behind it is for those who show a credential.
"""

from typing import Final

from litestar import MediaType, Response

from adapters.pages.html import GRAPHIQL, HEADERS, page

WANTED: Final = "text/html"


def wants_page(accept: str) -> bool:
    """Tell a browser from a program: nobody else asks for HTML by name."""
    return WANTED in accept


def graphiql() -> Response[bytes]:
    return Response(page(GRAPHIQL), media_type=MediaType.HTML, headers=dict(HEADERS))
