"""Tries are counted so that guessing takes for ever, and nobody can lock others out."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from secrets import token_hex

import pytest
from redis.asyncio import Redis

from adapters.access.sessions import Client
from adapters.embedded.servers import Urls
from adapters.redis.connections import make_redis
from adapters.security.limits import RULES, Action, Limits
from adapters.security.places import NOWHERE, network_of
from adapters.security.repeated import HOUR
from application.errors import TooMany, Unavailable

LOGIN = RULES["login"]
HOME, OFFICE = "192.0.2.7", "2001:db8:7::1"


class Held:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 1, 9, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def pass_seconds(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class Door:
    """A door with limits of its own, where people try."""

    def __init__(self, redis: Redis) -> None:
        self.clock, self.redis = Held(), redis
        self.asked = 0
        salt = token_hex(8)

        async def digest(text: str) -> str:
            return sha256(f"{salt}{text}".encode()).hexdigest()

        self.limits = Limits(redis, self.clock, digest)

    async def fail(self, account: str, address: str, action: Action = "login") -> int:
        """Try in vain; return for how many seconds to wait, 0 where the try was let through."""
        try:
            await self.limits.attempt(action, account, Client(address=address))
        except TooMany as error:
            return error.wait_seconds or -1
        return 0

    async def log_in(self, account: str, address: str) -> int:
        """Try with the right password; return as above."""
        try:
            tried = await self.limits.attempt("login", account, Client(address=address))
        except TooMany as error:
            return error.wait_seconds or -1
        await self.limits.passed(tried)
        return 0

    async def fail_often(self, times: int, account: str, address: str) -> list[int]:
        return [await self.fail(account, address) for _ in range(times)]


@pytest.fixture
async def door(urls: Urls) -> AsyncIterator[Door]:
    redis = make_redis(urls.redis_url)
    yield Door(redis)
    await redis.aclose()


def other(n: int) -> str:
    """Name an address in a network of its own."""
    return f"10.{n // 250}.{n % 250}.9"


async def test_ten_tries_are_free_and_then_each_wait_is_twice_as_long(door: Door) -> None:
    assert await door.fail_often(10, "ana@x.example", HOME) == [0] * 10
    waits = []
    for _ in range(10):
        waits.append(await door.fail("ana@x.example", HOME))
        door.clock.pass_seconds(waits[-1])
        assert await door.fail("ana@x.example", HOME) == 0
    assert waits == [30, 60, 120, 240, 480, 960, 1920, HOUR, HOUR, HOUR]


async def test_a_try_before_the_time_is_up_does_not_make_it_longer(door: Door) -> None:
    await door.fail_often(10, "ana@x.example", HOME)
    assert await door.fail_often(50, "ana@x.example", HOME) == [30] * 50
    door.clock.pass_seconds(29)
    assert await door.fail("ana@x.example", HOME) == 1


async def test_a_day_later_tries_are_free_again(door: Door) -> None:
    await door.fail_often(20, "ana@x.example", HOME)
    door.clock.pass_seconds(24 * HOUR)
    assert await door.fail_often(10, "ana@x.example", HOME) == [0] * 10


async def test_who_gets_in_begins_anew(door: Door) -> None:
    for _ in range(5):
        assert await door.fail_often(9, "ana@x.example", HOME) == [0] * 9
        assert await door.log_in("ana@x.example", HOME) == 0


async def test_tries_at_the_same_time_find_no_gap(door: Door) -> None:
    waits = await asyncio.gather(*(door.fail("ana@x.example", HOME) for _ in range(100)))
    assert waits.count(0) == LOGIN.both.free


async def test_a_thousand_tries_from_two_hundred_places_do_not_stop_the_owner(door: Door) -> None:
    assert await door.log_in("ana@x.example", HOME) == 0
    waits = [await door.fail("ana@x.example", other(n % 200)) for n in range(1_000)]
    assert waits.count(0) == LOGIN.strangers.free
    assert await door.fail("ana@x.example", "203.0.113.5") > 0
    assert await door.log_in("ana@x.example", HOME) == 0
    assert await door.log_in("ana@x.example", "192.0.2.200") == 0  # Of the same network.


async def test_who_proves_it_by_a_letter_is_known_from_there(door: Door) -> None:
    for n in range(60):
        await door.fail("ana@x.example", other(n))
    assert await door.log_in("ana@x.example", HOME) > 0
    await door.limits.remember("ana@x.example", Client(address=HOME))
    assert await door.log_in("ana@x.example", HOME) == 0


async def test_a_network_that_tries_many_accounts_has_to_wait(door: Door) -> None:
    assert await door.log_in("ana@x.example", HOME) == 0
    waits = [await door.fail(f"user{n}@x.example", HOME) for n in range(300)]
    assert waits.count(0) == LOGIN.network.free
    assert await door.log_in("bea@x.example", HOME) > 0
    assert await door.log_in("bea@x.example", OFFICE) == 0
    assert await door.log_in("ana@x.example", HOME) == 0  # It was known there before.


async def test_people_who_log_in_do_not_use_up_the_tries_of_their_network(door: Door) -> None:
    logins = [await door.log_in(f"user{n}@x.example", HOME) for n in range(300)]
    assert logins == [0] * 300


async def test_an_account_that_is_not_there_is_counted_alike(door: Door) -> None:
    there = await door.fail_often(12, "ana@x.example", HOME)
    not_there = await door.fail_often(12, "nobody@x.example", OFFICE)
    assert there == not_there


async def test_an_address_is_the_same_however_it_is_written(door: Door) -> None:
    await door.fail_often(10, "Ana@X.example ", HOME)
    assert await door.fail("ana@x.example", HOME) > 0


async def test_a_place_is_known_for_ninety_days_and_a_try_is_one_look(door: Door) -> None:
    await door.log_in("ana@x.example", HOME)
    await door.redis.config_resetstat()
    tried = await door.limits.attempt("login", "ana@x.example", Client(address=HOME))
    counted = await door.redis.info("commandstats")
    assert tried.known
    assert counted["cmdstat_evalsha"]["calls"] == 1
    assert 89 * 24 * HOUR < await door.redis.ttl(tried.keys[0]) <= 90 * 24 * HOUR


async def test_what_is_kept_tells_nobody_and_ends(door: Door) -> None:
    await door.fail_often(11, "ana@x.example", HOME)
    tried = await door.limits.attempt("login", "zoe@x.example", Client(address=HOME))
    for key in tried.keys[1:]:
        assert 0 < await door.redis.pttl(key) <= (24 * HOUR + 1) * 1_000
        kept = repr((key, await door.redis.hgetall(key)))
        assert "zoe" not in kept
        assert "192.0.2" not in kept


@pytest.mark.parametrize("action", ["reset", "verification", "invitation"])
async def test_mails_are_sent_so_often_an_hour(door: Door, action: Action) -> None:
    free = RULES[action].both.free
    waits = [await door.fail("ana@x.example", HOME, action) for _ in range(free + 1)]
    assert waits == [*[0] * free, HOUR]
    assert await door.log_in("ana@x.example", HOME) == 0
    door.clock.pass_seconds(HOUR)
    assert await door.fail("ana@x.example", HOME, action) == 0


async def test_strangers_who_ask_for_mails_do_not_stop_the_owner(door: Door) -> None:
    await door.log_in("ana@x.example", HOME)
    waits = [await door.fail("ana@x.example", other(n), "reset") for n in range(20)]
    assert waits.count(0) == RULES["reset"].strangers.free
    assert await door.fail("ana@x.example", HOME, "reset") == 0


async def test_without_redis_nobody_tries() -> None:
    gone: Redis = Redis.from_url("redis://127.0.0.1:1/0")
    with pytest.raises(Unavailable) as error:
        await Door(gone).limits.attempt("login", "ana@x.example", Client(address=HOME))
    await Door(gone).limits.remember("ana@x.example", Client(address=HOME))
    assert error.value.code == "redis.unavailable"
    await gone.aclose()


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:7:1::5", "2001:db8:7::/48"),
        ("", NOWHERE),
        ("192.0.2.77\r\nX-Other: 1", NOWHERE),
        ("\x1b[31mred", NOWHERE),
    ],
    ids=["v4", "v4-in-v6", "v6", "none", "two-lines", "colours"],
)
def test_an_address_lies_in_one_network(address: str, network: str) -> None:
    assert network_of(address) == network
