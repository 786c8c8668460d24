"""Redis: who asks first after it was restarted is answered, as everybody later."""

import asyncio
from urllib.parse import urlsplit

import pytest
from redis.exceptions import ConnectionError as BrokenOff

from adapters.embedded.servers import Urls
from adapters.redis.broker import make_broker
from adapters.redis.connections import make_redis
from tests.faults.proxy import Proxy

ASKING = 3


async def test_whoever_asks_first_after_redis_was_restarted_is_answered(urls: Urls) -> None:
    async with _before(urls) as proxy, make_redis(_through(urls, proxy)) as redis:
        assert all(await asyncio.gather(*(redis.ping() for _ in range(ASKING))))
        for _ in range(ASKING):
            proxy.cut_all()
            assert await redis.ping()


async def test_the_queue_takes_what_comes_first_after_redis_was_restarted(urls: Urls) -> None:
    async with _before(urls) as proxy:
        broker = make_broker(_through(urls, proxy))
        assert await asyncio.to_thread(broker.client.ping)
        proxy.cut_all()
        assert await asyncio.to_thread(broker.client.ping)
        broker.client.close()


async def test_a_redis_that_is_away_is_not_waited_for(urls: Urls) -> None:
    async with _before(urls) as proxy:
        url = _through(urls, proxy)
    async with make_redis(url) as redis, asyncio.timeout(1.0):
        with pytest.raises(BrokenOff):
            await redis.ping()


def _before(urls: Urls) -> Proxy:
    parts = urlsplit(urls.redis_url)
    return Proxy(parts.port or 0, target_host=parts.hostname or "")


def _through(urls: Urls, proxy: Proxy) -> str:
    return urls.redis_url.replace(f":{urlsplit(urls.redis_url).port}/", f":{proxy.port}/")
