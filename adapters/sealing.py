"""Sealing by AES-256-GCM: a nonce of its own before each text, and what it is about bound to it."""

import os
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES: Final = 12


def seal(cipher: AESGCM, plain: bytes, about: bytes) -> bytes:
    """Seal bytes, so that they open only with what they are about."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, plain, about)


def unseal(cipher: AESGCM, sealed: bytes, about: bytes) -> bytes:
    """Open what was sealed.

    Raises:
        InvalidTag: It was changed, is about something else, or of another key.
        ValueError: It is too short to be sealed.

    """
    return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], about)
