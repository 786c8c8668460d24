"""What is suspended or switched off is refused in the bus, however the command came there."""

import asyncio
import time
from collections.abc import Sequence
from itertools import count

import pytest

from application import admission
from application.bus import Bus
from application.errors import Forbidden, Malformed, NotFound
from application.jobs import companions
from application.kernel import EVERYTHING, Context, Outcome, exposed_commands
from application.modules import catalogue, module_of
from application.ports import BoundaryQuery, Look
from domain.ids import SYSTEM_TENANT, JobId, TenantId
from domain.imports import OpenImportBatch
from domain.jobs import CancelJob, StartJob
from domain.kernel import Command, Refused
from domain.modules import ConfigureModule, DisableModule, EnableModule, ModuleName, Settings
from domain.profiles import ChangeProfile
from domain.tenants import CreateTenant, ResumeTenant, Slug, SuspendTenant
from tests.application.desk import TENANT, Store, context, draft, issue

IMPORTS, INVOICING = ModuleName("imports"), ModuleName("invoicing")
WEBHOOKS = ModuleName("webhooks")
OPERATOR = Context(
    tenant=SYSTEM_TENANT,
    actor="system",
    permissions=frozenset({EVERYTHING}),
    correlation_id="request-1",
)
OPEN = OpenImportBatch(batch="b1", source_type="invoices", origin="csv")  # type: ignore[arg-type] # Ids are texts.
SECONDS_MAX = 0.9
SUSPEND = SuspendTenant(tenant=TENANT, reason="The fee is not paid.")


class Looked(Store):
    """Counts what is read, by whose log it is."""

    def __init__(self) -> None:
        super().__init__()
        self.looks: list[tuple[TenantId, tuple[str, ...]]] = []

    async def look(
        self, tenant: TenantId, boundaries: Sequence[BoundaryQuery], keys: Sequence[str] = ()
    ) -> Look:
        self.looks.append((tenant, tuple(each.tag for each in boundaries)))
        return await super().look(tenant, boundaries, keys)


@pytest.fixture
def store() -> Looked:
    return Looked()


@pytest.fixture
def bus(store: Looked) -> Bus:
    return Bus(store, vault=store.vault, companions=companions)


@pytest.fixture
async def other(store: Looked, bus: Bus) -> Bus:
    """Another process, that knows since a moment ago that nothing is switched off."""
    await bus.execute(
        CreateTenant(tenant=TENANT, slug=Slug("acme"), name="A", country="ES"), OPERATOR
    )
    other = Bus(store, vault=store.vault, companions=companions)
    await other.execute(draft("warm"), context())
    return other


async def until_refused(bus: Bus) -> str:
    """Send commands for less than a second, until one is refused; return its code."""
    until = time.monotonic() + SECONDS_MAX
    for number in count():
        assert time.monotonic() < until, "It takes too long until a command is refused."
        try:
            await bus.execute(draft(f"i{number}"), context())
        except Forbidden as error:
            return error.code
        await asyncio.sleep(0.01)
    raise AssertionError


async def refusal(bus: Bus, command: Command, caller: Context | None = None) -> str:
    try:
        await bus.execute(command, caller or context())
    except (Forbidden, Refused) as refused:
        return refused.code
    raise AssertionError(command)


async def disable(bus: Bus, *modules: ModuleName) -> None:
    for module in modules:
        await bus.execute(DisableModule(module=module), context())


async def test_from_the_start_every_module_is_on(bus: Bus) -> None:
    assert (await bus.execute(OPEN, context())).events
    assert (await bus.execute(draft(), context())).events


async def test_a_module_that_is_off_runs_no_command(bus: Bus) -> None:
    await disable(bus, IMPORTS)
    assert await refusal(bus, OPEN) == "modules.disabled"
    assert (await bus.execute(draft(), context())).events


async def test_a_module_that_is_on_again_runs_at_once(bus: Bus, other: Bus) -> None:
    await disable(bus, IMPORTS)
    await asyncio.sleep(admission.FRESH_SECONDS)
    assert await refusal(other, OPEN) == "modules.disabled"
    await bus.execute(EnableModule(module=IMPORTS), context())
    assert (await other.execute(OPEN, context())).events


