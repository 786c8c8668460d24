"""Access tokens that processes share: sealed in Redis, and gone with the token.

Redis may be away: then each process asks for its own, and nothing else is lost.
"""

from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from msgspec import Struct
from redis.asyncio import Redis
from redis.exceptions import RedisError

from adapters.credentials.safe import PostgresSafe
from adapters.sealing import seal, unseal
from application.credentials import AccessToken
from domain.ids import TenantId

PREFIX: Final = "asiento:tokens:"


class Wanted(Struct, frozen=True, array_like=True, tag="token"):
    """Which token: of which version of a credential, and for which scopes."""

    tenant: TenantId
    credential: str
    secret_id: str
    scopes: tuple[str, ...]

    @property
    def binding(self) -> bytes:
        """Say it in a way that no scope can make it mean another: callers name them."""
        return msgspec.json.encode(self)

    @property
    def key(self) -> str:
        return PREFIX + sha256(self.binding).hexdigest()


class _Kept(Struct, array_like=True):
    text: str
    expires_at: datetime
    kind: str


class TokenCache:
    """Keeps tokens for as long as they are good."""

    def __init__(self, redis: Redis, safe: PostgresSafe) -> None:
        self._redis = redis
        self._safe = safe

    async def find(self, wanted: Wanted) -> AccessToken | None:
        """Return a token that another process was given; None: there is none, or no Redis."""
        sealed: bytes | str | None = None
        with suppress(RedisError, OSError):
            sealed = await self._redis.get(wanted.key)
        if not isinstance(sealed, bytes):
            return None
        key = await self._safe.key_of(wanted.tenant)
        try:
            plain = unseal(key.tokens, sealed, wanted.binding)
        except (InvalidTag, ValueError):
            return None  # Of a key that is no more: another is asked for.
        kept = msgspec.json.decode(plain, type=_Kept)
        return AccessToken(text=kept.text, expires_at=kept.expires_at, kind=kept.kind)

    async def keep(self, wanted: Wanted, token: AccessToken, seconds: float) -> None:
        """Keep a token for so long."""
        milliseconds = int(seconds * 1000)
        if milliseconds <= 0:
            return
        key = await self._safe.key_of(wanted.tenant)
        plain = msgspec.json.encode(_Kept(token.text, token.expires_at, token.kind))
        sealed = seal(key.tokens, plain, wanted.binding)
        with suppress(RedisError, OSError):
            await self._redis.set(wanted.key, sealed, px=milliseconds)
