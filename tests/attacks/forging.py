"""Tokens that nobody of ours made, put together by hand, as no library holds a forger back."""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from adapters.access.tokens import ALGORITHM, AUDIENCE, ISSUER

Json: TypeAlias = dict[str, Any]  # Any: a forger writes what they like.
Signer: TypeAlias = Callable[[bytes], bytes]
TOKEN_SECONDS: Final = 600


class Forger:
    """Knows all that is public of an instance, and has keys of their own.

    The key of the instance itself is at hand as well, to see that what is refused would be taken
    but for the one thing that is wrong with it.
    """

    def __init__(self, seed: bytes, kid: str, claims: Json) -> None:
        self.ours = Ed25519PrivateKey.from_private_bytes(seed)
        self.theirs = Ed25519PrivateKey.generate()
        self.kid = kid
        self.claims = claims

    def token(
        self,
        header: Json | bytes | None = None,
        claims: Json | bytes | None = None,
        *,
        sign: Signer | None = None,
    ) -> str:
        """Put a token together; whatever is not given is as we make it ourselves."""
        first = encoded({"alg": ALGORITHM, "kid": self.kid} if header is None else header)
        second = encoded(self.claims if claims is None else claims)
        signature = (sign or self.ours.sign)(f"{first}.{second}".encode())
        return f"{first}.{second}.{base64(signature)}"

    def public_forms(self) -> dict[str, bytes]:
        """Write the public key in each way in which it could be taken for a secret."""
        key = self.ours.public_key()
        raw = key.public_bytes_raw()
        jwk = {"kty": "OKP", "crv": "Ed25519", "x": base64(raw)}
        return {
            "raw": raw,
            "hex": raw.hex().encode(),
            "base64": base64(raw).encode(),
            "pem": key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "der": key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            "jwk": msgspec.json.encode(jwk),
            "kid": self.kid.encode(),
            "nothing": b"",
        }


def ours(subject: str, tenant: str, session: str, now: float) -> Json:
    """Write claims as we would."""
    return {
        "sub": subject,
        "tenant": tenant,
        "sid": session,
        "iat": int(now),
        "exp": int(now) + TOKEN_SECONDS,
        "iss": ISSUER,
        "aud": AUDIENCE,
    }


def base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def encoded(part: Json | bytes) -> str:
    return base64(part if isinstance(part, bytes) else msgspec.json.encode(part))


def with_secret(secret: bytes, digest: str = "sha256") -> Signer:
    return lambda signed: hmac.digest(secret, signed, digest)


def unsigned(_signed: bytes) -> bytes:
    return b""


def by_rsa() -> Signer:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return lambda signed: key.sign(signed, padding.PKCS1v15(), hashes.SHA256())


def by_ecdsa() -> Signer:
    key = ec.generate_private_key(ec.SECP256R1())

    def sign(signed: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    return sign
