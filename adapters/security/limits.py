"""Limits: how often somebody may try what proves who they are, or what sends them a mail.

A try counts as failed until it has succeeded, so that many at a time find no gap. Three counters
are kept of each: of the account from that network, of the account from all networks that are
strange to it, and of the network for all accounts. Who logged in from a network within 90 days is
no stranger there, and held to the first counter alone: so strangers from everywhere slow down
strangers, and never the person itself. It is the same for accounts that there are and for others.

Redis keeps hashes of what is counted, for as long as they count. Where it is away nobody logs in;
keys go on working.
"""

import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from math import ceil
from typing import Final, Literal, LiteralString, TypeAlias
from weakref import WeakKeyDictionary

import structlog
from msgspec import Struct
from redis.asyncio import Redis
from redis.exceptions import RedisError

from adapters.access.secret import keys_for
from adapters.access.sessions import Client
from adapters.redis.budget import budget_of
from adapters.redis.connections import reached
from adapters.runtime import Runtime
from adapters.security.notes import notes_of
from adapters.security.places import network_of
from adapters.security.repeated import DAY, HOUR
from application.errors import TooMany
from application.kernel import Context
from application.ports import Clock

PURPOSE: Final = "limits 1"
Action: TypeAlias = Literal["login", "factor", "reset", "verification", "invitation"]
KNOWN_SECONDS: Final = 90 * DAY
"""So long a network is known to an account after it logged in from there."""

BURST_SECONDS: Final = 2
"""A caller who asked for little before may ask for as much as runs in within so long."""


class Rule(Struct, frozen=True):
    """How many tries are free within a time, and how long is to be waited from the last of them.

    After each further one it is twice as long, up to the longest. A wait that is as long as the
    window is one until the window ends.
    """

    free: int
    window_seconds: int
    wait_seconds: int
    wait_seconds_max: int

    @property
    def arguments(self) -> tuple[int, int, int, int]:
        """As the script takes them, in milliseconds."""
        times = (self.window_seconds, self.wait_seconds, self.wait_seconds_max)
        return (self.free, *(each * 1_000 for each in times))  # type: ignore[return-value] # Three.


class Rules(Struct, frozen=True, kw_only=True):
    """What an action is held to: of account and network, of strangers, of a network."""

    both: Rule
    strangers: Rule
    network: Rule

    @property
    def all(self) -> tuple[Rule, Rule, Rule]:
        return self.both, self.strangers, self.network


def _mails(of_account: int, of_strangers: int, of_network: int) -> Rules:
    return Rules(
        both=Rule(of_account, HOUR, HOUR, HOUR),
        strangers=Rule(of_strangers, HOUR, HOUR, HOUR),
        network=Rule(of_network, HOUR, HOUR, HOUR),
    )


