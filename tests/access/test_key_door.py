"""The door knows keys by the log alone: no projector runs here."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from msgspec.structs import replace

from adapters.access.door import Admission, Door
from adapters.access.key_uses import list_uses
from adapters.access.shown import Shown
from adapters.access.standing import fallen
from adapters.memory import FixedClock
from adapters.postgres.connections import tenant_transaction
from adapters.runtime import Runtime
from application.access import api_key_text
from application.api_keys import show_key
from application.errors import Malformed
from application.kernel import Context, Outcome, build
from domain.access import (
    AddServiceAccount,
    ChangeRole,
    CreateApiKey,
    DefineRole,
    ResumeServiceAccount,
    RevokeApiKey,
    RotateApiKey,
    SuspendServiceAccount,
)
from domain.ids import SYSTEM_TENANT, TenantId
from domain.kernel import Command, Refused
from tests.access.people import OPERATOR

READ, ISSUE = "invoicing.invoice.read", "invoicing.invoice.issue"
OFFICE = "192.0.2.7"


@pytest.fixture
def owner() -> Context:
    """Act for a company of its own."""
    return replace(OPERATOR, tenant=TenantId(str(uuid4())))


async def done(
    runtime: Runtime, by: Context, kind: type[Command], /, once: object = None, **given: object
) -> tuple[Command, Outcome]:
    command = build(kind, given, runtime.clock)
    return command, await runtime.bus.execute(command, by, key=str(once) if once else None)


async def made(runtime: Runtime, by: Context, **about: object) -> CreateApiKey:
    about = {"name": "till", "permissions": (READ,)} | about
    command, _ = await done(runtime, by, CreateApiKey, **about)
    assert isinstance(command, CreateApiKey)
    return command


async def rotated(runtime: Runtime, by: Context, key: str, **about: object) -> RotateApiKey:
    command, _ = await done(runtime, by, RotateApiKey, **{"key": key, **about})
    assert isinstance(command, RotateApiKey)
    return command


async def entered(
    runtime: Runtime,
    command: CreateApiKey | RotateApiKey,
    *,
    after: timedelta = timedelta(),
    address: str = OFFICE,
) -> Admission | None:
    """Come to a door that knows nothing yet, after some time."""
    door = Door(replace(runtime, clock=FixedClock(datetime.now(UTC) + after)))
    shown = Shown(authorization=f"Bearer {api_key_text(command)}", address=address)
    return await door.enter(shown)


async def test_a_key_opens_at_once_for_its_company_what_it_was_given(
    runtime: Runtime, owner: Context
) -> None:
    command = await made(runtime, owner)
    admission = await entered(runtime, command)
    assert admission is not None
    context = admission.context
    assert (context.tenant, context.permissions) == (owner.tenant, frozenset({READ}))
    assert (context.actor, admission.key) == (f"key:{command.key}", command.key)


async def test_a_key_with_another_secret_opens_nothing(runtime: Runtime, owner: Context) -> None:
    one, another = await made(runtime, owner), await made(runtime, owner)
    assert await entered(runtime, replace(one, secret=another.secret)) is None
    assert await entered(runtime, replace(one, key=str(uuid4()))) is None


async def test_a_revoked_key_opens_nothing(runtime: Runtime, owner: Context) -> None:
    command = await made(runtime, owner)
    await done(runtime, owner, RevokeApiKey, key=command.key)
    assert await entered(runtime, command) is None


async def test_a_key_opens_nothing_from_when_it_ends(runtime: Runtime, owner: Context) -> None:
    ends = datetime.now(UTC) + timedelta(days=1)
    command = await made(runtime, owner, expires_at=ends)
    assert await entered(runtime, command, after=timedelta(hours=23))
    assert await entered(runtime, command, after=timedelta(hours=24)) is None


async def test_a_rotated_key_opens_by_both_secrets_for_a_while_and_then_by_the_new_one(
    runtime: Runtime, owner: Context
) -> None:
    former = await made(runtime, owner)
    current = await rotated(runtime, owner, former.key, overlap_hours=2)
    for command in (former, current):
        assert await entered(runtime, command, after=timedelta(minutes=119))
    assert await entered(runtime, former, after=timedelta(minutes=121)) is None
    assert await entered(runtime, current, after=timedelta(minutes=121))


async def test_a_new_secret_opens_at_once_where_the_key_is_known(
    runtime: Runtime, owner: Context
) -> None:
    door, former = Door(runtime), await made(runtime, owner)
    shown = [Shown(authorization=f"Bearer {api_key_text(former)}")]
    assert await door.enter(shown[0])
    current = await rotated(runtime, owner, former.key)
    shown.append(Shown(authorization=f"Bearer {api_key_text(current)}"))
    assert all([await door.enter(each) for each in shown])


async def test_a_key_is_revoked_with_all_its_secrets(runtime: Runtime, owner: Context) -> None:
    former = await made(runtime, owner)
    current = await rotated(runtime, owner, former.key)
    await done(runtime, owner, RevokeApiKey, key=former.key)
    assert [await entered(runtime, each) for each in (former, current)] == [None, None]


@pytest.mark.parametrize(
    ("address", "let_in"),
    [
        (OFFICE, True),
        (f"::ffff:{OFFICE}", True),
        ("2001:db8::1", True),
        ("192.0.3.7", False),
        ("2001:db9::1", False),
        ("", False),
        ("office", False),
    ],
    ids=["inside", "mapped", "IPv6", "outside", "IPv6 outside", "unknown", "no address"],
)
async def test_a_key_opens_from_its_networks_alone(
    runtime: Runtime, owner: Context, address: str, *, let_in: bool
) -> None:
    command = await made(runtime, owner, networks=("192.0.2.0/24", "2001:db8::/32"))
    assert (await entered(runtime, command, address=address) is not None) == let_in


async def test_a_key_of_an_account_opens_what_its_roles_hold_at_the_moment(
    runtime: Runtime, owner: Context
) -> None:
    _, role = await done(runtime, owner, DefineRole, name="Till", permissions=(READ,))
    named = {"role": role.ids["role"], "name": "Till"}
    _, added = await done(
        runtime, owner, AddServiceAccount, name="till", roles=(named["role"], "auditor")
    )
    account = added.ids["service_account"]
    command = await made(runtime, owner, permissions=None, service_account=account)
    first = await entered(runtime, command)
    await done(runtime, owner, ChangeRole, **named, permissions=(ISSUE,))
    then = await entered(runtime, command)
    assert first is not None
    assert then is not None
    assert then.context.permissions - first.context.permissions == {ISSUE}
    await done(runtime, owner, SuspendServiceAccount, service_account=account)
    assert await entered(runtime, command) is None
    assert await fallen(runtime, [first]) == [first]
    await done(runtime, owner, ResumeServiceAccount, service_account=account)
    assert await entered(runtime, command)


async def test_whoever_listens_by_a_former_secret_is_told_to_go_when_it_ends(
    runtime: Runtime, owner: Context
) -> None:
    former = await made(runtime, owner)
    by_former = await entered(runtime, former)
    current = await rotated(runtime, owner, former.key, overlap_hours=1)
    by_current = await entered(runtime, current)
    assert by_former is not None
    assert by_current is not None
    admitted = [by_former, by_current]
    assert await fallen(runtime, admitted) == []
    later = replace(runtime, clock=FixedClock(datetime.now(UTC) + timedelta(hours=2)))
    assert await fallen(later, admitted) == [by_former]
    await done(runtime, owner, RevokeApiKey, key=former.key)
    assert await fallen(runtime, admitted) == admitted


async def test_nobody_gives_by_a_key_or_takes_by_its_secret_what_they_lack(
    runtime: Runtime, owner: Context
) -> None:
    lesser = replace(owner, permissions=frozenset({"access.key.create", "access.key.rotate", READ}))
    _, added = await done(runtime, owner, AddServiceAccount, name="x", roles=("auditor",))
    of_account = {"permissions": None, "service_account": added.ids["service_account"]}
    greater = [
        await made(runtime, owner, permissions=(ISSUE,)),
        await made(runtime, owner, **of_account),
    ]
    for about in ({"permissions": (ISSUE,)}, {"permissions": ("*",)}, of_account):
        with pytest.raises(Refused, match="You lack"):
            await made(runtime, lesser, **about)
    for command in greater:
        with pytest.raises(Refused, match="You lack"):
            await rotated(runtime, lesser, command.key)
    assert await rotated(runtime, lesser, (await made(runtime, lesser)).key)


async def test_the_keys_of_another_company_are_as_those_that_are_not_there(
    runtime: Runtime, owner: Context
) -> None:
    command = await made(runtime, owner)
    stranger = replace(owner, tenant=TenantId(str(uuid4())))
    for kind in (RotateApiKey, RevokeApiKey):
        said = []
        for key in (command.key, str(uuid4())):
            with pytest.raises(Refused) as refused:
                await done(runtime, stranger, kind, key=key)
            said.append((refused.value.code, str(refused.value).replace(key, "")))
        assert said[0] == said[1]
    with pytest.raises(Malformed, match="found out here"):
        await made(runtime, stranger, key=command.key)


async def test_a_key_is_shown_once_and_kept_nowhere(runtime: Runtime, owner: Context) -> None:
    about = {"name": "till", "permissions": (READ,)}
    command, first = await done(runtime, owner, CreateApiKey, once="again", **about)
    repeated, again = await done(runtime, owner, CreateApiKey, once="again", **about)
    shown = await show_key(runtime.vault, owner.tenant, command, first)
    assert (first, shown) == (again, api_key_text(command))  # type: ignore[arg-type] # Of its kind.
    assert await show_key(runtime.vault, owner.tenant, repeated, again) is None
    secret = str(shown).rpartition("_")[2]
    async with tenant_transaction(runtime.pool, SYSTEM_TENANT) as connection:
        for table in ("event", "idempotency"):
            rows = await connection.execute(f"SELECT * FROM {table}")
            text = str(await rows.fetchall())
            assert "again" in text or table == "event"
            assert secret not in text


async def test_two_companies_use_one_idempotency_key(runtime: Runtime, owner: Context) -> None:
    stranger = replace(owner, tenant=TenantId(str(uuid4())))
    about = {"once": "1", "name": "till", "permissions": (READ,)}
    _, first = await done(runtime, owner, CreateApiKey, **about)
    _, other = await done(runtime, stranger, CreateApiKey, **about)
    assert first.ids["key"] != other.ids["key"]


async def test_the_last_use_is_written_once_a_minute(runtime: Runtime, owner: Context) -> None:
    command = await made(runtime, owner)
    clock = FixedClock(datetime(2026, 11, 22, 12, 0, 30, tzinfo=UTC))
    door = Door(replace(runtime, clock=clock))
    shown = Shown(authorization=f"Bearer {api_key_text(command)}", address=OFFICE)
    for address in (OFFICE, "192.0.2.8"):
        assert await door.enter(replace(shown, address=address))
    await door.uses.write()
    (use,) = await list_uses(runtime.pool, owner.tenant)
    assert (use.key, use.address, use.secret_id) == (command.key, OFFICE, command.secret_id)
    assert use.used_at == datetime(2026, 11, 22, 12, tzinfo=UTC)
    clock.advance(timedelta(minutes=1))
    await door.enter(replace(shown, address="192.0.2.8"))
    await door.uses.write()
    (later,) = await list_uses(runtime.pool, owner.tenant)
    assert (later.address, later.used_at - use.used_at) == ("192.0.2.8", timedelta(minutes=1))
    assert await list_uses(runtime.pool, TenantId(str(uuid4()))) == []
