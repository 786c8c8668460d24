"""What every answer says for its safety, where the handler says nothing of its own."""

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from litestar.config.cors import CORSConfig

from adapters.settings import Settings

Header: TypeAlias = tuple[bytes, bytes]
STRICT: Final = b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""An answer that is data loads nothing and is framed by nobody, should a browser show it."""

SENT: Final = (
    "Authorization",
    "Content-Type",
    "GraphQL-Require-Preflight",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "X-CSRF-Token",
    "X-Request-Id",
)
SHOWN: Final = (
    "Asiento-Masked",
    "Content-Disposition",
    "ETag",
    "Link",
    "Retry-After",
    "WWW-Authenticate",
    "X-Request-Id",
)


def safety_headers(settings: Settings) -> list[Header]:
    """Name what every answer carries. HTTPS is asked for where the settings say so."""
    readers = b"cross-origin" if settings.cors_origins else b"same-origin"
    headers = [
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"content-security-policy", STRICT),
        (b"x-frame-options", b"DENY"),
        (b"cross-origin-resource-policy", readers),
        (b"cache-control", b"no-store"),
    ]
    if settings.hsts_seconds:
        value = f"max-age={settings.hsts_seconds}; includeSubDomains".encode()
        headers.append((b"strict-transport-security", value))
    return headers


def with_defaults(headers: Iterable[Header], defaults: Sequence[Header]) -> list[Header]:
    """Add those of *defaults* that *headers* has not."""
    own = list(headers)
    names = {name for name, _ in own}  # In lower case, as ASGI has them.
    own += [each for each in defaults if each[0] not in names]
    return own


def cors_of(settings: Settings) -> CORSConfig | None:
    """Say which pages of others may call us from a browser; None: none.

    Those that are named may come with cookies; where all may, none does.
    """
    origins = settings.allowed_origins
    if not origins:
        return None
    return CORSConfig(
        allow_origins=origins,
        allow_credentials="*" not in origins,
        allow_methods=["GET", "HEAD", "POST", "OPTIONS"],
        allow_headers=list(SENT),
        expose_headers=list(SHOWN),
    )
