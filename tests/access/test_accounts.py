"""Accounts: found in the log itself, known by one password, and told of to nobody by the time."""

import asyncio
import threading
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from argon2 import PasswordHasher
from msgspec import Struct
from msgspec.structs import replace

from adapters.access.door import Admission, door_of
from adapters.access.login import Credentials, log_in
from adapters.access.sessions import Client
from adapters.accounts.accounts import (
    PasswordChange,
    account_of,
    change_password,
    find_account,
    recognise,
    set_password,
)
from adapters.accounts.companies import Company, companies_of
from adapters.accounts.memberships import Memberships
from adapters.accounts.passwords import hash_password
from adapters.postgres.projecting.consumers import Consumer
from adapters.postgres.projecting.projector import Projector
from adapters.runtime import Runtime, open_runtime
from adapters.settings import Settings
from application.access import email_fields
from application.codec import encode
from application.errors import Malformed, Unauthenticated
from application.kernel import Context, build
from application.ports import Append
from domain.access import (
    OWNER,
    Account,
    AdmitMember,
    ChangePassword,
    Email,
    PasswordChanged,
    PasswordRehashed,
    RegisterUser,
    RehashPassword,
    RemoveMember,
    UserEnrolled,
    UserId,
    UserRegistered,
)
from domain.ids import SYSTEM_TENANT, TenantId
from domain.kernel import FORGOTTEN, Command, Refused
from domain.privacy import ForgetSubject
from domain.tenants import CreateTenant
from tests.kernel import given

FIRST, SECOND = "the first of two long ones", "the second of two long ones"
ONE, TWO, THREE = "one", "two", "three"
"""They stand for hashes."""

ANA = UserId("ana")
enrolled = UserEnrolled(
    user=ANA,
    email=Email("ana@example.org"),
    password_hash=ONE,
    tenant=TenantId("t1"),
    permissions=(),
)
changed = PasswordChanged(user=ANA, password_hash=TWO)
rehashed = PasswordRehashed(user=ANA, password_hash=THREE)


def test_a_password_is_changed() -> None:
    change = ChangePassword(user=ANA, password_hash=TWO, instead_of=ONE)
    given(enrolled).when(change).then(changed)
    given(enrolled, changed).when(change).then_refused("access.password_changed")
    given(enrolled, changed).when(replace(change, instead_of=None)).then(changed)


def test_an_account_must_be_there_and_not_forgotten() -> None:
    change = ChangePassword(user=ANA, password_hash=TWO)
    given().when(change).then_refused("access.user_absent")
    given(replace(enrolled, email=FORGOTTEN)).when(change).then_refused("access.user_absent")


def test_a_password_is_hashed_anew_unless_it_was_changed_meanwhile() -> None:
    rehash = RehashPassword(user=ANA, password_hash=THREE, instead_of=ONE)
    given(enrolled).when(rehash).then(rehashed)
    given(enrolled, changed).when(rehash).then_nothing()
    given(enrolled, rehashed).when(rehash).then_nothing()
    given().when(rehash).then_nothing()


def test_an_account_is_known_by_its_last_password() -> None:
    history = [enrolled, changed, rehashed]
    account = Account.at(user=ANA).fold(history)
    assert (account.password_hash, account.changes) == (THREE, 1)
    assert account.is_open
    assert not Account().is_open


@pytest.fixture(scope="module")
def settings(settings: Settings) -> Settings:
    return replace(settings, password_kib=7_168, password_passes=1)


class Office(Struct, frozen=True):
    """Where people have accounts, and companies take them in."""

    runtime: Runtime

    async def execute(self, command: type[Command], log: TenantId, /, **given: object) -> str:
        """Run a command as whoever may do everything; return the first id that it made."""
        context = self.context(log)
        done = await self.runtime.bus.execute(build(command, given, self.runtime.clock), context)
        return next(iter(done.ids.values()), "")

    async def register(self, password: str = FIRST) -> tuple[UserId, str]:
        email = f"{uuid4().hex}@example.org"
        kept = hash_password(password, self.runtime.settings)
        about = {"password_hash": kept, "tenant": SYSTEM_TENANT, "permissions": ()}
        address = await email_fields(self.runtime.vault, email)
        made = await self.execute(RegisterUser, SYSTEM_TENANT, **about, **address)
        return UserId(made), email

    async def company(self, slug: str) -> TenantId:
        named = {"slug": slug, "name": slug.title(), "country": "ES"}
        return TenantId(await self.execute(CreateTenant, SYSTEM_TENANT, **named))

    async def read_logs(self) -> None:
        readers: list[Consumer] = [Memberships()]
        await Projector(self.runtime.pool, self.runtime.vault, readers).catch_up()

    def context(self, tenant: TenantId) -> Context:
        may = frozenset({"*"})
        return Context(tenant=tenant, actor="system", permissions=may, correlation_id="test")


