"""The key that signs anchors: given, or made once. Who has its public half can check them."""

from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.private import made_once, random_hex
from adapters.settings import Settings
from application.errors import Malformed

FILE: Final = "anchor-key"
SEED_BYTES: Final = 32


class SigningKey:
    """Implements ``application.anchors.Signer``."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    @property
    def public_key(self) -> str:
        return self._key.public_key().public_bytes_raw().hex()

    def sign(self, content: bytes) -> str:
        return self._key.sign(content).hex()


def signing_key(settings: Settings) -> SigningKey:
    """Take the key that is set, or the instance's own, made by whoever asks first.

    Raises:
        Malformed: What was set is no key.

    """
    return _read(settings.anchor_signing_key or made_once(key_file(settings), random_hex))


def known_signing_key(settings: Settings) -> SigningKey | None:
    """As ``signing_key``, but make none: a new key could verify nothing."""
    if settings.anchor_signing_key or key_file(settings).exists():
        return signing_key(settings)
    return None


def key_file(settings: Settings) -> Path:
    return settings.data / FILE


def _read(text: str) -> SigningKey:
    try:
        seed = bytes.fromhex(text)
    except ValueError:
        seed = b""
    if len(seed) != SEED_BYTES:
        raise Malformed(
            "settings.bad_anchor_key",
            "The key that signs anchors is not 32 bytes in hex.",
            hint="Set ANCHOR_SIGNING_KEY to what `openssl rand -hex 32` gives, or unset it.",
        )
    return SigningKey(seed)
