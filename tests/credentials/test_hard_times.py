"""Servers go away and others are first, at the worst moments: what was given is not lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from adapters.credentials import tokens as tokens_module
from adapters.credentials.cache import Wanted
from adapters.credentials.opening import open_tokens
from adapters.credentials.safe import Place, PostgresSafe, Secret
from adapters.credentials.tokens import Tokens
from adapters.credentials.using import User
from adapters.postgres.locks import held
from adapters.redis.connections import make_redis
from adapters.runtime import Runtime, open_runtime
from adapters.settings import Settings
from application.errors import Unavailable
from application.kernel import Context
from domain.credentials import Credential, CredentialName
from tests.credentials.conftest import Office
from tests.credentials.token_server import TokenServer

API, MAIL, WORD = CredentialName("api"), CredentialName("mail"), CredentialName("word")


@asynccontextmanager
async def other_tokens(
    runtime: Runtime, *, safe: PostgresSafe | None = None, redis: Redis | None = None
) -> AsyncIterator[Tokens]:
    """Open what gives tokens in another process, with other servers."""
    async with open_tokens(
        runtime.settings,
        runtime.bus,
        safe or runtime.safe,
        redis or runtime.redis,
        runtime.clock,
    ) as tokens:
        yield tokens


class HesitantSafe(PostgresSafe):
    """A safe whose database is away when a renewed secret is to be kept, for a while."""

    def __init__(self, safe: PostgresSafe, times: int) -> None:
        super().__init__(safe._pool, safe._keys, safe._reach)
        self.times = times

    async def renew(self, place: Place, former: Secret, text: str) -> bool:
        if self.times:
            self.times -= 1
            raise Unavailable("database.unavailable", "It is away.", hint="Ask again.")
        return await super().renew(place, former, text)


async def test_a_renewed_refresh_token_is_kept_though_the_database_is_away(
    runtime: Runtime,
    office: Office,
    server: TokenServer,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tokens_module, "SAVE_PAUSE_SECONDS", 0.01)
    await office.refresher("mail", server)
    safe = HesitantSafe(runtime.safe, times=3)
    async with other_tokens(runtime, safe=safe) as tokens:
        first = await tokens.valid(office.context, MAIL, purpose="a test")
    assert safe.times == 0
    async with open_runtime(settings) as fresh:
        again = await Office(fresh, office.tenant).token("mail", refused=first.text)
    assert server.accepts(again)


async def test_nobody_is_given_a_token_whose_refresh_token_could_not_be_kept(
    runtime: Runtime, office: Office, server: TokenServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens_module, "SAVE_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(tokens_module, "SAVE_SECONDS", 0.05)
    await office.refresher("mail", server)
    async with other_tokens(runtime, safe=HesitantSafe(runtime.safe, times=1_000)) as tokens:
        with pytest.raises(Unavailable):
            await tokens.valid(office.context, MAIL, purpose="a test")


async def test_a_process_that_ends_waits_until_a_renewed_refresh_token_is_kept(
    runtime: Runtime, office: Office, server: TokenServer, settings: Settings
) -> None:
    await office.refresher("mail", server)
    server.delay_seconds = 0.2
    async with other_tokens(runtime) as tokens:
        asking = asyncio.create_task(tokens.valid(office.context, MAIL, purpose="a test"))
        while not server.asked:  # noqa: ASYNC110 - there is no event for it.
            await asyncio.sleep(0.01)
        asking.cancel()
    server.delay_seconds = 0.0
    async with open_runtime(settings) as fresh:
        mine = Office(fresh, office.tenant)
        assert server.accepts(await mine.token("mail", refused=server.granted[0]))


async def test_without_redis_each_process_asks_for_its_own(
    runtime: Runtime, office: Office, server: TokenServer
) -> None:
    await office.client("api", server)
    first = await office.token("api")
    async with other_tokens(runtime, redis=make_redis("redis://127.0.0.1:1")) as tokens:
        again = [await tokens.valid(office.context, API, purpose="a test") for _ in range(3)]
    assert {token.text for token in again} != {first}
    assert server.grants == 2


async def test_what_lies_in_redis_and_does_not_open_is_left_alone(
    runtime: Runtime, office: Office, server: TokenServer
) -> None:
    await office.client("api", server)
    secret_id = (await office.state("api")).secret_id
    key = Wanted(office.tenant, "api", secret_id, ()).key
    for garbage in (b"", b"\x00" * 64):
        await runtime.redis.set(key, garbage)
        async with other_tokens(runtime) as tokens:
            token = await tokens.valid(office.context, API, purpose="a test")
        assert server.accepts(token.text)


async def test_a_sealed_token_of_another_tenant_does_not_open(
    runtime: Runtime, office: Office, server: TokenServer
) -> None:
    other = Office(runtime)
    await office.client("api", server)
    await other.client("api", server)
    foreign = await office.token("api")
    keys = [
        Wanted(each.tenant, "api", (await each.state("api")).secret_id, ()).key
        for each in (office, other)
    ]
    await runtime.redis.set(keys[1], await runtime.redis.get(keys[0]) or b"")
    assert await other.token("api") != foreign


async def test_who_waits_too_long_for_another_process_is_told(
    runtime: Runtime, office: Office, server: TokenServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens_module, "WAIT_SECONDS", 0.1)
    await office.client("api", server)
    url = runtime.settings.database_url or ""
    async with held(url, f"credential:{office.tenant}:api", seconds_max=0) as mine:
        assert mine
        with pytest.raises(Unavailable) as busy:
            await office.token("api")
    assert busy.value.code == "credentials.busy"


class RacedUser(User):
    """Somebody rotates the credential right after it was looked at."""

    office: Office
    raced = False

    async def current(self, context: Context, name: CredentialName) -> Credential:
        found = await super().current(context, name)
        if not self.raced:
            self.raced = True
            await self.office.rotate(name, "second")
        return found


class RacedSafe(PostgresSafe):
    """Somebody rotates the credential, and the former secret goes, right before it is opened."""

    office: Office
    raced = False

    async def open(self, place: Place) -> Secret:
        if not self.raced:
            self.raced = True
            await self.office.rotate(place.credential, "second")
            await self.office.follow()
        return await super().open(place)


@pytest.mark.parametrize("where", ["before it is noted", "before it is opened"])
async def test_a_rotation_in_between_gives_the_new_secret(
    runtime: Runtime, office: Office, where: str
) -> None:
    await office.store("word", "first")
    await office.follow()
    if where == "before it is noted":
        user: User = (raced := RacedUser(runtime.bus, runtime.safe, runtime.clock))
        raced.office = office
    else:
        safe = RacedSafe(runtime.safe._pool, runtime.safe._keys, runtime.safe._reach)
        safe.office = office
        user = User(runtime.bus, safe, runtime.clock)
    opened = await user.open(office.context, WORD, purpose="a test")
    assert (opened.text, opened.version) == ("second", 2)
    assert "second" not in repr(opened)
