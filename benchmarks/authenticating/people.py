"""People of companies as the API knows them, made by the commands that make them, and logged in."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from adapters.access.door import door_of
from adapters.access.login import entry
from adapters.access.sessions import Client
from adapters.accounts.passwords import hash_password
from adapters.embedded.servers import Urls
from adapters.runtime import Runtime, open_runtime
from adapters.settings import Settings
from application.access import email_fields
from application.kernel import Context, build
from benchmarks.appending.server import Server
from domain.access import OWNER, AdmitMember, RegisterUser, UserId
from domain.ids import SYSTEM_TENANT, TenantId
from domain.tenants import CreateTenant

AT_ONCE: Final = 200
PASSWORD: Final = "correct horse battery staple"  # noqa: S105 - of people who last a benchmark.
OPERATOR: Final = Context(
    tenant=SYSTEM_TENANT, actor="bench", permissions=frozenset("*"), correlation_id="bench"
)


class Person(Struct, frozen=True, kw_only=True):
    """Somebody who owns a company, and how they may show it."""

    tenant: TenantId
    user: UserId
    email: str
    token: str
    cookies: str
    csrf: str


@asynccontextmanager
async def instance(server: Server, urls: Urls) -> AsyncIterator[Runtime]:
    """Open what a process of ours works with."""
    settings = Settings(
        database_url=urls.database_url,
        database_admin_url=urls.admin_database_url,
        redis_url=urls.redis_url,
        asiento_data=server.folder,
    )
    async with open_runtime(settings) as runtime:
        yield runtime


async def make_companies(runtime: Runtime, companies: int, people: int) -> list[list[Person]]:
    """Open the books of companies with people who own them; nobody is logged in yet."""
    hashed = hash_password(PASSWORD)
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> list[Person]:
        async with limit:
            named = {"slug": f"c-{number}", "name": f"Company {number}", "country": "ES"}
            made = await runtime.bus.execute(build(CreateTenant, named, runtime.clock), OPERATOR)
            tenant = TenantId(made.ids["tenant"])
            return [
                await _person(runtime, tenant, f"p{each}@c-{number}.example", hashed)
                for each in range(people)
            ]

    return await asyncio.gather(*(one(number) for number in range(companies)))


async def log_in(runtime: Runtime, people: Sequence[Person]) -> list[Person]:
    """Open a session of each kind for each, as logins do once the password was right."""
    return [await _logged_in(runtime, each) for each in people]


async def _person(runtime: Runtime, tenant: TenantId, email: str, hashed: str) -> Person:
    given = {
        **await email_fields(runtime.vault, email),
        "password_hash": hashed,
        "tenant": tenant,
        "permissions": (),
    }
    made = await runtime.bus.execute(build(RegisterUser, given, runtime.clock), OPERATOR)
    user = UserId(made.ids["user"])
    member = {"user": user, "email": email, "roles": [OWNER]}
    by = replace(OPERATOR, tenant=tenant)
    await runtime.bus.execute(build(AdmitMember, member, runtime.clock), by)
    return Person(tenant=tenant, user=user, email=email, token="", cookies="", csrf="")


async def _logged_in(runtime: Runtime, person: Person) -> Person:
    sessions, place = door_of(runtime).sessions, Client(address="192.0.2.1", agent="bench")
    by_token = await sessions.open(person.user, person.tenant, "tokens", place)
    by_cookie = await sessions.open(person.user, person.tenant, "browser", place)
    tokens, cookie = entry(runtime, by_token, "tokens"), entry(runtime, by_cookie, "session")
    return replace(
        person,
        token=tokens.access_token,
        cookies=f"__Host-session={cookie.opened.secret}",
        csrf=cookie.csrf_token,
    )
