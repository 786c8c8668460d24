"""A template shows what it would change, changes that once, and leaves what a company decided."""

import pytest
from msgspec.structs import replace

from application.bus import Bus
from application.errors import Forbidden, NotFound
from application.kernel import exposed_commands
from application.modules import catalogue, effective
from application.sector_templates import INVOICE, SHOP, TEMPLATES, WHOLESALE, SectorTemplate, Step
from application.sectors import apply, diff, find_template, list_templates
from domain.fields import AddCustomField, ConfigureField, Fields
from domain.kernel import Refused
from domain.modules import ConfigureModule, DisableModule, EnableModule, ModuleName, Modules
from domain.sectors import NoteSectorTemplate, SectorTemplateApplied, TemplateName
from tests.application.desk import TENANT, Store, context
from tests.kernel import given

INVOICING, WEBHOOKS = ModuleName("invoicing"), ModuleName("webhooks")
OWNER = context()
shop = SectorTemplateApplied(template=TemplateName("shop"), version=1)


def test_a_version_is_noted_once_and_no_older_one_after_it() -> None:
    note = NoteSectorTemplate(template=TemplateName("shop"), version=1)
    given().when(note).then(shop)
    given(shop).when(note).then_nothing()
    given(replace(shop, version=2)).when(note).then_nothing()


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda each: each.name)
async def test_every_template_does_what_it_shows(
    bus: Bus, store: Store, template: SectorTemplate
) -> None:
    shown = await diff(bus, OWNER, template)
    assert await store.head(TENANT) == 0
    done = await apply(bus, OWNER, template)
    assert done.changes == shown.changes
    assert any(each.action == "apply" for each in done.changes)
    again = await diff(bus, OWNER, template)
    assert {each.action for each in again.changes} == {"same"}
    assert [each.after for each in again.changes] == [each.before for each in again.changes]


async def test_applied_again_a_template_does_nothing(bus: Bus, store: Store) -> None:
    await apply(bus, OWNER, SHOP)
    head = await store.head(TENANT)
    again = await apply(bus, OWNER, SHOP)
    assert (await store.head(TENANT), again.position) == (head, None)


async def test_what_a_company_decided_before_stays(bus: Bus) -> None:
    mine = ConfigureModule(module=INVOICING, settings={"series": ["MINE"]})
    await bus.execute(mine, OWNER)
    done = await apply(bus, OWNER, SHOP)
    (kept,) = [each for each in done.changes if each.action == "keep"]
    assert (kept.subject, kept.before) == ("modules.invoicing.series", ["MINE"])
    modules = await bus.fold(TENANT, Modules.own())
    assert effective(catalogue()[INVOICING], modules)["series"] == ["MINE"]


async def test_a_newer_version_adds_what_is_new_and_keeps_what_the_company_changed(
    bus: Bus,
) -> None:
    await apply(bus, OWNER, SHOP)
    await bus.execute(EnableModule(module=WEBHOOKS), OWNER)
    new = AddCustomField(entity=INVOICE, field="gift", type="boolean")
    newer = SectorTemplate(
        name=SHOP.name, title=SHOP.title, steps=(*SHOP.steps, Step(command=new, since=2))
    )
    done = await apply(bus, OWNER, newer)
    changed = {each.subject: each.action for each in done.changes if each.action != "same"}
    assert changed == {f"fields.{INVOICE}.custom.gift": "apply", "modules.webhooks": "keep"}
    assert (await bus.fold(TENANT, Modules.own())).enabled[WEBHOOKS]
    assert "gift" in (await bus.fold(TENANT, Fields.own())).of(INVOICE).added


async def test_what_a_company_took_out_stays_out(bus: Bus) -> None:
    await apply(bus, OWNER, SHOP)
    put_back = ConfigureModule(module=INVOICING, settings={"series": None})
    await bus.execute(put_back, OWNER)
    more = Step(command=DisableModule(module=WEBHOOKS), since=2)
    newer = SectorTemplate(name=SHOP.name, title=SHOP.title, steps=(*SHOP.steps, more))
    await apply(bus, OWNER, newer)
    assert INVOICING not in {
        name for name, kept in (await bus.fold(TENANT, Modules.own())).settings.items() if kept
    }


async def test_the_events_of_a_template_say_that_they_come_of_it(bus: Bus, store: Store) -> None:
    await apply(bus, OWNER, SHOP)
    causes = {stored.causation_id async for stored in store.read(TENANT)}
    assert causes == {"template:shop@1"}


async def test_a_template_is_applied_as_a_whole_or_not_at_all(bus: Bus, store: Store) -> None:
    fields = [AddCustomField(entity=INVOICE, field=f"f{n}", type="text") for n in range(49)]
    for command in fields:
        await bus.execute(command, OWNER)
    head = await store.head(TENANT)
    with pytest.raises(Refused, match="50 fields"):
        await apply(bus, OWNER, WHOLESALE)
    assert await store.head(TENANT) == head


async def test_who_may_not_run_its_commands_may_not_apply_it(bus: Bus, store: Store) -> None:
    for permissions in (("invoicing.invoice.draft",), ("modules.module.manage",)):
        with pytest.raises(Forbidden):
            await apply(bus, context(*permissions), SHOP)
    assert await store.head(TENANT) == 0


def test_there_are_no_other_templates() -> None:
    with pytest.raises(NotFound, match="pharmacy"):
        find_template("pharmacy")


async def test_templates_are_listed_with_the_version_that_a_company_has(bus: Bus) -> None:
    await apply(bus, OWNER, SHOP)
    found = {each.template: each.applied_version for each in await list_templates(bus, OWNER)}
    names = {"shop": 1, "bakery": 0, "workshop": 0, "services": 0, "wholesale": 0}
    assert found == names


def test_templates_are_made_of_commands_that_anybody_could_send() -> None:
    for template in TEMPLATES:
        for step in template.steps:
            assert exposed_commands()[type(step.command)].route
            assert isinstance(
                step.command,
                EnableModule | DisableModule | ConfigureModule | AddCustomField | ConfigureField,
            )
