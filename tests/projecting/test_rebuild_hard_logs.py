"""Logs that are not plain: events left out, failing, unknown, and people forgotten on the way."""

import pytest

from adapters.postgres.models.versions import consumer_of
from adapters.postgres.projecting.building import acts
from adapters.postgres.projecting.building.rebuild import rebuild
from adapters.postgres.projecting.building.shadow import make_indexes
from adapters.postgres.projecting.building.task import Task
from adapters.runtime import Runtime
from application.ports import Append, NewEvent
from domain.invoicing import InvoiceEvent
from projections.invoices import InvoiceRow, Invoices
from tests.privacy.conftest import Desk
from tests.projecting.rebuilding import INVOICES, Office, Rows, project, recorded, write


def cursor(office: Office, desk: Desk) -> Rows:
    return office.look(
        "SELECT position, failed_position FROM projection_cursor"
        " WHERE tenant_id = %s AND projection = %s",
        desk.tenant,
        consumer_of(Invoices),
    )


def numbers(office: Office, desk: Desk) -> list[str]:
    found = office.look(
        f"SELECT number FROM {INVOICES} WHERE tenant_id = %s ORDER BY position", desk.tenant
    )
    return [number for (number,) in found]


async def test_what_an_operator_left_out_is_left_out_of_a_rebuild_too(
    desk: Desk, office: Office
) -> None:
    head = await write(desk, recorded(range(3)))
    skip = "INSERT INTO skipped_event VALUES (%s, 'invoices', %s)"
    office.execute(skip, desk.tenant, head - 1)
    await project(desk)
    assert numbers(office, desk) == ["R0", "R2"]
    await office.rebuild()
    assert numbers(office, desk) == ["R0", "R2"]
    await office.rebuild(tenant=desk.tenant)
    assert numbers(office, desk) == ["R0", "R2"]


async def test_what_was_left_out_as_nobody_can_read_it_is_not_read_by_a_rebuild_either(
    desk: Desk, office: Office
) -> None:
    await write(desk, recorded(range(1)))
    unreadable = NewEvent(
        type="InvoiceRecorded",
        tags=("invoice:r000000",),
        data='{"invoice": 7}',
        actor="user:ana",
        correlation_id="request-1",
        causation_id="request-1",
    )
    await desk.runtime.store.append(desk.tenant, Append(events=(unreadable,)))
    await write(desk, recorded(range(2, 3)))
    await project(desk)
    ((_, failed),) = cursor(office, desk)
    skip = "INSERT INTO skipped_event VALUES (%s, 'invoices', %s)"
    office.execute(skip, desk.tenant, failed)
    retry = "UPDATE projection_cursor SET failed_position = NULL, error = NULL WHERE tenant_id = %s"
    office.execute(retry, desk.tenant)
    await project(desk)
    assert numbers(office, desk) == ["R0", "R2"]
    assert (await office.rebuild(tenant=desk.tenant)).verified
    assert numbers(office, desk) == ["R0", "R2"]


async def test_where_the_live_rows_stopped_the_new_ones_stop_too(
    desk: Desk, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply = Invoices.apply

    def failing(row: InvoiceRow | None, event: InvoiceEvent) -> InvoiceRow | None:
        if event.invoice == "r000001":
            raise ValueError("no such thing")
        return apply(row, event)

    head = await write(desk, recorded(range(3)))
    monkeypatch.setattr(Invoices, "apply", staticmethod(failing))
    await project(desk)
    assert cursor(office, desk) == [(head - 2, head - 1)]
    done = await office.rebuild()
    assert done.verified
    (stopped,) = done.stopped
    assert (stopped.tenant, stopped.position) == (desk.tenant, head - 1)
    assert stopped.error.startswith(f"Event {head - 1}: ValueError")
    assert numbers(office, desk) == ["R0"]
    assert cursor(office, desk) == [(head - 2, head - 1)]
    (standing,) = [e for e in await acts.standings(office.task) if e.name == "invoices"]
    assert (standing.status, standing.stopped) == ("done", (stopped,))


async def test_an_event_of_a_newer_version_is_the_end_of_a_log(
    desk: Desk, runtime: Runtime, office: Office
) -> None:
    head = await write(desk, recorded(range(2)))
    newer = NewEvent(
        type="SomethingNewer", tags=(), data="{}", actor="a", correlation_id="c", causation_id=""
    )
    await runtime.store.append(desk.tenant, Append(events=(newer,)))
    await write(desk, recorded(range(2, 4)))
    (unseen,) = (await office.rebuild(tenant=desk.tenant)).stopped
    assert numbers(office, desk) == ["R0", "R1"]
    assert cursor(office, desk) == [(head, None)]
    await project(desk)
    assert cursor(office, desk) == [(head, head + 1)]
    (seen,) = (await office.rebuild(tenant=desk.tenant)).stopped
    for each in (unseen, seen):
        assert (each.position, each.error.split(":")[0]) == (head + 1, "projection.unknown_event")
        assert "SomethingNewer" in each.error
    assert numbers(office, desk) == ["R0", "R1"]


async def test_who_is_forgotten_while_it_runs_is_forgotten_in_it(
    desk: Desk, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(desk, recorded(range(14)))
    await project(desk)

    async def forget_first(task: Task, jobs: int) -> None:
        assert "[forgotten]" not in str(office.rows(f"{INVOICES}__next"))
        await desk.forget("C3")
        await make_indexes(task, jobs)

    monkeypatch.setattr(f"{rebuild.__module__}.make_indexes", forget_first)
    await office.rebuild()
    rows = [row for row in office.rows() if desk.tenant in str(row)]
    assert len([row for row in rows if "[forgotten]" in str(row)]) == 2
    assert len(rows) == 14
    await project(desk)
    assert [row for row in office.rows() if desk.tenant in str(row)] == rows
