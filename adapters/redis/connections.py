"""Connections to Redis: one that broke since it was last used is made anew, and asked again once.

Without that, each one in the pool would fail whoever asks first after Redis was restarted. What
was sent may be done twice: hints, ticks, tries to log in that are counted, messages of jobs that
run once however often they are queued. What bears no second time needs a client of its own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from redis import Redis as BlockingRedis
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as BrokenOff
from redis.exceptions import RedisError
from redis.retry import Retry as BlockingRetry

from application.errors import Unavailable

AGAIN_MAX: Final = 1
"""On a fresh connection. Who fails there, too, finds no Redis at all."""


def make_redis(url: str) -> Redis:
    """Describe a pool of connections; they are made when they are needed."""
    client: Redis = Redis.from_url(url, retry=Retry(NoBackoff(), AGAIN_MAX, (BrokenOff,)))
    return client


def make_blocking_redis(url: str) -> BlockingRedis:
    """As ``make_redis``, for what is not asynchronous."""
    return BlockingRedis.from_url(url, retry=BlockingRetry(NoBackoff(), AGAIN_MAX, (BrokenOff,)))


@contextmanager
def reached() -> Iterator[None]:
    """Say it in our words where Redis is away.

    Raises:
        Unavailable: It can't be reached, or broke off.

    """
    try:
        yield
    except (RedisError, OSError) as error:
        raise Unavailable(
            "redis.unavailable",
            f"Redis can't be reached or broke off ({type(error).__name__}).",
            hint="Ask again when it is back. API keys go on working.",
        ) from error
