"""Country and currency stay from the first entry on, whoever is first at that very moment."""

import pytest
from msgspec.structs import replace

from application.bus import Bus
from application.jobs import companions
from application.kernel import EVERYTHING, Context
from domain.ids import SYSTEM_TENANT
from domain.invoicing import InvoiceIssued, RecordInvoice
from domain.kernel import Command, Refused
from domain.profiles import ChangeProfile, ProfileChanged
from domain.tenants import CreateTenant, Slug
from tests.application.desk import TENANT, Store, context, draft, issue
from tests.invoicing.examples import LINES, MAY_2

OPERATOR = Context(
    tenant=SYSTEM_TENANT,
    actor="system",
    permissions=frozenset({EVERYTHING}),
    correlation_id="request-1",
)
DOLLARS = ChangeProfile(currency="USD")
RECORD = RecordInvoice(invoice="r1", number="X-1", issued_on=MAY_2, lines=LINES)  # type: ignore[arg-type] # Ids are texts.


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
async def bus(store: Store) -> Bus:
    bus = Bus(store, vault=store.vault, companions=companions)
    opened = CreateTenant(tenant=TENANT, slug=Slug("acme"), name="Acme", country="ES")
    await bus.execute(opened, OPERATOR)
    return bus


async def refusal(bus: Bus, command: Command) -> str:
    with pytest.raises(Refused) as refused:
        await bus.execute(command, context())
    return refused.value.code


async def test_a_company_without_entries_changes_its_currency(bus: Bus) -> None:
    await bus.execute(draft(), context())
    assert (await bus.execute(DOLLARS, context())).events


@pytest.mark.parametrize("entry", [issue(), RECORD], ids=["issued here", "issued elsewhere"])
async def test_after_the_first_entry_the_currency_stays(bus: Bus, entry: Command) -> None:
    await bus.execute(draft(), context())
    await bus.execute(entry, context())
    assert await refusal(bus, DOLLARS) == "profiles.frozen"
    assert await refusal(bus, ChangeProfile(country="EC")) == "profiles.frozen"
    assert (await bus.execute(ChangeProfile(currency="EUR", locale="es-ES"), context())).events


async def test_an_entry_that_comes_in_between_is_seen(bus: Bus, store: Store) -> None:
    other = Bus(store, vault=store.vault, companions=companions)
    await bus.execute(draft(), context())

    async def issued_first() -> None:
        store.rival = None
        await other.execute(issue(), context())

    store.rival = issued_first
    assert await refusal(bus, DOLLARS) == "profiles.frozen"
    found = [type(each) for each in await store.history()]
    assert (found.count(InvoiceIssued), found.count(ProfileChanged)) == (1, 0)


async def test_once_there_are_entries_more_of_them_keep_nobody_waiting(
    bus: Bus, store: Store
) -> None:
    other = Bus(store, vault=store.vault, companions=companions)
    for command in (draft("i1"), issue("i1"), draft("i2")):
        await bus.execute(command, context())

    async def issued_first() -> None:
        store.rival = None
        await other.execute(issue("i2"), context())

    store.rival, store.appends = issued_first, 0
    assert (await bus.execute(ChangeProfile(locale="es-EC"), context())).events
    assert store.appends == 2


async def test_in_one_batch_the_entry_before_it_counts(bus: Bus) -> None:
    with pytest.raises(Refused, match="The currency is EUR"):
        await bus.execute_many([RECORD, DOLLARS], context(), all_or_nothing=True)
    answers = await bus.execute_many([replace(DOLLARS, currency="GBP"), RECORD], context())
    assert not any(isinstance(each, Refused) for each in answers)


@pytest.mark.parametrize("zone", ["Europe/Atlantis", "../../etc/passwd", "utc?"])
async def test_a_time_zone_is_one_that_there_is(bus: Bus, zone: str) -> None:
    assert await refusal(bus, ChangeProfile(time_zone=zone)) == "profiles.unknown_time_zone"
    assert (await bus.execute(ChangeProfile(time_zone="Europe/Madrid"), context())).events
