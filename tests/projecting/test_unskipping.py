"""A skip is taken back where the event can be folded by now, and a rebuild brings it in."""

from typing import LiteralString

import pytest
from msgspec.structs import replace
from psycopg import errors, sql

from adapters.cli.session import operator
from adapters.postgres.models.moments import row_as_of
from adapters.postgres.models.versions import consumer_of, table_name
from adapters.postgres.projecting.building.booking import booked
from adapters.postgres.projecting.building.rebuild import Asked, rebuild
from adapters.postgres.projecting.building.task import PUBLIC, Task
from adapters.postgres.projecting.unskipping import Unskipped, place_of, unskip
from adapters.runtime import Runtime, open_runtime
from application.errors import Conflict, Forbidden, Malformed, NotFound
from application.ports import QueryItem
from domain.ids import SYSTEM_TENANT
from domain.invoicing import InvoiceDrafted, InvoiceEvent, InvoiceId, IssueInvoice, SeriesCode
from domain.kernel import Refused
from domain.projections import EventUnskipped, ProjectionName
from projections.invoices import InvoiceRow, Invoices
from tests.invoicing.examples import MAY_1
from tests.projecting.office import Office

UNREADABLE = '{"nothing":"of the kind"}'
WHY = "It can be read by now."


@pytest.fixture
async def skipped(runtime: Runtime) -> Office:
    """A log of three drafts, the second of which could not be read, and was left out."""
    office = Office(runtime)
    for invoice in ("one", "two", "three"):
        await office.draft(invoice)
    office.change(2, data=UNREADABLE)
    await office.project()
    await office.skip()
    await office.project()
    assert office.invoices() == ["one", "three"]
    return office


async def undo(office: Office, position: int = 2, reason: str = WHY) -> Unskipped:
    place = place_of("invoices", office.tenant, position)
    return await unskip(office.runtime, place, reason, operator(SYSTEM_TENANT))


async def made_anew(office: Office) -> list[str]:
    url, keyring = office.admin_url, office.runtime.keyring
    done = await rebuild(url, "invoices", office.tenant, keyring=keyring, asked=Asked())
    assert done.verified
    return office.invoices()


def mend(office: Office) -> None:
    office.change(2, data=office.data_of(1).replace("one", "two"))


async def test_a_rebuild_brings_the_event_into_the_rows_and_nothing_before_it(
    skipped: Office,
) -> None:
    mend(skipped)
    done = await undo(skipped)
    assert (done.name, done.version, done.position) == ("invoices", Invoices.version, 2)
    assert (done.event_type, done.rebuild) == ("InvoiceDrafted", True)
    await skipped.draft("four")
    await skipped.project()
    assert skipped.invoices() == ["four", "one", "three"]
    row = await row_as_of(skipped.runtime, Invoices, skipped.context, "two", 3)
    assert isinstance(row, InvoiceRow)
    assert await made_anew(skipped) == ["four", "one", "three", "two"]
    assert (await skipped.progress()).status == "current"


async def test_the_log_says_who_took_it_back_and_why(skipped: Office) -> None:
    mend(skipped)
    await undo(skipped)
    (event,) = await taken_back(skipped)
    assert event == EventUnskipped(
        tenant=skipped.tenant,
        projection=ProjectionName("invoices"),
        version=Invoices.version,
        position=2,
        event_type="InvoiceDrafted",
        reason=WHY,
    )
    asked = [QueryItem(types=("EventUnskipped",), tags=(f"tenant:{skipped.tenant}",))]
    (stored,) = [each async for each in skipped.runtime.store.read(SYSTEM_TENANT, asked)]
    assert stored.actor.startswith("cli:")


async def test_where_the_rows_did_not_come_to_it_yet_no_rebuild_is_needed(skipped: Office) -> None:
    mend(skipped)
    rows = sql.SQL("DELETE FROM {} WHERE tenant_id = %s")
    skipped.do(rows.format(sql.Identifier(table_name(Invoices))), skipped.tenant)
    cursor: LiteralString = "DELETE FROM projection_cursor WHERE tenant_id = %s AND projection = %s"
    skipped.do(cursor, skipped.tenant, consumer_of(Invoices))
    assert (await undo(skipped)).rebuild is False
    await skipped.project()
    assert skipped.invoices() == ["one", "three", "two"]


