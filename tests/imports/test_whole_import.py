"""A file goes the whole way into the books, also when the worker is killed on the way."""

from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, settings
from hypothesis import given as for_all
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.ids import BatchId, JobId
from domain.imports import IngestRows, PromoteImportBatch, ValidateImportBatch
from domain.imports.columns import GivenMapping
from domain.invoicing import InvoiceRecorded
from domain.jobs import CancelJob
from domain.kernel import Command
from tests.imports.office import Office

HEADER = "Invoice,Date,Customer,Name,Country,Item,Description,Qty,Price,VAT,Currency\n"
FILE = (
    HEADER
    + """A-1,01/05/2026,C7,Ana,ES,B1,Bolt,3,1.50,21,
A-1,01/05/2026,C7,Ana,ES,N1,"Nut, ""small""
and round",2,0.25,10,
A-2,13/05/2026,,,,B1,Bolt,1,2.00,0,
C77,02/05/2026,C8,Berta,EC,B1,Bolt,1,5.00,21,

B-1,31/02/2026,C7,Ana,ES,B1,Bolt,1,5.00,21,
B-1,02/05/2026,C7,Ana,ES,B1,Bolt,1,5.00,21,
B-2,02/05/2026,C7,Ana,ES,B1,Bolt,"1.234,5x",5.00,21,
,02/05/2026,C7,Ana,ES,B1,Bolt,1,5.00,21,
A-3,03/05/2026,C7,Ana,ES,B1,Bolt,-2,5.00,21,
A-1,04/05/2026,C9,Other,ES,B1,Late,1,1.00,21,
M-1,03/05/2026,C7,Ana,ES,B1,Bolt,1,5.00,21,EUR
M-1,03/05/2026,C7,Ana,ES,B1,Bolt,1,5.00,21,USD
T-1,03/05/2026,C7,Ana,ES,B1,Bolt,1,5.00,21,
S-1,03/05/2026,,,,B1,Bolt,1,5.00,21,
"Q"-1,03/05/2026,C7,Ana,ES,B1,Bolt,1,5.00,21,
A-4,03/05/2026,C7,Ana,ES,B1,Bolt,1,5.00,21,,surplus
Z-9,04/05/2026,C7,Ana,ES,B1,Bolt,1,9.99,21,USD
"""
)
# In the books before: T-1 with other content, S-1 just so.
BEFORE = HEADER + (
    "T-1,03/05/2026,C7,Ana,ES,B1,Bolt,7,7.00,21,\nS-1,03/05/2026,,,,B1,Bolt,1,5.00,21,\n"
)
ERRORS = {
    8: ("imports.bad_date", "date", "31/02/2026"),
    9: ("imports.held", "number", "B-1"),
    10: ("imports.bad_number", "quantity", "1.234,5x"),
    11: ("imports.required", "number", ""),
    14: ("imports.mixed_currency", "currency", "USD"),
    15: ("imports.mixed_currency", "currency", "USD"),
    16: ("invoicing.number_taken", "number", "T-1"),
    18: ("imports.bad_quotes", "", 'Q"-1 03/05/2026 C7 Ana ES B1 Bolt 1 5.00 21 '),
    19: ("imports.too_many_cells", "", "surplus"),
}


@pytest.fixture
async def office(tmp_path: Path) -> Office:
    opened = Office(tmp_path)
    await opened.open_books()
    return opened


async def test_the_good_rows_are_in_the_books(office: Office) -> None:
    await office.run_all(FILE)
    rows = await office.invoices()
    assert sorted(rows) == ["A-1", "A-2", "A-3", "C77", "S-1", "T-1", "Z-9"]
    assert {number: row.net for number, row in rows.items()} == {
        "A-1": Decimal("6.00"),
        "A-2": Decimal("2.00"),
        "A-3": Decimal("-10.00"),
        "C77": Decimal("5.00"),
        "S-1": Decimal("5.00"),
        "T-1": Decimal("5.00"),
        "Z-9": Decimal("9.99"),
    }


async def test_the_first_row_says_whose_an_invoice_is_and_of_what_day(office: Office) -> None:
    await office.run_all(FILE)
    invoice = (await office.invoices())["A-1"]
    assert invoice.customer is not None
    assert (invoice.customer.code, str(invoice.issued_on)) == ("C7", "2026-05-01")
    assert [line.description for line in invoice.lines] == [
        "Bolt",
        'Nut, "small" and round',
        "Late",
    ]


async def test_prefix_and_sign_make_credit_notes(office: Office) -> None:
    await office.run_all(FILE)
    rows = (await office.invoices()).values()
    assert {row.number for row in rows if row.kind == "credit_note"} == {"C77", "A-3"}


async def test_the_currency_is_that_of_the_country_unless_the_row_says(tmp_path: Path) -> None:
    office = Office(tmp_path)
    await office.open_books(country="EC")
    await office.run_all(HEADER + "A-1,01/05/2026,,,,,Bolt,1,1,,\nA-2,01/05/2026,,,,,Bolt,1,1,,EUR")
    rows = await office.invoices()
    assert (rows["A-1"].currency, rows["A-2"].currency) == ("USD", "EUR")


