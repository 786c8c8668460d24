"""Begun and not yet done: what the second half of an exchange needs, for some minutes, in Redis."""

from typing import Final

from adapters.redis.connections import reached
from adapters.runtime import Runtime

PENDING_SECONDS: Final = 300


async def put(runtime: Runtime, name: str, value: str) -> None:
    """Keep a value under a name, for five minutes.

    Raises:
        Unavailable: Redis is away.

    """
    with reached():
        await runtime.redis.set(_key(name), value, ex=PENDING_SECONDS)


async def look(runtime: Runtime, name: str) -> str | None:
    """Read what is kept under a name, and leave it there; None: nothing, or no more.

    Raises:
        Unavailable: Redis is away.

    """
    with reached():
        found = await runtime.redis.get(_key(name))
    return found.decode() if isinstance(found, bytes) else found


async def drop(runtime: Runtime, name: str) -> None:
    """Keep nothing under a name any more.

    Raises:
        Unavailable: Redis is away.

    """
    with reached():
        await runtime.redis.delete(_key(name))


def _key(name: str) -> str:
    return f"asiento:pending:{name}"
