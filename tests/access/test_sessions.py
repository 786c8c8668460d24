"""Sessions, on a real PostgreSQL: they go on, are refreshed, and end."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from adapters.access.sessions import (
    GRACE_SECONDS,
    Client,
    Opened,
    Reused,
    Sessions,
    drop_ended,
    read_browser_secret,
)
from adapters.memory import FixedClock
from adapters.runtime import Runtime
from domain.access import UserId
from domain.ids import TenantId

NOW = datetime(2026, 1, 2, tzinfo=UTC)
TENANT = TenantId("01890000-0000-7000-8000-000000000001")
PLACE = Client(address="192.0.2.1", agent="Firefox\x1b[31m\r\n on a desk")


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def sessions(runtime: Runtime, clock: FixedClock) -> Sessions:
    return Sessions(runtime.pool, runtime.settings, clock)


async def opened(sessions: Sessions, user: str | None = None) -> Opened:
    return await sessions.open(UserId(user or str(uuid4())), TENANT, "tokens", PLACE)


async def refreshed(sessions: Sessions, token: str) -> str:
    found = await sessions.refresh(token)
    assert found is not None
    return found.secret


async def test_a_session_says_who_and_from_where_without_what_is_not_text(
    sessions: Sessions,
) -> None:
    made = await opened(sessions)
    found = await sessions.find(made.session.session)
    assert found == made.session
    assert (found.address, found.agent) == ("192.0.2.1", "Firefox[31m on a desk")


async def test_the_secret_of_a_browser_is_not_kept(sessions: Sessions) -> None:
    made = await sessions.open(UserId("u"), TENANT, "browser", PLACE)
    read = read_browser_secret(made.secret)
    found = await sessions.find(made.session.session)
    assert read is not None
    assert found is not None
    assert read == (found.session, found.secret_sha256)
    assert made.secret.rpartition("_")[2].encode() not in (found.secret_sha256 or b"")
    assert made.secret not in repr(made)


async def test_a_refresh_token_is_good_for_once(sessions: Sessions, clock: FixedClock) -> None:
    first = await opened(sessions)
    second = await refreshed(sessions, first.secret)
    third = await refreshed(sessions, second)
    assert len({first.secret, second, third}) == 3
    clock.advance(timedelta(seconds=GRACE_SECONDS + 1))
    with pytest.raises(Reused):
        await sessions.refresh(second)
    assert await sessions.refresh(third) is None  # The session ended, for whoever has it.
    assert await sessions.find(first.session.session) is None


async def test_two_windows_get_the_same_successor(sessions: Sessions, clock: FixedClock) -> None:
    first = await opened(sessions)
    made = await asyncio.gather(*(refreshed(sessions, first.secret) for _ in range(5)))
    assert len(set(made)) == 1
    clock.advance(timedelta(seconds=GRACE_SECONDS))
    assert await refreshed(sessions, first.secret) == made[0]
    assert await refreshed(sessions, made[0]) != made[0]


async def test_one_that_was_replaced_twice_has_no_grace(sessions: Sessions) -> None:
    first = await opened(sessions)
    await refreshed(sessions, await refreshed(sessions, first.secret))
    with pytest.raises(Reused):
        await sessions.refresh(first.secret)


@pytest.mark.parametrize("at", [0, 3, 10, 41, 43, -1], ids=str)
async def test_a_guess_ends_nobodys_session(sessions: Sessions, at: int) -> None:
    first = await opened(sessions)
    guess = list(first.secret)
    guess[at] = "A" if guess[at] != "A" else "B"
    assert await sessions.refresh("".join(guess)) is None
    assert await sessions.find(first.session.session) is not None


@pytest.mark.parametrize(
    "text",
    ["", "asr_", "asr_x_0_y", f"asr_{uuid4()}_0_{'a' * 43}", f"ass_{uuid4()}_{'a' * 43}", "\x00"],
    ids=["nothing", "a beginning", "no ids", "of no session", "of a browser", "NUL"],
)
async def test_what_is_no_refresh_token_is_none(sessions: Sessions, text: str) -> None:
    assert await sessions.refresh(text) is None
    assert await sessions.holder(text) is None


async def test_a_session_that_is_left_alone_ends(sessions: Sessions, clock: FixedClock) -> None:
    alone, used = await opened(sessions), await opened(sessions)
    clock.advance(timedelta(days=29))
    next_one = await refreshed(sessions, used.secret)
    clock.advance(timedelta(days=2))
    assert await sessions.find(alone.session.session) is None
    assert await sessions.refresh(alone.secret) is None
    assert await refreshed(sessions, next_one)


async def test_nobody_stays_for_ever(sessions: Sessions, runtime: Runtime) -> None:
    late = FixedClock(NOW + timedelta(days=90))
    first = await opened(sessions)
    afterwards = Sessions(runtime.pool, runtime.settings, late)
    assert await afterwards.find(first.session.session) is None
    assert await afterwards.refresh(first.secret) is None
    assert await drop_ended(runtime.pool, late.now()) >= 1
    assert await sessions.find(first.session.session) is None


async def test_a_person_ends_their_own_sessions_alone(sessions: Sessions) -> None:
    mine, other = UserId(str(uuid4())), UserId(str(uuid4()))
    here, there = await opened(sessions, mine), await opened(sessions, mine)
    theirs = await opened(sessions, other)
    assert not await sessions.end(theirs.session.session, mine)
    assert await sessions.end_all(mine, but=here.session.session) == 1
    assert [each.session for each in await sessions.of_user(mine)] == [here.session.session]
    going_on = await sessions.going_on([each.session.session for each in (here, there, theirs)])
    assert going_on == {here.session.session, theirs.session.session}


async def test_when_it_was_seen_is_kept_to_the_minute(
    sessions: Sessions, clock: FixedClock
) -> None:
    first = await opened(sessions)
    for seconds, seen in ((59, 0), (1, 60), (1, 60)):
        clock.advance(timedelta(seconds=seconds))
        await sessions.find(first.session.session)
        found = await sessions.find(first.session.session)
        assert found is not None
        assert found.seen_at == NOW + timedelta(seconds=seen)