async def test_what_is_in_the_books_already_is_not_made_again(office: Office) -> None:
    await office.run_all(BEFORE)
    batch = await office.run_all(FILE)
    assert office.errors(batch) == ERRORS
    row = await office.batch(batch)
    assert (row.status, row.rows, row.validated, row.accepted, row.rejected, row.held) == (
        "promoted",
        17,
        17,
        8,
        8,
        1,
    )
    assert (row.promoted, row.invoices, row.credit_notes, row.existing) == (7, 5, 2, 1)


async def test_the_same_file_again_makes_nothing(office: Office) -> None:
    await office.run_all(FILE)
    once = await office.invoices()
    again = await office.batch(await office.run_all(FILE))
    assert await office.invoices() == once
    assert (again.invoices, again.promoted, again.existing) == (0, 0, 7)


async def test_each_invoice_knows_its_batch(office: Office) -> None:
    batch = await office.run_all(FILE)
    assert {row.batch for row in (await office.invoices()).values()} == {batch}


async def test_jobs_tell_how_much_they_did(office: Office) -> None:
    await office.run_all(FILE)
    jobs = list((await office.jobs()).values())
    assert [(job.kind, job.status) for job in jobs] == [
        ("imports.ingest", "succeeded"),
        ("imports.validate", "succeeded"),
        ("imports.promote", "succeeded"),
    ]
    assert [job.done for job in jobs] == [17, 17, 9]
    assert jobs[0].message == "17 rows wait aside."
    assert jobs[1].message == "5 rows are rejected, 1 held back."
    assert jobs[2].message == "9 rows entered the books."


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        ("", "imports.empty", "File may.csv, line 1: it is empty."),
        (HEADER, "imports.empty", "File may.csv, line 2: there is no row after the header."),
        ("a,b\n1,2\n", "imports.no_header", "File may.csv, line 1: the header ('a', 'b')"),
        (HEADER + '"open', "imports.cut_off", "File may.csv, line 2: a quoted field"),
    ],
)
async def test_a_file_that_cannot_be_read_says_why(
    office: Office, content: str, code: str, message: str
) -> None:
    row = await office.batch(await office.ingest(content))
    assert (row.status, row.error_code) == ("failed", code)
    assert row.error is not None
    assert row.error.startswith(message)
    (job,) = (await office.jobs()).values()
    assert (job.status, job.error_code) == ("failed", code)


async def test_a_mapping_names_the_columns_and_the_next_file_needs_none(office: Office) -> None:
    header = "Nr;Tag;Menge;Preis\n"
    mapping = GivenMapping(
        columns={"Nr": "number", "Tag": "date", "Menge": "quantity", "Preis": "unit_price"},
        defaults={"description": "Ware", "tax_rate": "21"},
    )
    await office.run_all(header + "1;01.05.2026;1;1.234,50\n", mapping)
    await office.run_all(header + "2;01.05.2026;2;0,50\n")
    rows = await office.invoices()
    assert (rows["1"].net, rows["2"].net) == (Decimal("1234.50"), Decimal("1.00"))
    assert rows["1"].lines[0].description == "Ware"
    assert (rows["1"].tax, rows["2"].tax) == (Decimal("259.25"), Decimal("0.00"))


async def test_a_mapping_of_a_header_that_is_absent_is_refused(office: Office) -> None:
    row = await office.batch(await office.ingest(FILE, GivenMapping(columns={"Nr": "number"})))
    assert (row.status, row.error_code) == ("failed", "imports.no_such_header")


async def test_a_mapped_header_loses_its_usual_meaning(office: Office) -> None:
    mapping = GivenMapping(columns={"Name": "description", "Description": "item_code"})
    await office.run_all(HEADER + "A-1,01/05/2026,C7,Ana,,,Bolt,1,1,,\n", mapping)
    (line,) = (await office.invoices())["A-1"].lines
    assert (line.description, line.item) == ("Ana", "Bolt")


async def test_another_prefix_cancels_where_the_mapping_says_so(office: Office) -> None:
    mapping = GivenMapping(cancellation_prefix="A-")
    await office.run_all(
        HEADER + "A-1,01/05/2026,,,,,x,1,1,,\nC1,01/05/2026,,,,,x,1,1,,\n", mapping
    )
    kinds = {number: row.kind for number, row in (await office.invoices()).items()}
    assert kinds == {"A-1": "credit_note", "C1": "invoice"}


async def test_rows_are_read_again_when_asked(office: Office) -> None:
    batch = await office.ingest(FILE)
    await office.step(ValidateImportBatch, batch=batch)
    once = office.errors(batch), await office.batch(batch)
    await office.step(ValidateImportBatch, batch=batch)
    again = office.errors(batch), await office.batch(batch)
    assert again == (once[0], replace(once[1], job=again[1].job))


