"""What is done to a company stands in the log of the instance, and in its own, with by whom."""

import pytest

from application.bus import Bus
from application.errors import Forbidden
from application.jobs import companions
from application.kernel import Context
from application.operators import MAY
from domain.access import Email, EmailDigest, RegisterUser, UserId
from domain.ids import SYSTEM_TENANT, TenantId
from domain.kernel import Command, Refused
from domain.operators import (
    AppointOperator,
    GrantSupport,
    OperatorActed,
    OperatorId,
    Operators,
    Support,
)
from domain.tenants import CreateTenant, RenameTenant, ResumeTenant, Slug, SuspendTenant
from tests.application.desk import TENANT, Store, context, draft

ANA = OperatorId("u1")
SUSPEND = SuspendTenant(tenant=TENANT, reason="Unpaid.")
RESUME, RENAME = ResumeTenant(tenant=TENANT), RenameTenant(tenant=TENANT, name="Acme e Hijos")


def operator(*permissions: str, actor: str = "operator:u1") -> Context:
    return Context(
        tenant=SYSTEM_TENANT,
        actor=actor,
        permissions=frozenset(permissions or MAY),
        correlation_id="request-1",
    )


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
async def bus(store: Store) -> Bus:
    bus = Bus(store, vault=store.vault, companions=companions)
    opened = CreateTenant(tenant=TENANT, slug=Slug("acme"), name="Acme", country="ES")
    await bus.execute(opened, operator())
    return bus


async def told(store: Store, tenant: TenantId = TENANT) -> list[tuple[str, str, str | None]]:
    events = await store.history(tenant)
    return [(e.act, e.by, e.detail) for e in events if isinstance(e, OperatorActed)]


async def test_a_company_knows_who_suspended_resumed_and_renamed_it(bus: Bus, store: Store) -> None:
    await bus.execute(SUSPEND, operator())
    await bus.execute(RESUME, operator(actor="operator:u2"))
    await bus.execute(RENAME, operator())
    assert await told(store) == [
        ("suspended", "operator:u1", "Unpaid."),
        ("resumed", "operator:u2", None),
        ("renamed", "operator:u1", "Acme e Hijos"),
    ]
    own = [each.actor async for each in store.read(TENANT)]
    in_the_instance = [each.actor async for each in store.read(SYSTEM_TENANT)]
    assert own == in_the_instance[1:] == ["operator:u1", "operator:u2", "operator:u1"]


async def test_what_a_company_could_not_be_told_it_is_told_with_the_next_act(
    bus: Bus, store: Store
) -> None:
    async def away() -> None:
        if len(await store.history(SYSTEM_TENANT)) > 1:
            raise Refused("tenants.closed", "The books are closed.", hint="Reopen them.")

    store.rival, store.rival_comes_again = away, True
    await bus.execute(SUSPEND, operator())
    assert await told(store) == []
    store.rival = None
    await bus.execute(SUSPEND, operator())
    assert await told(store) == [("suspended", "operator:u1", "Unpaid.")]


async def test_an_operator_may_nothing_in_the_books_and_appoints_nobody(bus: Bus) -> None:
    inside = Context(
        tenant=TENANT, actor="operator:u1", permissions=MAY, correlation_id="request-1"
    )
    for command, caller in (
        (draft(), inside),
        (GrantSupport(hours=1), inside),
        (AppointOperator(operator=ANA), operator()),
    ):
        with pytest.raises(Forbidden):
            await bus.execute(command, caller)


async def test_who_is_appointed_is_known_here(bus: Bus) -> None:
    by_the_machine = operator("*", actor="cli:root")
    command: Command = AppointOperator(operator=ANA)
    with pytest.raises(Refused, match="There is no person u1"):
        await bus.execute(command, by_the_machine)
    person = RegisterUser(
        user=UserId("u1"),
        email=Email("ana@example.org"),
        email_digest=EmailDigest("d"),
        password_hash="x",  # noqa: S106 - the hash of none.
        tenant=SYSTEM_TENANT,
        permissions=(),
    )
    await bus.execute(person, by_the_machine)
    await bus.execute(command, by_the_machine)
    assert (await bus.fold(SYSTEM_TENANT, Operators.all())).people == {ANA}


async def test_the_time_of_support_is_counted_from_now(bus: Bus) -> None:
    await bus.execute(GrantSupport(hours=72), context())
    assert (await bus.fold(TENANT, Support.own())).until.year < 2100
