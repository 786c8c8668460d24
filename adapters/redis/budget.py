"""A budget for each key, which fills up again by the second: a token bucket in Redis.

A process takes what a key will need in the next moment from Redis at once, and gives it out
itself, so that most requests ask nobody. What is taken is gone from the bucket, so a key never
gets more than the bucket held and what ran in. It may come later, though, by a second: within any
stretch of time a key may get what each process had taken before, a quarter of a second's worth.
Where Redis is away, requests go on: a budget is against eagerness, not against intruders.
"""

import asyncio
import time
from collections import OrderedDict
from math import ceil
from typing import Final, LiteralString
from weakref import WeakKeyDictionary

import structlog
from msgspec import Struct
from redis.asyncio import Redis
from redis.exceptions import RedisError

from application.kernel import Context

FULL_SECONDS: Final = 10
"""A bucket holds what runs in within so long, for whoever asked for little before."""

AHEAD_SECONDS: Final = 0.25
KEPT_SECONDS: Final = 1.0
REDIS_SECONDS_MAX: Final = 0.25
AWAY_SECONDS: Final = 1.0
"""So long a Redis that was away is not asked again."""

PURSES_MAX: Final = 10_000
log = structlog.get_logger()

# One key: the hash of a bucket. Given: what runs in a second, what it holds, the least that is
# wanted and the most. Answers what was taken (0: nothing) and what is left.
TAKE: LiteralString = """
local now = redis.call('TIME')
local at = now[1] * 1000 + math.floor(now[2] / 1000)  -- Milliseconds.
local rate, full = tonumber(ARGV[1]), tonumber(ARGV[2])
local least, most = tonumber(ARGV[3]), tonumber(ARGV[4])
local kept = redis.call('HMGET', KEYS[1], 'left', 'at')
local left = tonumber(kept[1]) or full
local passed = math.max(at - (tonumber(kept[2]) or at), 0)
left = math.min(full, left + passed * rate / 1000)
local taken = 0
if left >= least then taken = math.floor(math.min(left, most)) end
redis.call('HSET', KEYS[1], 'left', string.format('%.3f', left - taken), 'at', at)
redis.call('PEXPIRE', KEYS[1], math.ceil(full / rate * 1000) + 1000)
return {taken, math.floor(left - taken)}
"""


class Left(Struct, frozen=True):
    """What a key may still spend, as far as this process knows; or how long it has to wait."""

    remaining: int
    wait_seconds: int = 0


class _Purse(Struct):
    """What this process took for a key and did not give out yet."""

    lock: asyncio.Lock
    tokens: int = 0
    behind: int = 0  # What was left in Redis when it was last asked.
    until: float = 0.0  # When what is left of it is forgotten.


class Budget:
    """Gives out what keys may spend of one thing, in one process."""

    def __init__(self, redis: Redis, name: str) -> None:
        self._name = name
        self._take = redis.register_script(TAKE)
        self._purses: OrderedDict[tuple[str, str], _Purse] = OrderedDict()
        self._away_until = 0.0

    async def spend(self, who: Context, cost: int, *, rate: int, full: int) -> Left | None:
        """Take *cost* off what *who* has; *rate* runs in each second, up to *full*.

        None: nobody knows what is left, for Redis is away.
        """
        purse = self._purse(who)
        if cost <= purse.tokens and time.monotonic() < purse.until:
            purse.tokens -= cost
            return Left(purse.tokens + purse.behind)
        async with purse.lock:
            return await self._refill(who, purse, cost, rate, full)

    def _purse(self, who: Context) -> _Purse:
        key = (who.tenant, who.actor)
        purse = self._purses.get(key)
        if purse is None:
            purse = self._purses[key] = _Purse(lock=asyncio.Lock())
            while len(self._purses) > PURSES_MAX:
                self._purses.popitem(last=False)
        else:
            self._purses.move_to_end(key)
        return purse

    async def _refill(
        self, who: Context, purse: _Purse, cost: int, rate: int, full: int
    ) -> Left | None:
        now = time.monotonic()
        if now >= purse.until:
            purse.tokens = 0
        if cost > purse.tokens:
            most = cost + int(rate * AHEAD_SECONDS)
            answer = await self._ask(who, rate, full, cost, most)
            if answer is None:
                return None
            taken, purse.behind = answer
            purse.tokens += taken
            purse.until = now + KEPT_SECONDS
        if cost > purse.tokens:
            missing = cost - purse.behind
            return Left(purse.tokens + purse.behind, max(ceil(missing / rate), 1))
        purse.tokens -= cost
        return Left(purse.tokens + purse.behind)

    async def _ask(
        self, who: Context, rate: int, full: int, least: int, most: int
    ) -> tuple[int, int] | None:
        if time.monotonic() < self._away_until:
            return None
        try:
            async with asyncio.timeout(REDIS_SECONDS_MAX):
                name = f"asiento:budget:{self._name}:{who.tenant}:{who.actor}"
                taken, left = await self._take(keys=[name], args=[rate, full, least, most])
        except (RedisError, OSError, TimeoutError) as error:
            if not self._away_until:
                log.warning("budget.unbounded", of=self._name, reason=type(error).__name__)
            self._away_until = time.monotonic() + AWAY_SECONDS
            return None
        if self._away_until:
            log.info("budget.bounded", of=self._name)
            self._away_until = 0.0
        return int(taken), int(left)


_budgets: WeakKeyDictionary[Redis, dict[str, Budget]] = WeakKeyDictionary()


def budget_of(redis: Redis, name: str) -> Budget:
    """Return the budgets of that name in a process, made when the first one asks."""
    budgets = _budgets.setdefault(redis, {})
    if name not in budgets:
        budgets[name] = Budget(redis, name)
    return budgets[name]
