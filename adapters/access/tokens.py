"""Access tokens: signed, short-lived, and read with one algorithm, whatever their header says.

They say who it is, for which company and by which session; what that person may do is looked up
when they come. JWT by RFC 7519, under the advice of RFC 8725; EdDSA over Ed25519 by RFC 8037.
"""

import warnings
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import Key, KeyParameters, KeySet, OKPKey
from msgspec import Struct

from domain.ids import TenantId

ALGORITHM: Final = "EdDSA"
PURPOSE: Final = "access token 2"
ISSUER: Final = "asiento"
AUDIENCE: Final = "asiento-api"
LENGTH_MAX: Final = 4_000
KID_LENGTH: Final = 16
KEPT_MAX: Final = 10_000

# RFC 9864 would call it Ed25519; many readers know it by its older name alone.
warnings.filterwarnings("ignore", "EdDSA is deprecated", SecurityWarning)


class Claims(Struct, frozen=True, kw_only=True):
    """What a token says of its holder."""

    sub: str  # user:…
    tenant: TenantId
    sid: str
    iat: int
    exp: int
    iss: str
    aud: str


class Tokens:
    """Signs and reads the tokens of an instance. What was read lately is not verified again."""

    def __init__(self, seeds: Sequence[bytes]) -> None:
        keys: list[Key] = [_key(seed) for seed in seeds]
        self._signs = keys[0]
        self._known = KeySet(keys)
        self._read: OrderedDict[str, Claims] = OrderedDict()

    def sign(
        self, subject: str, tenant: TenantId, session: str, *, now: datetime, seconds: int
    ) -> str:
        issued = int(now.timestamp())
        claims = Claims(
            sub=subject,
            tenant=tenant,
            sid=session,
            iat=issued,
            exp=issued + seconds,
            iss=ISSUER,
            aud=AUDIENCE,
        )
        header = {"alg": ALGORITHM, "kid": self._signs.kid}
        return jwt.encode(header, msgspec.to_builtins(claims), self._signs, [ALGORITHM])

    def read(self, token: str, *, now: datetime) -> Claims | None:
        """Return the claims of a token that we signed and that still holds."""
        claims = self._read.get(token) or self._verified(token)
        return claims if claims and claims.exp > now.timestamp() else None

    def _verified(self, token: str) -> Claims | None:
        if len(token) > LENGTH_MAX:
            return None
        try:
            decoded = jwt.decode(token, self._known, [ALGORITHM])
            claims = msgspec.convert(decoded.claims, Claims)
        except (JoseError, msgspec.ValidationError, ValueError, RecursionError):
            return None
        if claims.iss != ISSUER or claims.aud != AUDIENCE:
            return None
        self._read[token] = claims
        while len(self._read) > KEPT_MAX:
            self._read.popitem(last=False)
        return claims


def _key(seed: bytes) -> OKPKey:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    text = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    kid = sha256(private.public_key().public_bytes_raw()).hexdigest()[:KID_LENGTH]
    named: KeyParameters = {"kid": kid, "use": "sig", "alg": ALGORITHM}
    return OKPKey.import_key(text, named)