async def test_another_process_refuses_well_within_a_second(bus: Bus, other: Bus) -> None:
    await disable(bus, IMPORTS, INVOICING)
    assert await until_refused(other) == "modules.disabled"


async def test_the_needs_of_modules_are_looked_up_and_not_told(bus: Bus) -> None:
    assert await refusal(bus, DisableModule(module=INVOICING)) == "modules.needed"
    await disable(bus, IMPORTS, INVOICING)
    assert await refusal(bus, EnableModule(module=IMPORTS)) == "modules.needs_others"


async def test_a_batch_of_a_module_that_is_off_is_refused_as_a_whole(
    bus: Bus, store: Looked
) -> None:
    await disable(bus, IMPORTS, INVOICING)
    before = await store.head(TENANT)
    with pytest.raises(Forbidden, match="switched off"):
        await bus.execute_many([draft("a"), draft("b")], context(actor="job:j1"))
    assert await store.head(TENANT) == before


async def test_the_closing_command_of_a_batch_is_held_to_it_too(bus: Bus, store: Looked) -> None:
    await disable(bus, IMPORTS)
    before = await store.head(TENANT)

    async def close(_: Sequence[Outcome | Refused]) -> Command:
        return OPEN

    with pytest.raises(Forbidden, match="imports"):
        await bus.execute_many([draft("a")], context(actor="job:j1"), closing=close)
    assert await store.head(TENANT) == before


async def test_in_one_batch_a_command_sees_what_the_one_before_it_switched(bus: Bus) -> None:
    with pytest.raises(Forbidden, match="switched off"):
        await bus.execute_many([DisableModule(module=IMPORTS), OPEN], context())


async def test_commands_that_wait_together_are_refused_each_for_itself(bus: Bus) -> None:
    await disable(bus, IMPORTS)
    batches = [OPEN, CancelJob(job=JobId("none")), draft()]
    answers = await asyncio.gather(
        *(bus.execute(each, context()) for each in batches), return_exceptions=True
    )
    kinds = [type(answer) for answer in answers]
    assert kinds == [Forbidden, Refused, Outcome]


async def test_a_suspended_company_changes_nothing(bus: Bus, other: Bus) -> None:
    await bus.execute(SUSPEND, OPERATOR)
    assert await until_refused(other) == "tenants.suspended"
    for command in (OPEN, ChangeProfile(locale="es-ES"), DisableModule(module=WEBHOOKS)):
        assert await refusal(other, command) == "tenants.suspended"


async def test_the_process_that_suspends_refuses_at_once_and_says_why(other: Bus) -> None:
    await other.execute(SUSPEND, OPERATOR)
    with pytest.raises(Forbidden, match="The fee is not paid"):
        await other.execute(draft(), context())


async def test_a_company_that_is_resumed_goes_on_at_once(bus: Bus, other: Bus) -> None:
    await bus.execute(SUSPEND, OPERATOR)
    await until_refused(other)
    await bus.execute(ResumeTenant(tenant=TENANT), OPERATOR)
    assert (await other.execute(draft("after"), context())).events


async def test_operators_act_for_the_instance_while_a_company_is_suspended(
    bus: Bus, other: Bus
) -> None:
    await bus.execute(SUSPEND, OPERATOR)
    await until_refused(other)
    another = TenantId("00000000-0000-7000-8000-000000000009")
    made = CreateTenant(tenant=another, slug=Slug("more"), name="B", country="EC")
    assert (await other.execute(made, OPERATOR)).events


async def test_in_the_log_of_the_instance_a_suspended_company_changes_nothing_either(
    bus: Bus, other: Bus
) -> None:
    await bus.execute(SUSPEND, OPERATOR)
    await until_refused(other)
    made = CreateTenant(tenant=TENANT, slug=Slug("more"), name="B", country="EC")
    assert await refusal(other, made, context()) == "tenants.suspended"


async def test_a_job_ends_though_its_company_is_suspended(bus: Bus, other: Bus) -> None:
    await bus.execute(SUSPEND, OPERATOR)
    await until_refused(other)
    assert not (await other.execute(StartJob(job=JobId("j1")), context(actor="job:j1"))).events