RULES: Final[Mapping[Action, Rules]] = {
    "login": Rules(
        both=Rule(10, DAY, 30, HOUR),
        strangers=Rule(50, DAY, 30, HOUR // 4),
        network=Rule(200, HOUR, 30, HOUR // 4),
    ),
    "factor": Rules(
        both=Rule(5, DAY, 30, HOUR),
        strangers=Rule(20, DAY, 30, HOUR),
        network=Rule(200, HOUR, 30, HOUR // 4),
    ),
    "reset": _mails(5, 10, 50),
    "verification": _mails(5, 10, 50),
    "invitation": _mails(5, 10, 200),
}

# The first key says whether the network is known, each further one is a counter; the time comes
# first, and of each counter its rule. Answers for how long to wait (0: not at all; it is counted),
# and whether the network is known. A counter begins anew once its window and its wait are over.
TRY: LiteralString = """
local now, known = tonumber(ARGV[1]), redis.call('EXISTS', KEYS[1])
local last = known == 1 and 2 or #KEYS
local wait, found = 0, {}
for i = 2, last do
  local kept = redis.call('HMGET', KEYS[i], 'tries', 'since', 'ends')
  local tries, since = tonumber(kept[1]) or 0, tonumber(kept[2]) or now
  local ends = tonumber(kept[3]) or 0
  local over = now - since >= tonumber(ARGV[4 * i - 5])
  if over and ends <= now then tries, since, ends = 0, now, 0 end
  wait = math.max(wait, ends - now)
  found[i] = {tries, since}
end
if wait > 0 then return {wait, known} end
for i = 2, last do
  local free, window = tonumber(ARGV[4 * i - 6]), tonumber(ARGV[4 * i - 5])
  local first, most = tonumber(ARGV[4 * i - 4]), tonumber(ARGV[4 * i - 3])
  local tries, since, ends = found[i][1] + 1, found[i][2], 0
  if first >= window then
    if tries >= free then ends = since + window end
  elseif tries >= free then
    ends = now + math.min(first * 2 ^ math.min(tries - free, 30), most)
  end
  redis.call('HSET', KEYS[i], 'tries', tries, 'since', string.format('%.0f', since),
             'ends', string.format('%.0f', ends))
  redis.call('PEXPIRE', KEYS[i], string.format('%.0f', math.max(since + window, ends) - now + 1000))
end
return {0, known}
"""
# As above; given are whether the network was known, for how long it is from now on (0: as before),
# and the free tries of each counter.
UNDO: LiteralString = """
redis.call('DEL', KEYS[2])
for i = 3, ARGV[1] == '1' and 2 or #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 1 then
    local tries = redis.call('HINCRBY', KEYS[i], 'tries', -1)
    if tries < tonumber(ARGV[i]) then redis.call('HSET', KEYS[i], 'ends', 0) end
  end
end
if ARGV[2] ~= '0' then redis.call('SET', KEYS[1], 1, 'EX', ARGV[2]) end
"""

log = structlog.get_logger()
Digest: TypeAlias = Callable[[str], Awaitable[str]]


class Tried(Struct, frozen=True, kw_only=True):
    """A try that was let through, and counts as failed until it is told to have succeeded.

    Attributes:
        known: Somebody logged in to the account from there before.

    """

    action: Action
    keys: Sequence[str]
    known: bool


class Limits:
    """Counts tries. *digest* hides what is counted from whoever reads Redis."""

    def __init__(self, redis: Redis, clock: Clock, digest: Digest) -> None:
        self._redis = redis
        self._clock = clock
        self._digest = digest
        self._try = redis.register_script(TRY)
        self._undo = redis.register_script(UNDO)

    async def attempt(self, action: Action, account: str, client: Client) -> Tried:
        """Count a try, in one round trip.

        Raises:
            TooMany: There were too many; it is not counted.
            Unavailable: Redis is away.

        """
        keys = await self._names(action, account, client)
        rules = RULES[action]
        given = [argument for rule in rules.all for argument in rule.arguments]
        now = int(self._clock.now().timestamp() * 1_000)
        with reached():
            wait, known = await self._try(keys=keys, args=[now, *given])
        if wait:
            raise _too_many(action, ceil(int(wait) / 1_000))
        return Tried(action=action, keys=keys, known=bool(known))

    async def passed(self, tried: Tried, *, remember: bool = True) -> None:
        """Count a try no longer, and know its network from now on where it was the whole proof.

        Raises:
            Unavailable: Redis is away.

        """
        free = [rule.free for rule in RULES[tried.action].all]
        seconds = KNOWN_SECONDS if remember else 0
        with reached():
            # The script reads the free tries of counter i as argument i: the first of them, of the
            # account and the network together, is not asked for.
            await self._undo(keys=tried.keys, args=[int(tried.known), seconds, *free[1:]])

    async def remember(self, account: str, client: Client) -> None:
        """Know a network from now on, as its account was proved there in another way.

        Where Redis is away it stays strange, and nothing else comes of it.
        """
        place, both, *_ = await self._names("login", account, client)
        try:
            async with self._redis.pipeline() as pipe:
                pipe.set(place, 1, ex=KNOWN_SECONDS)
                pipe.delete(both)
                await pipe.execute()
        except (RedisError, OSError) as error:
            log.warning("limits.not_remembered", reason=type(error).__name__)

    async def _names(self, action: Action, account: str, client: Client) -> list[str]:
        """Name what is counted, as nobody can read it who lacks the instance's key."""
        who, network = account.strip().lower(), network_of(client.address)
        counted = (
            ("place", f"{who}\0{network}"),
            (f"{action}:both", f"{who}\0{network}"),
            (f"{action}:strangers", who),
            (f"{action}:network", network),
        )
        digests = [await self._digest(f"{of}\0{it}") for of, it in counted]
        return [f"asiento:limit:{each}" for each in digests]


_limits: WeakKeyDictionary[Redis, Limits] = WeakKeyDictionary()


def limits_of(runtime: Runtime) -> Limits:
    """Return the limits of a process, made when the first one asks."""
    limits = _limits.get(runtime.redis)
    if limits is None:
        key = keys_for(runtime.settings, PURPOSE)[0]

        async def digest(text: str) -> str:
            return hmac.new(key, text.encode(), "sha256").hexdigest()

        # By a key that no server is asked for: what is counted is counted before all else.
        limits = Limits(runtime.redis, runtime.clock, digest)
        _limits[runtime.redis] = limits
    return limits


async def attempt(runtime: Runtime, action: Action, account: str, client: Client) -> Tried:
    """Count a try, or note that somebody is locked out.

    Raises:
        TooMany: There were too many; the error says how long to wait.
        Unavailable: Redis is away.

    """
    try:
        return await limits_of(runtime).attempt(action, account, client)
    except TooMany as error:
        notes_of(runtime).locked_out(action, error.wait_seconds or 0, account, client)
        raise


async def check_rate(runtime: Runtime, caller: Context) -> None:
    """Hold a key, or a person, to so many requests a second; mostly no server is asked.

    Raises:
        TooMany: It asked more often.

    """
    rate = runtime.settings.requests_per_second_max
    if not rate:
        return
    left = await budget_of(runtime.redis, "requests").spend(
        caller, 1, rate=rate, full=rate * BURST_SECONDS
    )
    if left is not None and left.wait_seconds:
        raise TooMany(
            "access.too_many_requests",
            f"More than {rate:,} requests a second came from this caller.",
            hint=f"Ask again in {left.wait_seconds} s, and send several things in one request.",
            wait_seconds=left.wait_seconds,
        )


def _too_many(action: Action, wait_seconds: int) -> TooMany:
    if action == "login":
        return TooMany(
            "access.too_many_logins",
            "Too many logins failed.",
            hint=f"Ask again in {wait_seconds} s. From where you logged in before, tries of others"
            " elsewhere don't count.",
            wait_seconds=wait_seconds,
        )
    return TooMany(
        "access.too_many_tries",
        f"There were too many tries of this kind ({action}).",
        hint=f"Ask again in {wait_seconds} s.",
        wait_seconds=wait_seconds,
    )
