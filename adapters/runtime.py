"""What every process is made of: the store, the bus, the hub, wired once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final

from msgspec import Struct
from redis.asyncio import Redis

from adapters.blobs.folder import FolderBlobs
from adapters.credentials.opening import open_safe, open_tokens
from adapters.credentials.safe import PostgresSafe
from adapters.credentials.tokens import Tokens
from adapters.keyring import Keyring, open_keyring
from adapters.postgres.connections import Pool, make_pool
from adapters.postgres.store.event_store import PostgresEventStore
from adapters.postgres.subject_keys import PostgresSubjectKeys
from adapters.redis.connections import make_redis
from adapters.redis.hub import Hub
from adapters.settings import Settings
from application.bus import Bus
from application.errors import Malformed
from application.jobs import companions
from application.kernel import SystemClock
from application.vault import Vault
from application.webhooks import Reach
from domain.access import KeyDays
from projections.kernel import readable

STOP_AGAIN_SECONDS: Final = 0.1


class Runtime(Struct, frozen=True, kw_only=True):
    """The parts that surfaces, workers and commands of the CLI are built on."""

    settings: Settings
    pool: Pool
    read_pool: Pool  # Of a replica, where READ_DATABASE_URL names one. For queries only.
    redis: Redis
    hub: Hub
    store: PostgresEventStore
    keyring: Keyring
    vault: Vault
    safe: PostgresSafe
    bus: Bus
    tokens: Tokens
    blobs: FolderBlobs
    clock: SystemClock


@asynccontextmanager
async def open_runtime(settings: Settings) -> AsyncIterator[Runtime]:
    """Connect, and at the end append what was taken and disconnect.

    Raises:
        Malformed: DATABASE_URL or REDIS_URL is not set.
        Unavailable: PostgreSQL does not answer.

    """
    database_url, redis_url = _urls(settings)
    async with AsyncExitStack() as stack:
        redis = make_redis(redis_url)
        stack.push_async_callback(redis.aclose)
        hub = Hub(redis)
        pool, read_pool = await _open_pools(stack, database_url, settings)
        store = await stack.enter_async_context(
            PostgresEventStore(pool, database_url, hub.announce)
        )
        reading = asyncio.create_task(hub.run())
        stack.push_async_callback(_stop, reading)
        keyring = open_keyring(settings)
        vault = Vault(PostgresSubjectKeys.of_pool(pool, keyring))
        safe = await stack.enter_async_context(open_safe(settings, pool, keyring))
        bus, clock = _bus(settings, store, vault, safe), SystemClock()
        stack.push_async_callback(bus.drain)
        tokens = await stack.enter_async_context(open_tokens(settings, bus, safe, redis, clock))
        yield Runtime(
            settings=settings,
            pool=pool,
            read_pool=read_pool,
            redis=redis,
            hub=hub,
            store=store,
            keyring=keyring,
            vault=vault,
            safe=safe,
            bus=bus,
            tokens=tokens,
            blobs=FolderBlobs(settings.data / "blobs"),
            clock=clock,
        )


async def _open_pools(stack: AsyncExitStack, url: str, settings: Settings) -> tuple[Pool, Pool]:
    """Open the pool of the database, and that of its replica, where there is one."""
    replica, most = settings.read_database_url, settings.database_connections_max
    pool = await stack.enter_async_context(make_pool(url, size_max=most))
    if replica is None:
        return pool, pool
    return pool, await stack.enter_async_context(make_pool(replica, size_max=most))


def _bus(settings: Settings, store: PostgresEventStore, vault: Vault, safe: PostgresSafe) -> Bus:
    return Bus(
        store,
        vault=vault,
        seconds_max=settings.command_seconds_max,
        companions=companions,
        safe=safe,
        admit=partial(reach_of(settings).admit_to, store),
        readable=readable(),
        key_days=KeyDays(usual=settings.api_key_days, most=settings.api_key_days_max),
    )


def reach_of(settings: Settings) -> Reach:
    """Say how far webhooks reach from here."""
    return Reach(http=settings.webhook_allow_http, private=settings.webhook_allow_private)


def _urls(settings: Settings) -> tuple[str, str]:
    if not settings.database_url or not settings.redis_url:
        raise Malformed(
            "settings.no_servers",
            "DATABASE_URL and REDIS_URL are not both set.",
            hint="Set both, or start `asiento up`, which brings its own servers.",
        )
    return settings.database_url, settings.redis_url


async def _stop(task: asyncio.Task[None]) -> None:
    while not task.done():
        task.cancel()  # redis-py may swallow one while it connects.
        await asyncio.wait([task], timeout=STOP_AGAIN_SECONDS)
