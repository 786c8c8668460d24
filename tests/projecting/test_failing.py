"""An event that can't be folded stops one projection of one tenant, until an operator acts."""

from typing import LiteralString

import pytest
from psycopg import sql

from adapters.cli.session import operator
from adapters.metrics.standing import Overlook, standing_figures
from adapters.postgres.connections import tenant_transaction
from adapters.postgres.models.versions import consumer_of, table_name
from adapters.postgres.projecting.skipping import skipped_positions
from adapters.postgres.projecting.standing import look
from adapters.runtime import Runtime
from adapters.worker.readers import reader_names
from application.errors import NotFound
from domain.ids import SYSTEM_TENANT
from domain.kernel import Refused
from domain.projections import EventSkipped, ProjectionName, SkipEvent
from projections.invoices import Invoices
from tests.privacy.conftest import Desk
from tests.projecting.office import REASON, Office

UNREADABLE = '{"nothing":"of the kind"}'


@pytest.fixture
def office(runtime: Runtime) -> Office:
    return Office(runtime)


@pytest.fixture
async def failed(office: Office) -> Office:
    """A log of three drafts, the second of which can't be read."""
    for invoice in ("one", "two", "three"):
        await office.draft(invoice)
    office.change(2, data=UNREADABLE)
    await office.project()
    return office


async def test_it_stops_its_projection_before_the_event_and_says_why(failed: Office) -> None:
    stopped = await failed.progress()
    assert (stopped.status, stopped.position, stopped.failed_position) == ("failed", 1, 2)
    assert stopped.lag == 2
    assert "event.unreadable" in (stopped.error or "")
    assert failed.invoices() == ["one"]


async def test_everything_else_runs_on(failed: Office) -> None:
    other = Office(failed.runtime)
    await other.draft("theirs")
    await failed.record("R-1")
    await other.project()
    assert other.invoices() == ["theirs"]
    assert (await failed.progress("vat_book")).status == "current"
    assert (await failed.progress("privacy.destroy_keys")).status == "current"
    assert (await failed.progress()).status == "failed"


async def test_it_stands_there_until_somebody_acts(failed: Office) -> None:
    data = failed.data_of(1).replace("one", "two")
    failed.change(2, data=data)
    await failed.project()
    assert (await failed.progress()).status == "failed"
    again = await failed.retry()
    assert (again.name, again.version) == ("invoices", Invoices.version)
    assert (again.position, again.event_type) == (2, "InvoiceDrafted")
    await failed.project()
    assert (await failed.progress()).status == "current"
    assert failed.invoices() == ["one", "three", "two"]


async def test_a_retry_that_changes_nothing_fails_again(failed: Office) -> None:
    await failed.retry()
    assert (await failed.progress()).status == "behind"
    await failed.project()
    assert (await failed.progress()).status == "failed"


async def test_a_skip_leaves_out_one_event_and_the_log_says_who_and_why(failed: Office) -> None:
    await failed.skip()
    await failed.project()
    assert (await failed.progress()).status == "current"
    assert failed.invoices() == ["one", "three"]
    (event,) = await skips_of(failed)
    assert event == EventSkipped(
        tenant=failed.tenant,
        projection=ProjectionName("invoices"),
        version=Invoices.version,
        position=2,
        event_type="InvoiceDrafted",
        reason=REASON,
    )
    stored = [s async for s in failed.runtime.store.read(SYSTEM_TENANT) if s.tags == tags(failed)]
    assert stored[0].actor.startswith("cli:")


async def test_after_a_retry_the_event_is_skipped_by_its_position(failed: Office) -> None:
    await failed.retry()
    with pytest.raises(Refused) as refused:
        await failed.skip()
    assert refused.value.code == "projections.not_failed"
    assert "--position 2" in refused.value.hint
    for other in (1, 3):
        with pytest.raises(Refused):
            await failed.skip(position=other)
    assert (await failed.skip(position=2)).event_type == "InvoiceDrafted"
    await failed.project()
    assert failed.invoices() == ["one", "three"]
    with pytest.raises(Refused) as refused:
        await failed.skip(position=4)
    assert refused.value.hint == "There is nothing to retry or to skip."


