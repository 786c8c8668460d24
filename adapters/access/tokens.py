"""Access tokens: signed, short-lived, and read with one algorithm, whatever their header says.

They say who it is and for which tenant; what that person may do is looked up when they come.
JWT by RFC 7519, under the advice of RFC 8725.
"""

from datetime import datetime
from typing import Final

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from msgspec import Struct

from domain.ids import TenantId

ALGORITHM: Final = "HS256"
ISSUER: Final = "asiento"
AUDIENCE: Final = "asiento-api"
LENGTH_MAX: Final = 8_000


class Claims(Struct, frozen=True, kw_only=True):
    """What a token says of its holder."""

    sub: str  # user:…
    tenant: TenantId
    iat: int
    exp: int
    iss: str = ISSUER
    aud: str = AUDIENCE


class Tokens:
    """Signs and reads the tokens of an instance."""

    def __init__(self, key: bytes) -> None:
        self._key = OctKey.import_key(key)

    def sign(
        self,
        subject: str,
        tenant: TenantId,
        *,
        now: datetime,
        seconds: int,
    ) -> str:
        issued = int(now.timestamp())
        claims = Claims(sub=subject, tenant=tenant, iat=issued, exp=issued + seconds)
        return jwt.encode({"alg": ALGORITHM}, msgspec.to_builtins(claims), self._key)

    def read(self, token: str, *, now: datetime) -> Claims | None:
        """Return the claims of a token that we signed and that still holds."""
        if len(token) > LENGTH_MAX:
            return None
        try:
            found = jwt.decode(token, self._key, algorithms=[ALGORITHM]).claims
            claims = msgspec.convert(found, Claims)
        except (JoseError, msgspec.ValidationError, ValueError):
            return None
        ours = claims.iss == ISSUER and claims.aud == AUDIENCE
        return claims if ours and claims.exp > now.timestamp() else None