async def test_another_company_is_not_concerned(bus: Bus, other: Bus) -> None:
    await bus.execute(SUSPEND, OPERATOR)
    await until_refused(other)
    neighbour = Context(
        tenant=TenantId("t2"), actor="user:eva", permissions=frozenset({"*"}), correlation_id="r"
    )
    assert (await other.execute(OPEN, neighbour)).events


async def test_commands_read_nothing_more_than_their_own_boundaries(
    bus: Bus, store: Looked
) -> None:
    await bus.execute(draft("first"), context())
    store.looks.clear()
    began = time.monotonic()
    for number in range(50):
        await bus.execute(draft(f"i{number}"), context())
    fits = int((time.monotonic() - began) / admission.FRESH_SECONDS) + 1
    assert len([1 for tenant, _ in store.looks if tenant == SYSTEM_TENANT]) <= fits
    assert len([1 for tenant, _ in store.looks if tenant == TENANT]) == 50
    assert len([1 for _, tags in store.looks if "modules:own" in tags]) <= fits


async def test_a_company_that_asks_seldom_waits_for_no_look_of_its_own(
    bus: Bus, store: Looked
) -> None:
    await bus.execute(draft("first"), context())
    await asyncio.sleep(admission.FRESH_SECONDS)
    store.looks.clear()
    await bus.execute(draft("second"), context())
    assert [tenant for tenant, _ in store.looks] == [SYSTEM_TENANT, TENANT]


async def test_settings_hold_back_what_the_company_does_not_allow(bus: Bus) -> None:
    allowed: Settings = {"series": ["B"], "currencies": ["USD"]}
    await bus.execute(draft(), context())
    await bus.execute(ConfigureModule(module=INVOICING, settings=allowed), context())
    assert await refusal(bus, issue()) == "invoicing.series_not_allowed"
    assert await refusal(bus, draft("two")) == "invoicing.currency_not_allowed"
    put_back = ConfigureModule(module=INVOICING, settings={"series": None, "currencies": None})
    await bus.execute(put_back, context())
    assert (await bus.execute(issue(), context())).events


async def test_settings_that_are_so_already_stay_quiet_when_they_come_from_the_log(
    bus: Bus, other: Bus
) -> None:
    command = ConfigureModule(module=INVOICING, settings={"series": ["A"]})
    assert (await bus.execute(command, context())).events
    assert not (await bus.execute(command, context())).events
    assert not (await other.execute(command, context())).events


@pytest.mark.parametrize(
    ("module", "given"),
    [
        (INVOICING, {"serie": ["A"]}),
        (INVOICING, {"serie": None}),
        (INVOICING, {"series": "A"}),
        (INVOICING, {"series": ["not a series"]}),
        (INVOICING, {"currencies": ["euro"]}),
        (WEBHOOKS, {"any": 1}),
    ],
)
async def test_settings_are_those_that_the_module_has(
    bus: Bus, module: ModuleName, given: dict[str, object]
) -> None:
    with pytest.raises(Malformed):
        await bus.execute(ConfigureModule(module=module, settings=given), context())


@pytest.mark.parametrize("name", ["access", "nothing"])
async def test_what_belongs_to_the_system_itself_is_not_switched(bus: Bus, name: str) -> None:
    with pytest.raises(NotFound):
        await bus.execute(DisableModule(module=ModuleName(name)), context())


def test_what_a_module_works_with_is_declared_and_on_from_the_start_as_it_is() -> None:
    assert catalogue()
    for module in catalogue().values():
        for name in module.needs:
            assert catalogue()[name].from_start or not module.from_start


def test_no_command_of_the_log_of_the_instance_belongs_to_a_module() -> None:
    system = [each.command for each in exposed_commands().values() if each.system]
    assert system
    assert not [command for command in system if module_of(command)]


def test_every_module_has_commands_that_can_be_switched_off() -> None:
    owned = {module_of(each.command) for each in exposed_commands().values() if each.route}
    assert owned - {None} == set(catalogue().values())
