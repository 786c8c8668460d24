"""A rebuild makes the rows that were there, from the events alone, and tells what it did."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from adapters.postgres.models.versions import consumer_of, table_name
from adapters.postgres.projecting.building import reading, worker
from adapters.postgres.projecting.building.folding import fold_rows
from adapters.postgres.projecting.building.rebuild import Room
from adapters.runtime import Runtime
from application.errors import Conflict, NotFound
from domain.invoicing import InvoiceEvent
from domain.kernel import Event, Refused
from projections.invoices import InvoiceRow, Invoices
from projections.kernel import ReadModel, Row, read_models
from tests.privacy.conftest import Desk
from tests.projecting.rebuilding import (
    INVOICES,
    Office,
    an_odd,
    issued,
    project,
    recorded,
    write,
)

ODD = (
    "\\N",
    "a\tb",
    "c\nd",
    "e\rf",
    "g\\h",
    "\\.",
    "",
    '"',
    "\x00",
    "i\x1fj",
    "Ñ😀",
    "\u2028",
    "%s",
)


@pytest.fixture
async def desk(runtime: Runtime) -> Desk:
    desk = Desk(runtime)
    await write(desk, [*recorded(range(40)), *issued(range(30))])
    await project(desk)
    return desk


async def test_the_rows_are_those_that_were_there(desk: Desk, office: Office) -> None:
    before = office.rows()
    office.execute(f"UPDATE {INVOICES} SET number = 'wrong'")
    done = await office.rebuild()
    assert office.rows() == before
    assert (done.rows, done.events, done.verified) == (len(before), 100, True)
    assert desk


async def test_parts_of_a_long_log_give_the_same_rows(desk: Desk, office: Office) -> None:
    before = office.rows()
    office.execute(f"DELETE FROM {INVOICES}")
    await office.rebuild(piece_events=7, jobs=2)
    assert office.rows() == before
    parts = office.look(
        "SELECT count(*) FROM rebuild_piece WHERE tenant_id = %s"
        " AND rebuild = (SELECT max(id) FROM rebuild)",
        desk.tenant,
    )
    assert parts[0][0] > 10


@pytest.mark.parametrize("name", ["invoices", "customer_balances", "vat_book", "tenants"])
async def test_every_kind_of_model_is_made_anew(desk: Desk, office: Office, name: str) -> None:
    model = read_models()[name]
    table = table_name(model)
    before = office.rows(table, model.key)
    await office.rebuild(name, piece_events=20)
    assert office.rows(table, model.key) == before
    assert before or name == "tenants"
    assert desk


async def test_rows_that_memory_does_not_hold_wait_in_the_table(
    desk: Desk, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = read_models()["customer_balances"]
    before = office.rows(table_name(model), model.key)
    monkeypatch.setattr(worker, "HELD_ROWS_MAX", 2)
    monkeypatch.setattr(reading, "CHUNK_EVENTS", 3)
    await office.rebuild("customer_balances")
    assert office.rows(table_name(model), model.key) == before
    assert len([row for row in before if desk.tenant in str(row)]) == 7


async def test_one_tenants_rows_are_replaced_and_nobody_elses(
    desk: Desk, runtime: Runtime, office: Office
) -> None:
    other = Desk(runtime)
    await write(other, recorded(range(5)))
    await project(other)
    before = office.rows()
    office.execute(f"UPDATE {INVOICES} SET number = 'wrong'")
    done = await office.rebuild(tenant=desk.tenant)
    assert done.rows == 70
    wrong = office.look(f"SELECT DISTINCT tenant_id::text FROM {INVOICES} WHERE number = 'wrong'")
    assert desk.tenant not in {tenant for (tenant,) in wrong}
    assert (other.tenant,) in wrong
    await office.rebuild()
    assert office.rows() == before


async def test_the_new_table_is_as_the_old_one_was(desk: Desk, office: Office) -> None:
    def described() -> list[object]:
        return [
            office.look(
                "SELECT substring(indexdef FROM ' USING .*$') FROM pg_indexes"
                " WHERE tablename = %s ORDER BY 1",
                INVOICES,
            ),
            office.look(
                "SELECT relrowsecurity, relforcerowsecurity, reloptions::text, relowner::regrole"
                " FROM pg_class WHERE oid = %s::regclass",
                INVOICES,
            ),
            office.look(
                "SELECT unnest(relacl)::text FROM pg_class WHERE oid = %s::regclass ORDER BY 1",
                INVOICES,
            ),
            office.look(
                "SELECT policyname, roles::text, cmd, qual FROM pg_policies"
                " WHERE tablename = %s ORDER BY 1",
                INVOICES,
            ),
            office.look(
                "SELECT attname, atttypid::regtype, attnotnull, attcollation FROM pg_attribute"
                " WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum",
                INVOICES,
            ),
        ]

    before = described()
    await office.rebuild()
    assert described() == before
    assert desk


async def test_a_log_without_rows_as_yet_is_built_and_its_cursor_set(
    runtime: Runtime, office: Office
) -> None:
    desk = Desk(runtime)
    head = await write(desk, recorded(range(10)))
    await office.rebuild()
    found = office.look(
        "SELECT position FROM projection_cursor WHERE tenant_id = %s AND projection = %s",
        desk.tenant,
        consumer_of(Invoices),
    )
    assert found == [(head,)]
    rows = office.rows()
    await project(desk)
    assert office.rows() == rows


async def test_hostile_texts_are_kept_to_the_letter(
    desk: Desk, runtime: Runtime, office: Office
) -> None:
    odd = Desk(runtime)
    for number, name in enumerate(ODD):
        await write(odd, recorded([number], name))
        await write(odd, [an_odd(number, name)])
    await project(odd)
    before = office.rows()
    await office.rebuild()
    assert office.rows() == before
    assert desk


async def test_a_rebuild_without_room_is_refused_before_it_starts(
    desk: Desk, office: Office, tmp_path: Path
) -> None:
    with pytest.raises(Refused) as refused:
        await office.rebuild(room=Room(folder=tmp_path, spare_bytes=2**60))
    assert refused.value.code == "projections.no_room"
    assert "takes about" in refused.value.message
    assert office.look("SELECT to_regclass(%s)", f"{INVOICES}__next") == [(None,)]
    assert (await office.rebuild(room=Room(folder=tmp_path, spare_bytes=-1))).verified
    assert (await office.rebuild(room=Room(folder=tmp_path, spare_bytes=0))).verified
    assert desk


async def test_a_model_that_is_not_there_is_named(office: Office) -> None:
    with pytest.raises(NotFound, match="There is no read model nothing"):
        await office.rebuild("nothing")


async def test_a_wrong_row_is_found_and_the_old_ones_stay(
    desk: Desk, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = office.rows()

    def wrong(
        model: type[ReadModel[Any]], events: Sequence[tuple[int, Event]]
    ) -> tuple[dict[str, Row], list[int]]:
        rows, positions = fold_rows(model, events)
        return {key: replace(row, number="wrong") for key, row in rows.items()}, positions

    monkeypatch.setattr(worker, "fold_rows", wrong)
    with pytest.raises(Conflict) as conflict:
        await office.rebuild()
    assert conflict.value.code == "projections.differs"
    assert office.rows() == before
    assert office.look("SELECT to_regclass(%s)", f"{INVOICES}__next") == [(None,)]
    monkeypatch.undo()
    assert (await office.rebuild()).verified
    assert desk


async def test_an_event_that_cannot_be_folded_leaves_the_old_rows(
    desk: Desk, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = office.rows()
    apply = Invoices.apply

    def failing(row: InvoiceRow | None, event: InvoiceEvent) -> InvoiceRow | None:
        if event.invoice == "r000007":
            raise ValueError("no such thing")
        return apply(row, event)

    monkeypatch.setattr(Invoices, "apply", staticmethod(failing))
    with pytest.raises(Conflict, match="ValueError") as conflict:
        await office.rebuild()
    assert conflict.value.code == "projections.failed"
    assert office.rows() == before
    assert desk
