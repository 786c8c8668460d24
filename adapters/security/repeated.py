"""How often something happened within an hour or a day, for all processes together, in Redis.

Where Redis is away each process counts for itself.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final, LiteralString

from redis.asyncio import Redis
from redis.exceptions import RedisError

from application.ports import Clock

HOUR: Final = 3_600
DAY: Final = 24 * HOUR
ALONE_MAX: Final = 10_000
"""Names that a process counts for itself. Whatever comes on top of them happens all the time."""

ALWAYS: Final = 10**9 + 1
COUNT: LiteralString = """
local times = redis.call('INCRBY', KEYS[1], ARGV[1])
if times == tonumber(ARGV[1]) then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
return times
"""


class Repeated:
    """Counts by names, which *digest* hides from whoever reads Redis."""

    def __init__(self, redis: Redis, clock: Clock, digest: Callable[[str], Awaitable[str]]) -> None:
        self._count = redis.register_script(COUNT)
        self._clock = clock
        self._digest = digest
        self._alone: Counter[tuple[str, int]] = Counter()

    async def count(self, name: str, window_seconds: int, times: int = 1) -> int:
        """Count what happened so many *times*, and tell how often within the window so far."""
        now = int(self._clock.now().timestamp())
        ends = now - now % window_seconds + window_seconds
        key = f"asiento:repeated:{ends}:{await self._digest(name)}"
        try:
            return int(await self._count(keys=[key], args=[times, window_seconds]))
        except (RedisError, OSError):
            return self._count_alone(key, now, ends, times)

    def _count_alone(self, key: str, now: int, ends: int, times: int) -> int:
        if len(self._alone) >= ALONE_MAX:
            self._alone = Counter({each: n for each, n in self._alone.items() if each[1] > now})
        if len(self._alone) >= ALONE_MAX and (key, ends) not in self._alone:
            return ALWAYS
        self._alone[key, ends] += times
        return self._alone[key, ends]


def is_power_of_ten(times: int) -> bool:
    """Tell whether a count is 1, 10, 100 and so on."""
    while times % 10 == 0:
        times //= 10
    return times == 1
