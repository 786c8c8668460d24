"""What a request shows of its sender: a credential in a header or in a cookie, and its origin.

A header is sent by whoever means to. A cookie is sent by the browser, whichever page asks; so who
comes by a cookie and changes something has to show that it is one of our pages that asks.
"""

import hmac
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from application.errors import Forbidden
from domain.access import SessionId

SESSION_COOKIE: Final = "__Host-session"
ACCESS_COOKIE: Final = "access_token"
REFRESH_COOKIE: Final = "refresh_token"
CSRF_COOKIE: Final = "csrf_token"
CSRF_HEADER: Final = b"x-csrf-token"
CSRF_PURPOSE: Final = "csrf token 1"
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
WEB: Final = frozenset({"http", "https"})
OWN_SITE: Final = frozenset({"same-origin", "none"})
"""None: the person typed the address, or followed a bookmark."""


class Page(Struct, frozen=True, kw_only=True):
    """The page that asks, as far as the browser tells.

    Attributes:
        origin: Where the page is from.
        site: What ``Sec-Fetch-Site`` says.
        host: What the request was sent to.
        csrf: The token against forged requests.

    """

    origin: str | None = None
    site: str | None = None
    host: str = ""
    csrf: str = ""

    def is_ours(self, origins: frozenset[str]) -> bool | None:
        """Tell whether it is from here, or from one of *origins*; None: nobody knows."""
        if self.origin is not None:
            return self.origin in origins or _host_of(self.origin) == self.host
        return None if self.site is None else self.site in OWN_SITE


def _host_of(origin: str) -> str | None:
    """Name the host of a page, with its port; None: it is no page of the web."""
    try:
        found = urlsplit(origin)
    except ValueError:
        return None
    return found.netloc if found.scheme in WEB and found.netloc else None


class Shown(Struct, frozen=True, kw_only=True):
    """What a request shows of its sender.

    Attributes:
        authorization: The header of that name.
        address: Where it comes from; empty: nobody knows.
        cookies: By name; none are looked at where there is that header.
        page: The page that asks, where there are cookies.
        changes: It may change something, as its method is not a safe one.
        socket: It opens a WebSocket, with which a browser sends no header of a page's own.

    """

    authorization: str = ""
    address: str = ""
    cookies: dict[str, str] = {}
    page: Page = Page()
    changes: bool = False
    socket: bool = False


def read_shown(
    headers: Iterable[tuple[bytes, bytes]],
    method: str | None,
    client: tuple[str, int] | None = None,
) -> Shown:
    """Read the headers of a request, by their names in lower case; a WebSocket has no method."""
    found = dict(headers)  # Where one is sent twice, the last.
    authorization = found.get(b"authorization", b"").decode("latin-1")
    address = client[0] if client else ""
    if authorization or b"cookie" not in found:
        return Shown(authorization=authorization, address=address)
    return Shown(
        address=address,
        cookies=_cookies(found[b"cookie"].decode("latin-1")),
        page=read_page(headers),
        changes=method is not None and method not in SAFE_METHODS,
        socket=method is None,
    )


def read_page(headers: Iterable[tuple[bytes, bytes]]) -> Page:
    """Read what the headers tell of the page that asks."""
    found = {name: value.decode("latin-1") for name, value in headers}
    return Page(
        origin=found.get(b"origin"),
        site=found.get(b"sec-fetch-site"),
        host=found.get(b"host", ""),
        csrf=found.get(CSRF_HEADER, ""),
    )


def csrf_token(key: bytes, session: SessionId) -> str:
    """Make the token that pages of ours send along; it is of one session, and ends with it."""
    return hmac.new(key, session.encode(), "sha256").hexdigest()


def check_forgery(shown: Shown, expected: str, origins: frozenset[str], *, strict: bool) -> None:
    """See that one of our pages asks, where a cookie says who it is and something may change.

    Args:
        shown: What the request shows.
        expected: The token of the session.
        origins: Of pages that may ask beside our own, such as https://books.example.
        strict: Ask for the token whatever the browser tells. Otherwise an origin that the browser
            vouches for is enough, by which pages go on working that know of no token.

    Raises:
        Forbidden: It is a page of others, or nobody knows.

    """
    if not (shown.changes or shown.socket):
        return
    ours = shown.page.is_ours(origins)
    told = not shown.socket and hmac.compare_digest(shown.page.csrf.encode(), expected.encode())
    vouched = ours is True and (shown.socket or not strict)
    if ours is False or not (told or vouched):
        raise Forbidden(
            "access.forged_request",
            "A cookie says who is asking, and nothing shows that it is one of our pages that asks.",
            hint="Send the csrf_token of the login in the header X-CSRF-Token, from an origin that"
            " CORS_ORIGINS names; or send a token in Authorization, and no cookie.",
        )


def _cookies(text: str) -> dict[str, str]:
    try:
        return {name: each.value for name, each in SimpleCookie(text).items()}
    except CookieError:
        return {}
