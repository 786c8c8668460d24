"""Challenges: each says by itself for what it was given and until when, and counts once.

They are kept nowhere, so that whoever asks for many fills nothing; only that one counted is kept,
in Redis, until it would have run out. Where Redis is away, none counts.
"""

import hmac
import secrets
from hashlib import sha256
from typing import Final

from adapters.access.secret import keys_for
from adapters.redis.connections import reached
from adapters.runtime import Runtime

CHALLENGE_SECONDS: Final = 300
PURPOSE: Final = "challenge 1"
NONCE_BYTES: Final = 24
TIME_BYTES: Final = 8
SAID_BYTES: Final = NONCE_BYTES + TIME_BYTES


def new_challenge(runtime: Runtime, purpose: str) -> bytes:
    """Make a challenge for a purpose, such as a login."""
    ends = int(runtime.clock.now().timestamp()) + CHALLENGE_SECONDS
    said = secrets.token_bytes(NONCE_BYTES) + ends.to_bytes(TIME_BYTES)
    return said + _proof(keys_for(runtime.settings, PURPOSE)[0], purpose, said)


def is_ours(runtime: Runtime, purpose: str, challenge: bytes) -> bool:
    """Tell whether we gave it for this purpose, and not too long ago."""
    said, shown = challenge[:SAID_BYTES], challenge[SAID_BYTES:]
    proofs = [_proof(key, purpose, said) for key in keys_for(runtime.settings, PURPOSE)]
    if not any([hmac.compare_digest(each, shown) for each in proofs]):  # noqa: C419 - all of them.
        return False
    return int.from_bytes(said[NONCE_BYTES:]) > runtime.clock.now().timestamp()


async def counts(runtime: Runtime, challenge: bytes) -> bool:
    """Tell whether it has not counted before; from here on it has.

    Raises:
        Unavailable: Redis is away.

    """
    name = f"asiento:challenge:{sha256(challenge).hexdigest()}"
    with reached():
        return bool(await runtime.redis.set(name, 1, nx=True, ex=CHALLENGE_SECONDS))


def _proof(key: bytes, purpose: str, said: bytes) -> bytes:
    return hmac.digest(key, purpose.encode() + b"\0" + said, "sha256")
