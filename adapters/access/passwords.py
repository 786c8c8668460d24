"""Passwords: kept as Argon2id hashes (RFC 9106), and checked without telling who has one."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

HASHING_MAX: Final = 2
"""Checks at one time: each takes 64 MiB and a core."""

_hasher = PasswordHasher()
_threads = ThreadPoolExecutor(HASHING_MAX, thread_name_prefix="argon2")
# Checked where there is no account, so that the answer takes the same time.
_NOBODY: Final = _hasher.hash("nobody has this password")


def hash_password(password: str) -> str:
    """Return what is kept of *password*. Takes some 50 ms, on purpose."""
    return _hasher.hash(password)


async def is_password(kept: str | None, password: str) -> bool:
    """Tell whether *password* is the one of the hash *kept*, None being that of nobody."""
    loop = asyncio.get_running_loop()
    matches = await loop.run_in_executor(_threads, _verify, kept or _NOBODY, password)
    return matches and kept is not None


def _verify(kept: str, password: str) -> bool:
    try:
        return _hasher.verify(kept, password)
    except (VerificationError, InvalidHashError):
        return False