@pytest.fixture
async def office(settings: Settings) -> AsyncIterator[Office]:
    async with open_runtime(settings) as runtime:
        yield Office(runtime)


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes against which a password was checked."""
    found: list[str] = []
    verify = PasswordHasher.verify

    def counted(self: PasswordHasher, kept: str, password: bytes) -> bool:
        found.append(kept)
        return verify(self, kept, password)

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    return found


async def test_a_person_is_recognised_by_address_and_password_alone(office: Office) -> None:
    user, email = await office.register()
    known = await recognise(office.runtime, email, FIRST)
    assert known is not None
    assert (known[0], known[1].email) == (user, email)
    assert await recognise(office.runtime, email, SECOND) is None
    assert await recognise(office.runtime, "nobody@example.org", FIRST) is None


async def test_one_password_is_checked_whether_there_is_an_account_or_not(
    office: Office, checks: list[str]
) -> None:
    _, email = await office.register()
    for address in (email, "nobody@example.org"):
        assert await recognise(office.runtime, address, SECOND) is None
    assert [each.rpartition("$")[0].rpartition("$")[0] for each in checks] == [
        "$argon2id$v=19$m=7168,t=1,p=1"
    ] * 2


async def test_an_account_of_old_is_found_by_the_address_that_was_a_tag(office: Office) -> None:
    runtime, email = office.runtime, "old@example.org"
    event = UserRegistered(
        user=UserId(uuid4().hex),
        email=Email(email),
        password_hash=hash_password(FIRST, runtime.settings),
        tenant=SYSTEM_TENANT,
        permissions=(),
    )
    stored = encode(event, actor="system", correlation_id="test", causation_id="")
    head = await runtime.store.head(SYSTEM_TENANT)
    await runtime.store.append(
        SYSTEM_TENANT, Append(events=(stored,), boundary=(), after=head, keys=())
    )
    known = await recognise(runtime, email, FIRST)
    assert known is not None
    assert known[0] == event.user
    await set_password(runtime, event.user, SECOND, office.context(SYSTEM_TENANT))
    assert await recognise(runtime, email, FIRST) is None
    assert await recognise(runtime, email, SECOND) is not None


async def test_who_is_forgotten_is_known_by_no_password(office: Office) -> None:
    user, email = await office.register()
    await set_password(office.runtime, user, SECOND, office.context(SYSTEM_TENANT))
    await office.execute(ForgetSubject, SYSTEM_TENANT, kind="user", value=user, reason="Left.")
    assert await account_of(office.runtime, email) is None
    assert await recognise(office.runtime, email, SECOND) is None
    assert (await find_account(office.runtime, user)).password_hash is FORGOTTEN
    with pytest.raises(Refused, match="no account"):
        await set_password(office.runtime, user, FIRST, office.context(SYSTEM_TENANT))


async def test_a_hash_is_made_anew_when_its_owner_logs_in(office: Office) -> None:
    user, email = await office.register()
    dearer = replace(office.runtime.settings, password_passes=2)
    later = replace(office.runtime, settings=dearer)
    session = await door_of(later).sessions.open(user, SYSTEM_TENANT, "tokens", Client())
    assert await recognise(later, email, SECOND) is None
    assert "t=1" in (await find_account(later, user)).password_hash
    assert await recognise(later, email, FIRST) is not None
    kept = (await find_account(later, user)).password_hash
    assert "m=7168,t=2" in kept
    assert await recognise(later, email, FIRST) is not None
    assert (await find_account(later, user)).password_hash == kept
    assert await door_of(later).sessions.find(session.session.session) is not None


async def test_whoever_knows_the_password_changes_it_and_is_logged_out_elsewhere(
    office: Office,
) -> None:
    runtime = office.runtime
    user, email = await office.register()
    sessions = door_of(runtime).sessions
    here, there = [
        (await sessions.open(user, SYSTEM_TENANT, "tokens", Client())).session.session
        for _ in range(2)
    ]
    caller = Admission(context=office.context(SYSTEM_TENANT), user=user, session=here)
    wrong = PasswordChange(current=SECOND, new=SECOND)
    with pytest.raises(Malformed, match="current password"):
        await change_password(runtime, caller, wrong, Client())
    weak = PasswordChange(current=FIRST, new="password1234")
    with pytest.raises(Malformed, match="tried first"):
        await change_password(runtime, caller, weak, Client())
    assert await sessions.find(there) is not None
    good = PasswordChange(current=FIRST, new=SECOND)
    assert FIRST not in repr(good)
    await change_password(runtime, caller, good, Client())
    assert await sessions.find(here) is not None
    assert await sessions.find(there) is None
    assert await recognise(runtime, email, FIRST) is None
    assert await recognise(runtime, email, SECOND) is not None


async def test_who_logs_in_while_the_password_changes_stays_outside(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = office.runtime
    user, email = await office.register()
    tenant = await office.company(f"race-{uuid4().hex[:12]}")
    await office.execute(AdmitMember, tenant, user=user, email=email, roles=(OWNER,))
    checked, changed = threading.Event(), threading.Event()
    verify = PasswordHasher.verify

    def slowly(self: PasswordHasher, kept: str, password: bytes) -> bool:
        found = verify(self, kept, password)
        checked.set()
        return found and changed.wait(10)

    monkeypatch.setattr(PasswordHasher, "verify", slowly)
    given = Credentials(email=email, password=FIRST, tenant=tenant)
    entering = asyncio.create_task(log_in(runtime, given, Client(address="192.0.2.1")))
    await asyncio.to_thread(checked.wait, 10)
    await set_password(runtime, user, SECOND, office.context(SYSTEM_TENANT))
    changed.set()
    with pytest.raises(Unauthenticated, match="belong together"):
        await entering
    assert await door_of(runtime).sessions.of_user(user) == []
    again = replace(given, password=SECOND)
    await log_in(runtime, again, Client(address="192.0.2.1"))
    assert len(await door_of(runtime).sessions.of_user(user)) == 1


async def test_hashes_are_sealed_in_the_log(office: Office) -> None:
    user, _ = await office.register()
    await set_password(office.runtime, user, SECOND, office.context(SYSTEM_TENANT))
    log = [each async for each in office.runtime.store.read(SYSTEM_TENANT, ())]
    assert any(user in each.data for each in log)
    assert not [each.type for each in log if user in each.data and "$argon2id$" in each.data]


async def test_a_person_finds_the_companies_that_took_them_in(office: Office) -> None:
    user, email = await office.register()
    stranger, _ = await office.register()
    names = [f"{letter}-{uuid4().hex[:12]}" for letter in "abc"]
    first, second, third = [await office.company(name) for name in names]
    await office.execute(AdmitMember, third, user=stranger, email="x@example.org", roles=(OWNER,))
    for tenant in (first, second):
        for who in (stranger, user):
            await office.execute(AdmitMember, tenant, user=who, email=email, roles=(OWNER,))
    await office.read_logs()
    found = await companies_of(office.runtime, user)
    assert found == [
        Company(tenant=tenant, slug=name, name=name.title(), status="open", roles=(OWNER,))
        for tenant, name in ((first, names[0]), (second, names[1]))
    ]
    await office.execute(RemoveMember, first, user=user)
    assert [each.tenant for each in await companies_of(office.runtime, user)] == [second]
    await office.read_logs()
    assert [each.tenant for each in await companies_of(office.runtime, user, [first])] == [second]
    await office.execute(AdmitMember, first, user=user, email=email, roles=("auditor",))
    await office.read_logs()
    roles = [(each.tenant, each.roles) for each in await companies_of(office.runtime, user)]
    assert roles == [(first, ("auditor",)), (second, (OWNER,))]
