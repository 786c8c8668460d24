"""Rows that a client sends as JSON go the way of a file; documents keep their limits."""

import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.memory import FixedClock, MemoryBlobs
from application.errors import Forbidden, Malformed, NotFound
from application.imports.documents import document_of
from application.kernel import Context, exposed_commands
from application.ports import StagedRow
from domain.ids import BatchId, TenantId
from domain.imports import IngestRows, PromoteImportBatch, ValidateImportBatch
from domain.imports.cells import RowError, RowReader
from domain.imports.columns import Layout
from domain.invoicing import LINES_MAX, InvoiceId
from tests.imports.office import CONTEXT, TENANT, Office

CLOCK = FixedClock(datetime(2026, 5, 1, tzinfo=UTC))
GIVEN: dict[str, object] = {
    "batch": "b1",
    "rows": [
        {"number": "A-1", "date": "2026-05-01", "quantity": 3, "unit_price": 1.5},
        {"number": "A-1", "date": "2026-05-01", "quantity": 1, "description": 'a "b", ñ\nc'},
    ],
    "defaults": {"unit_price": "2.00", "tax_rate": None},
}
INGEST = exposed_commands()[IngestRows]


@pytest.fixture
def blobs(tmp_path: Path) -> MemoryBlobs:
    return MemoryBlobs(tmp_path)


async def test_rows_are_kept_as_the_file_they_would_have_been(blobs: MemoryBlobs) -> None:
    command = await INGEST.build(GIVEN, CONTEXT, blobs, CLOCK)
    assert isinstance(command, IngestRows)
    path = blobs.path(TENANT, command.sha256)
    assert command.size_bytes == path.stat().st_size
    with path.open(encoding="utf-8", newline="") as stream:
        assert list(csv.reader(stream)) == [
            ["number", "date", "quantity", "unit_price", "description", "tax_rate"],
            ["A-1", "2026-05-01", "3", "1.5", "", ""],
            ["A-1", "2026-05-01", "1", "2.00", 'a "b", ñ\nc', ""],
        ]


async def test_rows_of_a_client_go_the_whole_way(tmp_path: Path) -> None:
    office = Office(tmp_path)
    await office.open_books()
    batch = await office.open_batch()
    given = GIVEN | {"batch": batch}
    command = await INGEST.build(given, CONTEXT, office.place.blobs, office.clock)
    outcome = await office.place.bus.execute(command, CONTEXT)
    await office.work(outcome.ids["job"])
    await office.step(ValidateImportBatch, batch=batch)
    await office.step(PromoteImportBatch, batch=batch)
    assert str((await office.invoices())["A-1"].net) == "6.50"


async def test_nothing_is_kept_for_who_may_not_import(blobs: MemoryBlobs, tmp_path: Path) -> None:
    nobody = Context(tenant=TENANT, actor="user:eve", permissions=frozenset(), correlation_id="r")
    with pytest.raises(Forbidden):
        await INGEST.build(GIVEN, nobody, blobs, CLOCK)
    assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240 - a test may wait.


@pytest.mark.parametrize("wrong", [{"rows": []}, {"rows": [{"number": []}]}, {"colour": "red"}])
async def test_rows_of_another_shape_are_refused(
    blobs: MemoryBlobs, wrong: dict[str, object]
) -> None:
    with pytest.raises(Malformed) as malformed:
        await INGEST.build(GIVEN | wrong, CONTEXT, blobs, CLOCK)
    assert malformed.value.code == "input.invalid"


async def test_a_command_without_a_shape_of_its_own_takes_its_fields(blobs: MemoryBlobs) -> None:
    validate = exposed_commands()[ValidateImportBatch]
    built = await validate.build({"batch": "b1", "job": "j1"}, CONTEXT, blobs, CLOCK)
    assert isinstance(built, ValidateImportBatch)
    assert (validate.shape, INGEST.shape) == (ValidateImportBatch, INGEST.input)


def test_a_file_that_is_not_kept_is_not_found(blobs: MemoryBlobs) -> None:
    with pytest.raises(NotFound):
        blobs.path(TenantId("t1"), "ab" * 32)


def test_an_invoice_takes_so_many_lines_and_no_more() -> None:
    reader = RowReader(Layout(columns={"number": 0}))
    rows = [StagedRow("A-1", line, ["A-1"]) for line in range(LINES_MAX + 1)]
    with pytest.raises(RowError, match="10001 rows have this number") as rejected:
        document_of(rows, reader, "EUR", InvoiceId("i1"), BatchId("b1"))
    assert rejected.value.code == "imports.too_many_lines"


async def test_work_that_is_done_is_not_done_again(tmp_path: Path) -> None:
    """A worker may be killed after its last chunk, before it says that the job succeeded."""
    office = Office(tmp_path)
    await office.open_books()
    batch = await office.run_all("number,date,quantity,unit_price\nA-1,2026-05-01,1,2\n")
    before = await office.history()
    for kind, word in [("ingest", "read"), ("validate", "read"), ("promote", "promoted")]:
        assert await office.work_anew(f"imports.{kind}", batch) == (
            1,
            f"The {'file was' if kind == 'ingest' else 'rows were'} {word} before.",
        )
    assert await office.history() == before
