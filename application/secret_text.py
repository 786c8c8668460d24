"""Secrets that are made here: 256 random bits, written in letters and digits.

So many bits are protected by a fast hash as well as by a slow one.
"""

import secrets
from hashlib import sha256
from string import ascii_letters, digits
from typing import Final

SECRET_BYTES: Final = 32
SECRET_LENGTH: Final = 43  # Base 62 digits of 32 bytes.
ALPHABET: Final = digits + ascii_letters


def new_secret() -> str:
    """Make a secret."""
    number, text = int.from_bytes(secrets.token_bytes(SECRET_BYTES)), ""
    for _ in range(SECRET_LENGTH):
        number, place = divmod(number, len(ALPHABET))
        text += ALPHABET[place]
    return text


def digest(secret: str) -> str:
    """Return what is kept of a secret."""
    return sha256(secret.encode()).hexdigest()