async def test_what_still_can_not_be_folded_stays_left_out(skipped: Office) -> None:
    with pytest.raises(Refused) as refused:
        await undo(skipped)
    assert refused.value.code == "projections.still_failing"
    assert "Event 2 (InvoiceDrafted) can't be decoded" in refused.value.message
    assert await taken_back(skipped) == []
    assert await made_anew(skipped) == ["one", "three"]


async def test_what_builds_on_another_that_is_left_out_comes_after_it(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply = Invoices.apply

    def strict(row: InvoiceRow | None, event: InvoiceEvent) -> InvoiceRow | None:
        assert row is not None or isinstance(event, InvoiceDrafted)
        return apply(row, event)

    monkeypatch.setattr(Invoices, "apply", staticmethod(strict))
    office = Office(runtime)
    await office.draft("one")
    issue = IssueInvoice(invoice=InvoiceId("one"), series=SeriesCode("S"), issued_on=MAY_1)
    await runtime.bus.execute(issue, office.context)
    readable = office.data_of(1)
    office.change(1, data=UNREADABLE)
    for _ in range(2):
        await office.project()
        await office.skip()
    office.change(1, data=readable)
    with pytest.raises(Refused, match=r"with event 2\. Event 2: ") as refused:
        await undo(office, 2)
    assert refused.value.code == "projections.still_failing"
    for position in (1, 2):
        await undo(office, position)
    row = await row_as_of(runtime, Invoices, office.context, "one", 2)
    assert isinstance(row, InvoiceRow)
    assert row.status == "issued"


async def test_what_is_not_left_out_is_refused(skipped: Office) -> None:
    mend(skipped)
    for position in (1, 99, -1, 10**30):
        with pytest.raises(Refused) as refused:
            await undo(skipped, position)
        assert refused.value.code == "projections.not_skipped"
    with pytest.raises(Malformed):
        await undo(skipped, reason="")
    await undo(skipped)
    with pytest.raises(Refused):
        await undo(skipped)
    assert len(await taken_back(skipped)) == 1
    other = Office(skipped.runtime)
    with pytest.raises(Refused):
        await undo(other)


async def test_a_login_that_owns_nothing_takes_nothing_back(skipped: Office) -> None:
    mend(skipped)
    settings = replace(skipped.runtime.settings, database_admin_url=None)
    place = place_of("invoices", skipped.tenant, 2)
    async with open_runtime(settings) as runtime:
        with pytest.raises(Forbidden) as forbidden:
            await unskip(runtime, place, WHY, operator(SYSTEM_TENANT))
    assert forbidden.value.code == "database.not_owner"
    assert await taken_back(skipped) == []


@pytest.mark.parametrize("name", ["nothing", "privacy.destroy_keys", "reaction:copies"])
async def test_only_a_read_model_can_be_made_anew(skipped: Office, name: str) -> None:
    with pytest.raises(NotFound) as absent:
        place_of(name, skipped.tenant, 2)
    assert absent.value.code == "projections.absent"


async def test_it_waits_for_no_rebuild_that_has_left_it_out(skipped: Office) -> None:
    mend(skipped)
    task = Task(
        id=0,
        url=skipped.admin_url,
        name="invoices",
        schema=PUBLIC,
        keyring=skipped.runtime.keyring,
    )
    async with booked(task, skipped.tenant, None):
        with pytest.raises(Conflict) as conflict:
            await undo(skipped)
        assert conflict.value.code == "projections.rebuilding"
    with pytest.raises(Conflict) as conflict:
        await undo(skipped)
    assert conflict.value.code == "projections.unfinished"
    assert await made_anew(skipped) == ["one", "three"]
    await undo(skipped)
    assert await made_anew(skipped) == ["one", "three", "two"]


async def test_what_broke_off_behind_its_event_is_done_by_the_next(
    skipped: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    mend(skipped)
    with monkeypatch.context() as broken:
        broken.setattr(f"{unskip.__module__}.UNSKIP", "SELECT 1 / 0, %s, %s, %s")
        with pytest.raises(errors.DivisionByZero):
            await undo(skipped)
    assert len(await taken_back(skipped)) == 1
    assert await made_anew(skipped) == ["one", "three"]
    await undo(skipped)
    assert len(await taken_back(skipped)) == 1
    assert await made_anew(skipped) == ["one", "three", "two"]


async def taken_back(office: Office) -> list[EventUnskipped]:
    found = await office.events("EventUnskipped", tenant=SYSTEM_TENANT)
    return [e for e in found if isinstance(e, EventUnskipped) and e.tenant == office.tenant]
