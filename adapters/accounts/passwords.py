"""Passwords: kept as Argon2id hashes (RFC 9106), and checked without telling who has one."""

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from adapters.accounts.breached import breached
from adapters.settings import Settings
from application.accounts import prepared
from application.errors import Unavailable

HASHING_MAX: Final = 2
"""Hashes at one time: each takes PASSWORD_KIB of memory and a core."""

WAITING_MAX: Final = 200
"""Hashes that wait for those: who comes after them would wait for seconds."""

DEFAULTS: Final = Settings()
R = TypeVar("R")


class _Queue:
    """Hashes in threads, so that nothing else waits for it."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(HASHING_MAX, thread_name_prefix="argon2")
        self._waiting = 0

    async def run(self, work: Callable[[], R]) -> R:
        if self._waiting >= WAITING_MAX:
            raise Unavailable(
                "access.busy",
                f"{self._waiting} others wait for their passwords to be checked.",
                hint="Try again in a moment. Whoever is logged in goes on working.",
            )
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1


_queue = _Queue()


def hash_password(password: str, settings: Settings = DEFAULTS) -> str:
    """Return what is kept of *password*. Takes some 30 ms, on purpose."""
    return _hasher(settings).hash(_bytes(password))


async def hashed(password: str, settings: Settings) -> str:
    """Return what is kept of *password*, while others go on.

    Raises:
        Unavailable: Too many wait for theirs.

    """
    return await _queue.run(partial(hash_password, password, settings))


async def is_password(kept: str | None, password: str, settings: Settings = DEFAULTS) -> bool:
    """Tell whether *password* is the one of the hash *kept*, None being that of nobody.

    Raises:
        Unavailable: Too many wait for theirs.

    """
    against = kept or _nobody(*_cost(settings))
    matches = await _queue.run(partial(_verify, against, password, settings))
    return matches and kept is not None


def is_outdated(kept: str, settings: Settings) -> bool:
    """Tell whether a hash was made at another cost than hashes are made at now."""
    return _hasher(settings).check_needs_rehash(kept)


def get_ready(settings: Settings) -> None:
    """Make what the first check would make, so that it takes no longer than the others.

    Raises:
        Malformed: BREACHED_PASSWORDS names no such file.

    """
    _nobody(*_cost(settings))
    breached(settings)


def _verify(kept: str, password: str, settings: Settings) -> bool:
    try:
        return _hasher(settings).verify(kept, _bytes(password))
    except (VerificationError, InvalidHashError):
        return False


def _bytes(password: str) -> bytes:
    return prepared(password).encode(errors="surrogatepass")


def _cost(settings: Settings) -> tuple[int, int, int]:
    return settings.password_passes, settings.password_kib, settings.password_lanes


def _hasher(settings: Settings) -> PasswordHasher:
    return PasswordHasher(*_cost(settings))


@cache
def _nobody(passes: int, kib: int, lanes: int) -> str:
    """Make a hash that is checked where there is no account, so that it takes the same time."""
    return PasswordHasher(passes, kib, lanes).hash(secrets.token_bytes())
