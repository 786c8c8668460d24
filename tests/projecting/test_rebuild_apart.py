"""Whole tables as they were on a day, in a schema of their own."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from adapters.postgres.models.versions import table_name
from adapters.postgres.projecting.building.rebuild import Room
from adapters.runtime import Runtime
from application.errors import Conflict, Malformed
from domain.invoicing import InvoiceEvent
from domain.kernel import Refused
from projections.balances import CustomerBalances
from projections.invoices import InvoiceRow, Invoices
from tests.privacy.conftest import Desk
from tests.projecting.rebuilding import INVOICES, Office, issued, project, recorded, write

THERE: Final = "SELECT 1 FROM pg_namespace WHERE nspname = %s"


async def test_the_rows_are_those_of_then(desk: Desk, runtime: Runtime, office: Office) -> None:
    other = Desk(runtime)
    for each in (desk, other):
        await write(each, [*recorded(range(20)), *issued(range(10))])
    await project(desk)
    then = office.rows()
    await asyncio.sleep(0.01)
    moment = datetime.now(UTC)
    for each in (desk, other):
        await write(each, recorded(range(20, 40)))
    await project(desk)
    now = office.rows()
    done = await office.rebuild(as_of=moment, into="as_it_was", piece_events=7)
    assert office.rows("as_it_was.invoices") == then
    assert (done.rows, done.events) == (len(then), 80)
    assert office.rows() == now
    assert office.look("SELECT to_regclass('as_it_was.invoices__next')") == [(None,)]


async def test_a_position_is_one_tenants(desk: Desk, runtime: Runtime, office: Office) -> None:
    head = await write(desk, recorded(range(10)))
    await write(desk, recorded(range(10, 20)))
    await write(Desk(runtime), recorded(range(5)))
    await office.rebuild(tenant=desk.tenant, as_of=head - 3, into="at_a_position")
    found = office.look(
        "SELECT DISTINCT tenant_id::text, max(position) FROM at_a_position.invoices GROUP BY 1"
    )
    assert found == [(desk.tenant, head - 3)]
    with pytest.raises(Malformed) as malformed:
        await office.rebuild(as_of=3, into="of_nobody")
    assert malformed.value.code == "projections.whose_position"


async def test_rows_that_gather_are_those_of_then_too(desk: Desk, office: Office) -> None:
    await write(desk, recorded(range(20)))
    await project(desk)
    then = office.rows(table_name(CustomerBalances), CustomerBalances.key)
    moment = datetime.now(UTC)
    await write(desk, recorded(range(20, 30)))
    await office.rebuild("customer_balances", as_of=moment, into="balances_then")
    assert office.rows("balances_then.customer_balances", CustomerBalances.key) == then


async def test_a_schema_that_holds_something_else_is_left_alone(desk: Desk, office: Office) -> None:
    await write(desk, recorded(range(3)))
    moment = datetime.now(UTC)
    office.execute("CREATE SCHEMA taken")
    for name in ("taken", "public"):
        with pytest.raises((Conflict, Malformed)):
            await office.rebuild(as_of=moment, into=name)
    for name in ("pg_then", "Then", "then;", "information_schema"):
        with pytest.raises(Malformed) as malformed:
            await office.rebuild(as_of=moment, into=name)
        assert malformed.value.code == "projections.bad_schema"
    await office.rebuild(as_of=moment, into="twice")
    with pytest.raises(Conflict, match="holds invoices already") as conflict:
        await office.rebuild(as_of=moment, into="twice")
    assert conflict.value.code == "projections.schema_taken"
    await office.rebuild("vat_book", as_of=moment, into="twice")
    assert office.look("SELECT count(*) FROM twice.vat_book")[0][0] > 0


async def test_what_has_not_come_yet_is_refused(desk: Desk, office: Office) -> None:
    head = await write(desk, recorded(range(3)))
    with pytest.raises(Malformed, match=f"the log ends at {head}") as beyond:
        await office.rebuild(tenant=desk.tenant, as_of=head + 1, into="not_yet")
    assert beyond.value.code == "query.beyond_head"
    with pytest.raises(Malformed, match="is in the future: now it is 20") as future:
        await office.rebuild(as_of=datetime.now(UTC) + timedelta(minutes=1), into="not_yet")
    assert future.value.code == "query.in_the_future"
    assert office.look(THERE, "not_yet") == []
    await office.rebuild(tenant=desk.tenant, as_of=head, into="by_now")


async def test_one_that_is_refused_leaves_no_schema(
    desk: Desk, office: Office, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    await write(desk, recorded(range(3)))
    moment = datetime.now(UTC)
    room = Room(folder=tmp_path, spare_bytes=1 << 60)
    with pytest.raises(Refused):
        await office.rebuild(as_of=moment, into="left", room=room)
    assert office.look(THERE, "left") == []

    def failing(row: InvoiceRow | None, event: InvoiceEvent) -> InvoiceRow | None:
        raise ValueError("no such thing", row, event)

    monkeypatch.setattr(Invoices, "apply", staticmethod(failing))
    with pytest.raises(Conflict, match="ValueError"):
        await office.rebuild(as_of=moment, into="left")
    assert office.look(THERE, "left") == []
    await office.rebuild("vat_book", as_of=moment, into="kept")
    with pytest.raises(Conflict, match="ValueError"):
        await office.rebuild(as_of=moment, into="kept")
    assert office.look(THERE, "kept") == [(1,)]


async def test_it_is_for_the_owner_of_the_database_alone(desk: Desk, office: Office) -> None:
    await write(desk, recorded(range(3)))
    await office.rebuild(as_of=datetime.now(UTC), into="closed")
    assert office.look(
        "SELECT has_schema_privilege('asiento_app', 'closed', 'USAGE'),"
        " has_table_privilege('asiento_app', 'closed.invoices', 'SELECT'),"
        " has_table_privilege('asiento_appender', 'closed.invoices', 'INSERT')"
    ) == [(False, False, False)]


async def test_what_is_forgotten_by_now_is_forgotten_of_then(desk: Desk, office: Office) -> None:
    await write(desk, recorded(range(14)))
    moment = datetime.now(UTC)
    await desk.forget("C1")
    await office.rebuild(tenant=desk.tenant, as_of=moment, into="without_names")
    blank = office.look(
        "SELECT count(*) FROM without_names.invoices"
        " WHERE position('[forgotten]' IN customer::text) > 0"
    )
    assert blank == [(2,)]
    assert office.look(f"SELECT count(*) FROM {INVOICES}")
