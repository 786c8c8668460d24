"""The answer to a login: tokens in it, or cookies beside it.

The cookie of a session binds itself to this host over TLS by its name (RFC 6265bis, 4.1.3.2). The
two that hold tokens are those that browsers of older pages keep. The token against forged
requests can be read by our pages, which send it back in a header.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

from litestar import Request, Response
from litestar.datastructures import Cookie, State
from msgspec import Struct
from msgspec.structs import replace

from adapters.access.door import door_of
from adapters.access.login import Entry, Keep
from adapters.access.shown import (
    ACCESS_COOKIE,
    CSRF_COOKIE,
    REFRESH_COOKIE,
    SESSION_COOKIE,
    read_page,
)
from adapters.runtime import Runtime
from adapters.settings import Settings

AnyRequest: TypeAlias = Request[Any, Any, State]  # Any: whoever asks.
SAME_SITE: Final[Mapping[str, Literal["lax", "none"]]] = {REFRESH_COOKIE: "none"}


class LoggedIn(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who is logged in, by tokens (RFC 6749, section 5.1) or by cookies.

    Attributes:
        expires_in: Seconds that the access token holds; where there is none, that the session
            holds while nobody uses it.
        csrf_token: What pages send back in X-CSRF-Token with what changes something.

    """

    session: str
    tenant: str
    expires_in: int
    access_token: str | None = None
    token_type: str | None = None
    refresh_token: str | None = None
    csrf_token: str | None = None


def check_page(request: AnyRequest, keep: Keep) -> None:
    """See that no page of others logs somebody in by cookies.

    Raises:
        Forbidden: It is one.

    """
    runtime: Runtime = request.app.state.runtime
    if keep != "tokens" or runtime.settings.cookie_domain:
        door_of(runtime).check_page(read_page(request.scope["headers"]))


def answered(settings: Settings, entry: Entry) -> Response[LoggedIn]:
    """Tell who logged in what the session is shown by."""
    session = entry.opened.session
    told = LoggedIn(
        session=session.session,
        tenant=session.acts_for,
        expires_in=settings.token_seconds,
        csrf_token=entry.csrf_token,
    )
    match entry.keep:
        case "session":
            told = replace(told, expires_in=settings.session_idle_seconds)
            kept = [
                _cookie(SESSION_COOKIE, entry.opened.secret, settings.session_seconds_max),
                _readable(entry.csrf_token, settings.session_seconds_max),
            ]
        case "cookies":
            kept = _tokens(settings, entry)
        case "tokens":
            told = replace(
                told,
                access_token=entry.access_token,
                token_type="Bearer",  # noqa: S106 - the name of a scheme.
                refresh_token=entry.opened.secret,
                csrf_token=entry.csrf_token if settings.cookie_domain else None,
            )
            kept = _tokens(settings, entry) if settings.cookie_domain else []
    return Response(told, cookies=kept)


def taken_away(settings: Settings) -> list[Cookie]:
    """Have a browser forget all of them."""
    domain = settings.cookie_domain
    return [
        _cookie(SESSION_COOKIE, "", 0),
        _readable("", 0),
        *([_readable("", 0, domain)] if domain else []),
        _cookie(ACCESS_COOKIE, "", 0, domain),
        _cookie(REFRESH_COOKIE, "", 0, domain),
    ]


def _tokens(settings: Settings, entry: Entry) -> list[Cookie]:
    domain, long = settings.cookie_domain, settings.refresh_seconds
    return [
        _cookie(ACCESS_COOKIE, entry.access_token, settings.token_seconds, domain),
        _cookie(REFRESH_COOKIE, entry.opened.secret, long, domain),
        _readable(entry.csrf_token, long, domain),
    ]


def _cookie(
    name: str, value: str, seconds: int, domain: str | None = None, *, readable: bool = False
) -> Cookie:
    return Cookie(
        key=name,
        value=value,
        max_age=seconds,
        path="/",
        domain=domain,
        secure=True,
        httponly=not readable,
        samesite=SAME_SITE.get(name, "lax"),
    )


def _readable(value: str, seconds: int, domain: str | None = None) -> Cookie:
    return _cookie(CSRF_COOKIE, value, seconds, domain, readable=True)