async def test_a_promotion_that_is_cancelled_keeps_what_it_did(office: Office) -> None:
    batch = await office.ingest(FILE)
    await office.step(ValidateImportBatch, batch=batch)
    job = JobId((await office.execute(PromoteImportBatch, batch=batch)).ids["job"])
    await office.execute(CancelJob, job=job)
    await office.work(job)
    assert (await office.jobs())[job].status == "cancelled"
    row = await office.batch(batch)
    assert row.status == "validated"
    assert 0 < row.invoices == len(await office.invoices()) < 7


async def test_a_promotion_that_was_cancelled_goes_on_where_it_stopped(office: Office) -> None:
    batch = await office.ingest(FILE)
    await office.step(ValidateImportBatch, batch=batch)
    job = JobId((await office.execute(PromoteImportBatch, batch=batch)).ids["job"])
    await office.execute(CancelJob, job=job)
    await office.work(job)
    await office.step(PromoteImportBatch, batch=batch)
    row = await office.batch(batch)
    assert (row.status, row.existing) == ("promoted", 0)
    assert row.invoices == len(await office.invoices()) == 7


async def test_a_batch_whose_file_could_not_be_read_is_failed_for_good(office: Office) -> None:
    batch = await office.ingest("number,date\n")
    assert (await office.batch(batch)).status == "failed"


@pytest.mark.parametrize("step", [ValidateImportBatch, None])
async def test_a_step_whose_job_was_cancelled_can_be_asked_for_again(
    office: Office, step: type[Command] | None
) -> None:
    batch = await office.ingest(FILE) if step else await office.open_batch()
    ask = step or IngestRows
    given = {} if step else await office.file(FILE)
    job = JobId((await office.execute(ask, batch=batch, **given)).ids["job"])
    await office.execute(CancelJob, job=job)
    await office.work(job)
    assert (await office.batch(batch)).status == ("ingested" if step else "open")
    await office.step(ask, batch=batch, **given)
    again = await office.batch(batch)
    assert again.status == ("validated" if step else "ingested")
    whole = await office.batch(await office.ingest(FILE))
    assert again.rows == whole.rows


async def test_an_errors_file_is_read_as_the_file_was_that_its_rows_come_from(
    office: Office,
) -> None:
    source = await office.run_all(
        "Factura;Fecha;Cantidad;Precio\nQ-1;01/13/2026;1;2,50\nQ-2;31/31/2026;1.000;3\n"
    )
    await office.run_all(
        f"Factura,Fecha,Cantidad,Precio,_line,_batch\nQ-2,02/03/2026,1.000,3,3,{source}\n"
    )
    mended = (await office.invoices())["Q-2"]
    assert (mended.net, str(mended.issued_on)) == (Decimal(3000), "2026-02-03")


async def test_a_refused_invoice_does_not_stop_the_others(office: Office) -> None:
    history_before = await office.run_all(BEFORE)
    await office.run_all(FILE)
    events = [e for e in await office.history() if isinstance(e, InvoiceRecorded)]
    assert len({event.number for event in events}) == len(events)
    taken = next(event for event in events if event.number == "T-1")
    assert taken.batch == history_before


async def whole_state(folder: Path, chunk_rows: int, *, killed_after: int | None) -> object:
    """Import both files and return all that can be seen of it, but for new ids."""
    office = Office(folder, chunk_rows)
    await office.open_books()
    first = await office.run_all(BEFORE)
    if killed_after is not None:
        office.steps_to_live = killed_after
    batch = await office.run_all(FILE)
    invoices = {
        number: replace(row, batch=BatchId("first" if row.batch == first else "second"))
        for number, row in (await office.invoices()).items()
    }
    row = replace(await office.batch(batch), batch=BatchId(""), job=None)
    recorded = [e for e in await office.history() if isinstance(e, InvoiceRecorded)]
    return invoices, row, office.errors(batch), len(recorded)


@example(chunk_rows=100, killed_after=29)  # Between a promotion and the keeping of its refusals.
@example(chunk_rows=100, killed_after=30)
@settings(max_examples=12, deadline=None)
@for_all(chunk_rows=st.integers(1, 20), killed_after=st.integers(0, 90))
async def test_a_killed_worker_goes_on_where_it_was_and_nothing_doubles(
    chunk_rows: int, killed_after: int
) -> None:
    with TemporaryDirectory() as one, TemporaryDirectory() as two:
        undisturbed = await whole_state(Path(one), 100, killed_after=None)
        assert await whole_state(Path(two), chunk_rows, killed_after=killed_after) == undisturbed


async def test_a_row_with_broken_quotes_holds_its_invoice_back(office: Office) -> None:
    batch = await office.run_all(
        HEADER
        + "A-1,01/05/2026,,,,,Bolt,1,10,,\n"
        + 'A-1,01/05/2026,,,,,"broken" heart,1,20,,\n'
        + "A-1,01/05/2026,,,,,Nut,1,30,,\n"
    )
    row = await office.batch(batch)
    assert (row.rejected, row.held, row.invoices) == (1, 2, 0)
