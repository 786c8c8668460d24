"""The security log holds what happened at the door, bounded, for those who may read it."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from adapters.access.sessions import Client
from adapters.cli.output import harmless
from adapters.postgres.connections import tenant_transaction
from adapters.runtime import Runtime
from adapters.security import notes as security
from adapters.security.notes import FIRST, OF_A_LOG_MAX, WAITING_MAX, Notes, notes_of
from adapters.security.places import calling
from adapters.security.reading import SecurityAsked, read_security
from application.errors import Forbidden, Malformed
from application.kernel import Context, build, exposed_commands
from application.refusals import listening
from application.security import SecurityEntry
from domain.access import OWNER, AdmitMember, DefineRole, UserId
from domain.ids import SYSTEM_TENANT, TenantId
from domain.privacy import ForgetSubject
from domain.tenants import CreateTenant
from tests.access.people import OPERATOR, enrol

HOME = Client(address="192.0.2.7", agent="Mozilla/5.0")
CLOSE_LOG = "SELECT close_log_v1(%s)"


async def company(runtime: Runtime) -> TenantId:
    slug = f"c-{uuid4().hex[:12]}"
    created = build(CreateTenant, {"slug": slug, "name": slug, "country": "ES"}, runtime.clock)
    return TenantId((await runtime.bus.execute(created, OPERATOR)).ids["tenant"])


async def person(runtime: Runtime, tenant: TenantId) -> tuple[UserId, str]:
    """Make somebody a member of a company; return who, and the address of the account."""
    email = f"{uuid4().hex[:12]}@example.org"
    user = await enrol(runtime, email)
    admitted = {"user": user, "email": email, "roles": [OWNER]}
    by = replace(OPERATOR, tenant=tenant)
    await runtime.bus.execute(build(AdmitMember, admitted, runtime.clock), by)
    return user, email


def reader(tenant: TenantId) -> Context:
    may = frozenset({"access.security.read"})
    return Context(tenant=tenant, actor="user:r", permissions=may, correlation_id="test")


async def entries(
    runtime: Runtime, tenant: TenantId, asked: SecurityAsked | None = None
) -> tuple[SecurityEntry, ...]:
    await notes_of(runtime).drain()
    page = await read_security(runtime, reader(tenant), asked or SecurityAsked(first=100))
    return page.entries


async def test_a_login_stands_in_the_log_of_the_company(runtime: Runtime) -> None:
    tenant = await company(runtime)
    ana, _ = await person(runtime, tenant)
    await notes_of(runtime).logged_in(tenant, ana, HOME, session="s1", new_place=True)
    entry = (await entries(runtime, tenant))[0]
    assert (entry.kind, entry.user, entry.actor) == ("LoggedIn", ana, f"user:{ana}")
    assert (entry.address, entry.agent) == (HOME.address, HOME.agent)
    assert entry.details == {"by": "password", "session": "s1", "new_place": True}


async def test_people_log_in_at_the_same_time(runtime: Runtime) -> None:
    tenant = await company(runtime)
    ana, _ = await person(runtime, tenant)
    notes = notes_of(runtime)
    async with asyncio.timeout(20):
        await asyncio.gather(*(notes.logged_in(tenant, ana, HOME) for _ in range(20)))
    assert len(await entries(runtime, tenant, SecurityAsked(kind="LoggedIn"))) == 20


async def test_a_failure_stands_in_the_log_of_whom_it_concerns(runtime: Runtime) -> None:
    tenant, other = await company(runtime), await company(runtime)
    ana, email = await person(runtime, tenant)
    notes = notes_of(runtime)
    notes.login_failed(email, tenant, HOME)
    notes.login_failed(email, other, replace(HOME, address="198.51.100.1"))  # None of hers.
    found = await entries(runtime, tenant, SecurityAsked(kind="LoginFailed"))
    assert [(each.user, each.address) for each in found] == [(ana, HOME.address)]
    assert not await entries(runtime, other, SecurityAsked(kind="LoginFailed"))


async def test_of_an_account_that_is_not_there_only_a_network_is_kept(runtime: Runtime) -> None:
    email = f"{uuid4().hex}@nowhere.example"
    notes_of(runtime).login_failed(email, None, HOME)
    asked = SecurityAsked(kind="LoginFailed", first=1)
    (entry,) = await entries(runtime, SYSTEM_TENANT, asked)
    assert (entry.user, entry.address, entry.agent) == (None, "192.0.2.0/24", None)
    assert entry.details["account"] == await runtime.vault.digest(email)
    assert email not in repr(entry)


async def test_grants_and_keys_stand_among_the_rest_the_newest_first(runtime: Runtime) -> None:
    tenant = await company(runtime)
    ana, email = await person(runtime, tenant)
    given = {"name": "Clerk", "permissions": ["invoicing.invoice.read"]}
    by = replace(OPERATOR, tenant=tenant)
    await runtime.bus.execute(build(DefineRole, given, runtime.clock), by)
    notes_of(runtime).login_failed(email, tenant, HOME)
    found = await entries(runtime, tenant)
    assert [each.kind for each in found] == ["LoginFailed", "RoleDefined", "MemberAdmitted"]
    assert found[1].details["permissions"] == ["invoicing.invoice.read"]
    about = await entries(runtime, tenant, SecurityAsked(user=ana))
    assert [each.kind for each in about] == ["LoginFailed", "MemberAdmitted"]


async def test_pages_go_on_where_the_last_one_ended(runtime: Runtime) -> None:
    tenant = await company(runtime)
    for _ in range(3):
        await person(runtime, tenant)
    whole = await entries(runtime, tenant)
    read: list[SecurityEntry] = []
    after, more = None, True
    while more:
        asked = SecurityAsked(first=2, after=after)
        page = await read_security(runtime, reader(tenant), asked)
        read, more, after = [*read, *page.entries], page.has_next, page.entries[-1].cursor
    assert (tuple(read), len(read)) == (whole, 3)
    since = SecurityAsked(since=datetime.now(UTC) + timedelta(minutes=1))
    assert not await entries(runtime, tenant, since)


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (SecurityAsked(kind="Nothing"), "access.unknown_kind"),
        (SecurityAsked(after="1"), "query.bad_cursor"),
        (SecurityAsked(first=0), "query.bad_first"),
        (SecurityAsked(since=datetime(2026, 1, 1)), "query.bad_moment"),  # noqa: DTZ001 - so it is.
        (SecurityAsked(user="x\x1fy"), "event.bad_key"),
    ],
    ids=["kind", "cursor", "first", "since", "user"],
)
async def test_what_can_not_be_asked_is_said(
    runtime: Runtime, asked: SecurityAsked, code: str
) -> None:
    with pytest.raises(Malformed) as error:
        await read_security(runtime, reader(SYSTEM_TENANT), asked)
    assert error.value.code == code


async def test_who_lacks_the_permission_reads_nothing(runtime: Runtime) -> None:
    nobody = replace(reader(await company(runtime)), permissions=frozenset({"access.role.read"}))
    with pytest.raises(Forbidden):
        await read_security(runtime, nobody, SecurityAsked())


async def test_a_log_takes_little_of_ten_thousand_failures(runtime: Runtime) -> None:
    tenant = await company(runtime)
    _, email = await person(runtime, tenant)
    notes, before = notes_of(runtime), await runtime.store.head(tenant)
    for n in range(10_000):
        notes.login_failed(email, tenant, HOME)
        if n < 10 or n % 100 == 0:
            await notes.drain()
    found = await entries(runtime, tenant, SecurityAsked(kind="LoginFailed"))
    assert [each.details["times"] for each in found] == [10_000, 1_000, 100, 10, 5, 4, 3, 2, 1]
    assert await runtime.store.head(tenant) - before == len(found)


async def test_a_log_takes_so_much_of_a_kind_from_all_networks(runtime: Runtime) -> None:
    tenant = await company(runtime)
    _, email = await person(runtime, tenant)
    notes, before = Notes(runtime), await runtime.store.head(tenant)
    for n in range(OF_A_LOG_MAX + 50):
        notes.login_failed(email, tenant, replace(HOME, address=f"10.0.{n}.1"))
    await notes.drain()
    told = 2  # Of the first and of the tenth that were left out.
    assert await runtime.store.head(tenant) - before == OF_A_LOG_MAX + told
    assert notes.counts["LoginFailed", "noted"] == OF_A_LOG_MAX + told
    assert notes.counts["LoginFailed", "left_out"] == 50 - told


async def test_what_is_left_out_is_told(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "OF_A_LOG_MAX", 5)
    tenant = await company(runtime)
    _, email = await person(runtime, tenant)
    for n in range(14):
        notes_of(runtime).login_failed(email, tenant, replace(HOME, address=f"10.1.{n}.1"))
    found = await entries(runtime, tenant)
    assert Counter(each.kind for each in found) == {
        "LoginFailed": 5,
        "EntriesLeftOut": 1,
        "MemberAdmitted": 1,
    }
    assert found[0].details == {"kind": "LoginFailed", "times": 1}


async def test_what_comes_too_fast_is_counted_and_lost(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(security, "CLOSE_SECONDS_MAX", 0.01)
    notes = Notes(runtime)
    for n in range(WAITING_MAX + 7):
        for _ in range(3):
            notes.login_failed(f"nobody{n}@x.example", None, HOME)
    assert notes.counts["LoginFailed", "lost"] == 7 * 3
    await notes.close()


async def test_without_redis_a_log_is_bounded_too(runtime: Runtime) -> None:
    tenant = await company(runtime)
    _, email = await person(runtime, tenant)
    gone: Redis = Redis.from_url("redis://127.0.0.1:1/0")
    notes, before = Notes(replace(runtime, redis=gone)), await runtime.store.head(tenant)
    for _ in range(110):
        notes.login_failed(email, tenant, HOME)
        await notes.drain()
    assert await runtime.store.head(tenant) - before == FIRST + 2
    await gone.aclose()


async def test_a_refusal_is_noted_wherever_it_is_said(runtime: Runtime) -> None:
    tenant = await company(runtime)
    ana, _ = await person(runtime, tenant)
    caller = replace(reader(tenant), actor=f"user:{ana}")
    scope: dict[str, object] = {
        "client": (HOME.address, 1),
        "headers": [(b"user-agent", b"Mozilla/5.0")],
    }
    with listening(notes_of(runtime).refused), calling(scope):  # type: ignore[arg-type] # Enough of one.
        for _ in range(2):
            with pytest.raises(Forbidden):
                exposed_commands()[DefineRole].check(caller)
            await notes_of(runtime).drain()
    found = await entries(runtime, tenant, SecurityAsked(kind="AccessRefused"))
    assert [each.details for each in found] == [
        {"permission": "access.role.define", "times": 2},
        {"permission": "access.role.define", "times": 1},
    ]
    assert (found[0].user, found[0].address, found[0].agent) == (ana, HOME.address, HOME.agent)


async def test_a_key_is_noted_once_a_day_and_network(runtime: Runtime) -> None:
    tenant = await company(runtime)
    key = "01890000-0000-7000-8000-00000000000a"
    for notes in (notes_of(runtime), Notes(runtime)):  # Two processes.
        for _ in range(50):
            notes.key_used(tenant, key)  # type: ignore[arg-type] # Its text.
        await notes.drain()
    found = await entries(runtime, tenant)
    assert [(each.kind, each.key, each.address) for each in found] == [("KeyUsed", key, "unknown")]


async def test_what_somebody_calls_itself_steers_no_terminal(runtime: Runtime) -> None:
    tenant = await company(runtime)
    ana, _ = await person(runtime, tenant)
    evil = Client(address="1.2.3.4\r\nSet-Cookie: x", agent="curl\x1b[31m\n{}\x00" + "x" * 500)
    await notes_of(runtime).logged_in(tenant, ana, evil)
    entry = (await entries(runtime, tenant))[0]
    assert entry.agent is not None
    assert entry.agent.startswith("curl[31m{}x")
    assert len(entry.agent) == 200
    assert entry.address == "1.2.3.4Set-Cookie: x"
    for text in (entry.agent, entry.address):
        assert harmless(text) == text
        assert text.isprintable()


async def test_of_whoever_is_forgotten_no_address_is_left(runtime: Runtime) -> None:
    tenant = await company(runtime)
    ana, _ = await person(runtime, tenant)
    await notes_of(runtime).logged_in(tenant, ana, HOME)
    by = replace(OPERATOR, tenant=tenant)
    given = {"kind": "user", "value": ana, "reason": "asked for it"}
    exposed = exposed_commands()[ForgetSubject]
    await runtime.bus.execute(await exposed.build(given, by, runtime.blobs, runtime.clock), by)
    entry = (await entries(runtime, tenant, SecurityAsked(kind="LoggedIn")))[0]
    assert (entry.user, entry.address, entry.agent) == (ana, "[forgotten]", "[forgotten]")


async def test_a_login_to_closed_books_is_noted_by_the_instance(runtime: Runtime) -> None:
    tenant = await company(runtime)
    ana, _ = await person(runtime, tenant)
    async with tenant_transaction(runtime.pool, tenant) as connection:
        await connection.execute(CLOSE_LOG, (tenant,))
    await notes_of(runtime).logged_in(tenant, ana, HOME)
    asked = SecurityAsked(user=ana, kind="LoggedIn")
    assert [each.user for each in await entries(runtime, SYSTEM_TENANT, asked)] == [ana]
