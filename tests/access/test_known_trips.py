"""What it takes to know who asks: a trip or two to the database, and none while it is known."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec.structs import replace
from psycopg import conninfo

from adapters.access.door import door_of
from adapters.access.login import entry
from adapters.access.sessions import Client
from adapters.access.shown import SESSION_COOKIE, Shown
from adapters.runtime import Runtime, open_runtime
from adapters.settings import Settings
from application.kernel import build
from domain.access import OWNER, AdmitMember, UserId
from tests.access.people import OPERATOR, TENANT
from tests.access.test_login_trips import Relay, quiet

PEOPLE = [UserId(f"person-{number}") for number in range(5)]


async def admit(runtime: Runtime, user: UserId) -> tuple[Shown, Shown]:
    """Make somebody a member, and log them in by a token and by a cookie."""
    given = {"user": user, "email": "ana@example.org", "roles": [OWNER]}
    by = replace(OPERATOR, tenant=TENANT)
    await runtime.bus.execute(build(AdmitMember, given, runtime.clock), by)
    sessions = door_of(runtime).sessions
    token = entry(runtime, await sessions.open(user, TENANT, "tokens", Client()), "tokens")
    cookie = await sessions.open(user, TENANT, "browser", Client())
    return (
        Shown(authorization=f"Bearer {token.access_token}"),
        Shown(cookies={SESSION_COOKIE: cookie.secret}),
    )


async def trips(runtime: Runtime, relay: Relay, shown: Shown) -> int:
    """Let somebody in, and count what that asks of the database."""
    await quiet([relay])
    before = relay.asked
    assert await door_of(runtime).enter(shown) is not None
    return relay.asked - before


@asynccontextmanager
async def counted(settings: Settings) -> AsyncIterator[tuple[Runtime, Relay]]:
    """Open an instance whose trips to its database are counted."""
    database = conninfo.conninfo_to_dict(settings.database_url or "")
    relay = Relay(str(database["host"]), int(str(database["port"])))
    async with relay.open():
        through = conninfo.make_conninfo(
            settings.database_url or "", host="127.0.0.1", port=relay.port
        )
        async with open_runtime(replace(settings, database_url=through)) as runtime:
            yield runtime, relay


async def test_who_is_known_is_let_in_without_asking_the_database(settings: Settings) -> None:
    by_token, by_cookie = [], []
    async with counted(settings) as (runtime, relay):
        for user in PEOPLE:
            token, cookie = await admit(runtime, user)
            by_token.append(await trips(runtime, relay, token))
            by_cookie.append(await trips(runtime, relay, cookie))
            known = relay.asked
            for shown in (token, cookie) * 3:
                assert await door_of(runtime).enter(shown) is not None
            assert relay.asked == known
    # Some meet what is asked for twice a second anyway, for all companies at once.
    assert min(by_token) == 2  # The session, and what the company's log says of the person.
    assert min(by_cookie) == 1  # The session alone: of the person it is known by then.
