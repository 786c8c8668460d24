"""The safe and the tokens of a process, wired once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from adapters.credentials.cache import TokenCache
from adapters.credentials.keys import DataKeys
from adapters.credentials.safe import PostgresSafe
from adapters.credentials.tokens import Tokens
from adapters.credentials.using import User
from adapters.credentials.wrapping import ChosenWrapping, Wrapping
from adapters.keyring import Keyring
from adapters.postgres.connections import Pool
from adapters.settings import Settings
from application.bus import Bus
from application.kernel import SystemClock
from application.webhooks import Reach


@asynccontextmanager
async def open_wrapping(
    settings: Settings, pool: Pool, keyring: Keyring
) -> AsyncIterator[Wrapping]:
    """Open what wraps the keys of tenants.

    Raises:
        Malformed: Settings name a transit engine by halves.

    """
    if settings.transit_url is None:
        yield ChosenWrapping(pool, keyring, None)
        return
    from adapters.credentials.transit import open_transit  # noqa: PLC0415 - slow, and for few.

    async with open_transit(settings) as transit:
        yield ChosenWrapping(pool, keyring, transit, chosen=settings.transit_key is not None)


@asynccontextmanager
async def open_safe(
    settings: Settings, pool: Pool, keyring: Keyring
) -> AsyncIterator[PostgresSafe]:
    """Open the safe."""
    async with open_wrapping(settings, pool, keyring) as wrapping:
        yield PostgresSafe(pool, DataKeys(pool, wrapping), reach_of(settings))


@asynccontextmanager
async def open_tokens(
    settings: Settings, bus: Bus, safe: PostgresSafe, redis: Redis, clock: SystemClock
) -> AsyncIterator[Tokens]:
    """Open what gives tokens; at the end what is under way is waited for."""
    tokens = Tokens(
        settings=settings,
        reach=reach_of(settings),
        user=User(bus, safe, clock),
        safe=safe,
        cache=TokenCache(redis, safe),
        clock=clock,
    )
    try:
        yield tokens
    finally:
        await tokens.drain()


def reach_of(settings: Settings) -> Reach:
    """Say where secrets may be sent to from here."""
    return Reach(http=settings.credential_allow_http, private=settings.credential_allow_private)