async def test_no_other_event_is_skipped_than_the_one_that_is_named(failed: Office) -> None:
    with pytest.raises(Refused, match="failed at event 2") as refused:
        await failed.skip(position=3)
    assert "--position 2" in refused.value.hint
    assert (await failed.skip(position=2)).position == 2


async def test_an_event_of_a_newer_version_is_not_skipped_by_its_position(office: Office) -> None:
    await office.draft("one")
    office.change(1, kind="SomethingNewer")
    with pytest.raises(Refused) as refused:
        await office.skip(position=1)
    assert refused.value.code in {"projections.waiting", "projections.not_failed"}
    await office.project()
    await office.retry()
    with pytest.raises(Refused) as refused:
        await office.skip(position=1)
    assert refused.value.code == "projections.waiting"


async def test_an_event_that_can_not_be_written_is_found_among_the_others(office: Office) -> None:
    for number in range(40):
        await office.draft(f"d{number:02}", currency="USD" if number == 26 else "EUR")
    table = sql.Identifier(table_name(Invoices))
    office.do(sql.SQL("ALTER TABLE {} ADD CONSTRAINT odd CHECK (currency <> 'USD')").format(table))
    await office.project()
    stopped = await office.progress()
    assert (stopped.status, stopped.position, stopped.failed_position) == ("failed", 26, 27)
    assert (await office.progress("vat_book")).status == "current"
    await office.skip()
    await office.project()
    office.do(sql.SQL("ALTER TABLE {} DROP CONSTRAINT odd").format(table))
    assert len(office.invoices()) == 39
    assert "d26" not in office.invoices()


async def test_a_bug_is_told_by_its_place_and_says_nothing_of_a_person(office: Office) -> None:
    await office.draft("one")
    office.change(1, data=office.data_of(1).replace('"quantity":"3"', '"quantity":"NaN"'))
    await office.project()
    stopped = await office.progress()
    assert stopped.status == "failed"
    assert "InvalidOperation: in " in (stopped.error or "")


async def test_a_second_bad_event_is_not_skipped_with_the_first(failed: Office) -> None:
    failed.change(3, data=UNREADABLE)
    await failed.skip()
    await failed.project()
    stopped = await failed.progress()
    assert (stopped.status, stopped.failed_position) == ("failed", 3)


async def test_what_is_skipped_stays_out_when_all_is_folded_anew(failed: Office) -> None:
    await failed.skip()
    await failed.project()
    rows = sql.SQL("DELETE FROM {} WHERE tenant_id = %s")
    failed.do(rows.format(sql.Identifier(table_name(Invoices))), failed.tenant)
    cursor: LiteralString = "DELETE FROM projection_cursor WHERE tenant_id = %s AND projection = %s"
    failed.do(cursor, failed.tenant, consumer_of(Invoices))
    await failed.project()
    assert failed.invoices() == ["one", "three"]
    async with tenant_transaction(failed.runtime.pool, failed.tenant) as connection:
        assert await skipped_positions(connection, failed.tenant, "invoices") == {2}
        assert await skipped_positions(connection, failed.tenant, "jobs") == set()


async def test_what_is_skipped_does_not_hold_up_a_forgetting(runtime: Runtime) -> None:
    desk = Desk(runtime)
    office = Office(runtime, desk.tenant)
    for number in ("1", "2"):
        await desk.record(number)
    office.change(2, data=UNREADABLE)
    await office.project()
    for name in ("invoices", "customer_balances", "vat_book"):
        await office.skip(name)
    await desk.forget()
    await office.project()
    assert (await office.progress()).status == "current"
    assert office.invoices() == ["i1"]


async def test_other_tenants_do_not_see_what_was_skipped(failed: Office) -> None:
    await failed.skip()
    other = Office(failed.runtime)
    async with tenant_transaction(failed.runtime.pool, other.tenant) as connection:
        assert await skipped_positions(connection, failed.tenant, "invoices") == set()


async def test_what_did_not_fail_is_neither_skipped_nor_retried(office: Office) -> None:
    await office.draft("one")
    await office.project()
    for act in (office.skip, office.retry):
        with pytest.raises(Refused) as refused:
            await act()
        assert refused.value.code == "projections.not_failed"
        with pytest.raises(NotFound) as absent:
            await act("nothing")
        assert absent.value.code == "projections.absent"
    assert await skips_of(office) == []


async def test_what_has_nothing_to_fold_yet_did_not_fail(office: Office) -> None:
    with pytest.raises(Refused) as refused:
        await office.retry()
    assert refused.value.code == "projections.not_failed"


async def test_skipping_twice_skips_once(failed: Office) -> None:
    await failed.skip()
    with pytest.raises(Refused):
        await failed.skip()
    assert len(await skips_of(failed)) == 1


async def test_a_skip_broken_off_behind_its_event_is_done_by_the_next(failed: Office) -> None:
    command = SkipEvent(
        tenant=failed.tenant,
        projection=ProjectionName("invoices"),
        version=Invoices.version,
        position=2,
        event_type="InvoiceDrafted",
        reason=REASON,
    )
    await failed.runtime.bus.execute(command, operator(SYSTEM_TENANT))
    assert (await failed.progress()).status == "failed"
    await failed.skip()
    await failed.project()
    assert failed.invoices() == ["one", "three"]
    assert len(await skips_of(failed)) == 1


async def test_an_event_of_an_unknown_type_is_waited_for_and_never_skipped(office: Office) -> None:
    await office.draft("one")
    await office.draft("two")
    office.change(2, kind="InvoicePrinted")
    await office.project()
    for name in ("invoices", "vat_book", "jobs"):
        waiting = await office.progress(name)
        assert (waiting.status, waiting.position) == ("waiting", 1)
        assert "InvoicePrinted" in (waiting.error or "")
    with pytest.raises(Refused) as refused:
        await office.skip()
    assert refused.value.code == "projections.waiting"
    office.change(2, kind="InvoiceDrafted")
    await office.project()
    assert (await office.progress()).status == "current"
    assert office.invoices() == ["one", "two"]


async def test_operators_see_at_a_glance_what_stands_still(failed: Office) -> None:
    consumers = reader_names()
    standing = await look(failed.runtime.pool, consumers)
    assert "invoices failed in" in standing.stopped
    (mine,) = [each for each in standing.furthest if each.tenant == failed.tenant and each.failed]
    assert (mine.name, mine.events, mine.failed) == ("invoices", 2, 1)
    assert mine.seconds > 0
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for metric in standing_figures(standing, consumers)
        for sample in metric.samples
    }
    assert samples["asiento_projection_logs", "invoices", "failed"] >= 1
    assert samples["asiento_projection_tenant_lag_events", "invoices", failed.tenant] == 2
    assert samples["asiento_projection_lag_events", "api_keys"] == 0


async def test_those_who_look_at_once_share_a_look(runtime: Runtime) -> None:
    overlook = Overlook(reader_names())
    first = await overlook.standing(runtime.pool)
    assert await overlook.standing(runtime.pool) is first


async def test_where_nothing_was_behind_and_nothing_grew_no_log_is_looked_at(
    runtime: Runtime,
) -> None:
    nobody: tuple[list[str], list[str]] = ([], [])
    office = Office(runtime)
    await office.draft("one")
    first = await look(runtime.pool, nobody)
    assert first.totals == ()
    assert (await look(runtime.pool, reader_names(), first)).totals == ()
    await office.draft("two")
    assert (await look(runtime.pool, reader_names(), first)).totals != ()


async def skips_of(office: Office) -> list[EventSkipped]:
    found = await office.events("EventSkipped", tenant=SYSTEM_TENANT)
    return [e for e in found if isinstance(e, EventSkipped) and e.tenant == office.tenant]


def tags(office: Office) -> tuple[str, ...]:
    return ("projection:invoices", f"tenant:{office.tenant}")
