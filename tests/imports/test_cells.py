"""Cells are read as what they are, or rejected with their column, value and reason."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.imports import cells as cells_module
from domain.imports.cells import (
    ReadRow,
    RowError,
    RowReader,
    code_of,
    date_order_of,
    decimal_mark_of,
    read_date,
    read_number,
)
from domain.imports.columns import Column, DecimalMark, Layout

COLUMNS: tuple[Column, ...] = (
    "number",
    "date",
    "quantity",
    "unit_price",
    "tax_rate",
    "customer_code",
    "customer_name",
    "country",
    "item_code",
    "description",
    "currency",
    "kind",
)
LAYOUT = Layout(columns={column: place for place, column in enumerate(COLUMNS)})
GOOD: dict[Column, str] = {
    "number": "A-1",
    "date": "2026-05-01",
    "quantity": "3",
    "unit_price": "1.50",
}
READ = ReadRow(
    number="A-1",
    date=date(2026, 5, 1),
    quantity=Decimal(3),
    unit_price=Decimal("1.50"),
    tax_rate=Decimal(0),
    customer_code=None,
    customer_name=None,
    country=None,
    item_code=None,
    description="",
    currency=None,
    kind=None,
)


def cells(given: dict[Column, str]) -> list[str]:
    row = GOOD | given
    return [row.get(column, "") for column in COLUMNS]


def read(given: dict[Column, str], layout: Layout = LAYOUT) -> ReadRow:
    return RowReader(layout).read(cells(given))


@pytest.mark.parametrize(
    ("cell", "point", "comma"),
    [
        ("5", "5", "5"),
        ("-3", "-3", "-3"),
        ("+3", "3", "3"),
        ("0", "0", "0"),
        (".5", "0.5", None),
        (",5", None, "0.5"),
        ("5.", "5", None),
        ("5,", None, "5"),
        ("1,234.50", "1234.50", None),
        ("1.234,50", None, "1234.50"),
        ("1.234", "1.234", "1234"),
        ("1,234", "1234", "1.234"),
        ("1,234,567", "1234567", None),
        ("1.234.567", None, "1234567"),
        ("-1.234,5", None, "-1234.5"),
        ("12,34.5", None, None),
        ("1.234,5x", None, None),
        ("", None, None),
        (".", None, None),
        (",", None, None),
        ("-", None, None),
        ("--3", None, None),
        ("1 234", None, None),
        ("1e3", None, None),
        ("NaN", None, None),
        ("Infinity", None, None),
        ("3 €", None, None),
        ("(3)", None, None),
        ("\N{ARABIC-INDIC DIGIT ONE}", None, None),
        ("1_000", None, None),
    ],
)
def test_a_number_is_read_by_its_decimal_mark(
    cell: str, point: str | None, comma: str | None
) -> None:
    assert read_number(cell, ".") == (None if point is None else Decimal(point))
    assert read_number(cell, ",") == (None if comma is None else Decimal(comma))


def written(value: Decimal, mark: DecimalMark) -> str:
    text = f"{value:,f}"
    return text if mark == "." else text.translate(str.maketrans(",.", ".,"))


@settings(max_examples=100)
@for_all(
    st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9)),
    st.sampled_from([".", ","]),
)
def test_a_number_that_is_written_is_read_back(value: Decimal, mark: DecimalMark) -> None:
    assert read_number(written(value, mark), mark) == value
    assert read_number(written(value, mark).lstrip("+"), mark) == value


@pytest.mark.parametrize(
    ("cell", "day_first", "month_first"),
    [
        ("2010-12-01", date(2010, 12, 1), date(2010, 12, 1)),
        ("2010-12-01T08:26", date(2010, 12, 1), date(2010, 12, 1)),
        ("2010-12-01 08:26:00", date(2010, 12, 1), date(2010, 12, 1)),
        ("01/12/2010", date(2010, 12, 1), date(2010, 1, 12)),
        ("1.12.2010", date(2010, 12, 1), date(2010, 1, 12)),
        ("1-12-2010 8:26", date(2010, 12, 1), date(2010, 1, 12)),
        ("12/31/2010", None, date(2010, 12, 31)),
        ("31/12/2010", date(2010, 12, 31), None),
        ("29/02/2012", date(2012, 2, 29), None),
        ("31/02/2010", None, None),
        ("29/02/2011", None, None),
        ("2010-02-31", None, None),
        ("2010-13-01", None, None),
        ("00/00/0000", None, None),
        ("0000-01-01", None, None),
        ("1/12/10", None, None),
        ("1 de mayo", None, None),
        ("40513", None, None),
        ("", None, None),
    ],
)
def test_a_date_is_read_in_the_order_of_its_file(
    cell: str, day_first: date | None, month_first: date | None
) -> None:
    assert read_date(cell, month_first=False) == day_first
    assert read_date(cell, month_first=True) == month_first


@settings(max_examples=60)
@for_all(st.dates(min_value=date(1000, 1, 1)))
def test_a_date_that_is_written_is_read_back(day: date) -> None:
    assert read_date(day.isoformat(), month_first=False) == day
    assert read_date(f"{day.day}/{day.month}/{day.year}", month_first=False) == day
    assert read_date(f"{day.month}/{day.day}/{day.year}", month_first=True) == day


@pytest.mark.parametrize(
    ("sample", "delimiter", "mark"),
    [
        (["1.50", "3"], ",", "."),
        (["1,50", "3"], ";", ","),
        (["1,50"], ",", ","),
        (["1.50"], ";", "."),
        (["1.234,50", "1.234"], "\t", ","),
        (["1,234.50", "1,234"], ";", "."),
        (["1,5", "1,25", "7.5"], ",", ","),
        (["1.234"], ",", "."),
        (["1.234"], ";", ","),
        (["3"], ";", ","),
        ([], "\t", "."),
    ],
)
def test_the_decimal_mark_is_decided_over_the_file(
    sample: list[str], delimiter: str, mark: DecimalMark
) -> None:
    assert decimal_mark_of(sample, delimiter) == mark


@pytest.mark.parametrize(
    ("sample", "order"),
    [
        (["13/01/2010"], "day-month"),
        (["01/13/2010"], "month-day"),
        (["01/02/2010"], "day-month"),
        (["2010-01-13"], "day-month"),
        (["01/13/2010", "12/25/2010", "31/12/2010"], "month-day"),
        (["01/13/2010", "31/12/2010"], "day-month"),
        ([], "day-month"),
    ],
)
def test_the_order_of_day_and_month_is_decided_over_the_file(sample: list[str], order: str) -> None:
    assert date_order_of(sample) == order


def test_a_row_with_what_is_needed_is_read() -> None:
    assert read({}) == READ


def test_every_cell_of_a_row_is_read() -> None:
    assert read(
        {
            "tax_rate": "21 %",
            "customer_code": "17850.0",
            "customer_name": " Ana\u00a0 Núñez ",
            "country": "España",
            "item_code": "85123A",
            "description": "two\nlines",
            "currency": "usd",
            "kind": "Nota de crédito",
        }
    ) == replace(
        READ,
        tax_rate=Decimal(21),
        customer_code="17850",
        customer_name="Ana Núñez",
        country="España",
        item_code="85123A",
        description="two lines",
        currency="USD",
        kind="credit_note",
    )


@pytest.mark.parametrize(
    ("column", "cell", "code"),
    [
        ("number", "", "imports.required"),
        ("number", "   ", "imports.required"),
        ("number", "x" * 61, "imports.too_long"),
        ("number", "A\ufffd1", "imports.not_text"),
        ("date", "", "imports.required"),
        ("date", "31/02/2010", "imports.bad_date"),
        ("date", "mañana", "imports.bad_date"),
        ("quantity", "", "imports.required"),
        ("quantity", "doce", "imports.bad_number"),
        ("unit_price", "1.234,5x", "imports.bad_number"),
        ("unit_price", "1" + "0" * 15, "imports.bad_number"),
        ("unit_price", "-1" + "0" * 15, "imports.bad_number"),
        ("unit_price", f"0.{'0' * 30}1", "imports.bad_number"),
        ("tax_rate", f"0.{'0' * 30}1", "imports.bad_tax_rate"),
        ("tax_rate", "veintiuno", "imports.bad_tax_rate"),
        ("tax_rate", "100.01", "imports.bad_tax_rate"),
        ("tax_rate", "-1", "imports.bad_tax_rate"),
        ("customer_code", "x" * 61, "imports.too_long"),
        ("customer_name", "x" * 201, "imports.too_long"),
        ("country", "x" * 61, "imports.too_long"),
        ("item_code", "x" * 61, "imports.too_long"),
        ("description", "x" * 1001, "imports.too_long"),
        ("description", "caf\ufffd", "imports.not_text"),
        ("description", "bell\x07", "imports.not_text"),
        ("currency", "EURO", "imports.bad_currency"),
        ("currency", "€", "imports.bad_currency"),
        ("kind", "pedido", "imports.bad_kind"),
    ],
)
def test_a_cell_that_cannot_be_read_is_rejected(column: Column, cell: str, code: str) -> None:
    with pytest.raises(RowError) as rejected:
        read({column: cell})
    error = rejected.value
    assert (error.code, error.column, error.value) == (code, column, cell.strip()[:200])
    assert error.reason.endswith(".")


def test_the_first_bad_cell_of_a_row_is_told() -> None:
    with pytest.raises(RowError) as rejected:
        read({"date": "never", "quantity": "none"})
    assert rejected.value.column == "date"


def test_a_bad_cell_is_rejected_each_time_it_comes() -> None:
    reader = RowReader(LAYOUT)
    for _ in range(2):
        with pytest.raises(RowError):
            reader.read(cells({"date": "31/02/2010"}))


def test_the_reason_names_the_mark_and_the_order_that_were_expected() -> None:
    spanish = replace(LAYOUT, decimal_mark=",", date_order="month-day")
    with pytest.raises(RowError, match="decimal comma"):
        read({"quantity": "1.5"}, spanish)
    with pytest.raises(RowError, match="decimal point"):
        read({"quantity": "1,5"})
    with pytest.raises(RowError, match="month/day/year"):
        read({"date": "31/12/2010"}, replace(spanish, decimal_mark="."))
    with pytest.raises(RowError, match="day/month/year"):
        read({"date": "12/31/2010"})


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        ("C536379", "credit_note"),
        ("C1", "credit_note"),
        ("CAJA-1", None),
        ("C-1", None),
        ("536365", None),
        ("1C", None),
        ("c536379", None),
    ],
)
def test_the_prefix_cancels_only_before_a_digit(number: str, kind: str | None) -> None:
    assert read({"number": number}).kind == kind


def test_the_prefix_may_be_another_or_none() -> None:
    assert read({"number": "R-1"}, replace(LAYOUT, cancellation_prefix="R-")).kind == "credit_note"
    assert read({"number": "C1"}, replace(LAYOUT, cancellation_prefix="")).kind is None
    assert read({"number": "aXb1"}, replace(LAYOUT, cancellation_prefix=".X.")).kind is None


def test_a_stated_kind_goes_before_the_prefix() -> None:
    assert read({"number": "C1", "kind": "Factura"}).kind == "invoice"


@pytest.mark.parametrize(
    ("kind", "meant"),
    [("F", "invoice"), ("01", "invoice"), ("abono", "credit_note"), ("04", "credit_note")],
)
def test_kinds_have_many_names(kind: str, meant: str) -> None:
    assert read({"kind": kind}).kind == meant


@pytest.mark.parametrize(
    ("cell", "code"),
    [("17850.0", "17850"), ("17850", "17850"), ("17850.00", "17850.00"), ("A1.0", "A1.0")],
)
def test_a_code_that_a_spreadsheet_made_a_float_of_is_mended(cell: str, code: str) -> None:
    assert code_of(cell) == code


def test_defaults_fill_empty_cells_and_absent_columns() -> None:
    layout = Layout(
        columns={"number": 0, "date": 1, "quantity": 2, "unit_price": 3, "country": 4},
        defaults={"currency": "usd", "country": "Ecuador", "tax_rate": "12%"},
    )
    reader = RowReader(layout)
    row = reader.read(["A-1", "2026-05-01", "1", "2", " "])
    assert (row.currency, row.country, row.tax_rate) == ("USD", "Ecuador", Decimal(12))
    assert reader.read(["A-1", "2026-05-01", "1", "2", "Perú"]).country == "Perú"


def test_a_default_that_cannot_be_read_is_rejected_with_the_row() -> None:
    layout = replace(LAYOUT, columns={"number": 0}, defaults={"date": "never"})
    with pytest.raises(RowError, match="no such date"):
        RowReader(layout).read(["A-1"])


def test_a_short_row_has_empty_cells_at_its_end() -> None:
    assert RowReader(LAYOUT).read(["A-1", "2026-05-01", "3", "1.50"]) == READ
    with pytest.raises(RowError, match="unit_price is missing"):
        RowReader(LAYOUT).read(["A-1", "2026-05-01", "3"])


def test_a_row_tells_which_invoice_it_belongs_to() -> None:
    reader = RowReader(LAYOUT)
    assert reader.number_of(cells({"number": " A-1 "})) == "A-1"
    assert reader.number_of(cells({"number": ""})) == ""
    assert reader.number_of([]) == ""


def test_a_number_groups_its_rows_as_it_is_read() -> None:
    """Else rows of one invoice would part, and one of them would never be promoted."""
    for cell in ("A\u00a01", "A\n1", " A 1 "):
        row = cells({"number": cell})
        assert RowReader(LAYOUT).number_of(row) == RowReader(LAYOUT).read(row).number == "A 1"


def test_a_number_that_holds_no_text_groups_nothing() -> None:
    assert RowReader(LAYOUT).number_of(cells({"number": "A\x071"})) == ""


def test_a_file_without_numbers_may_have_one_for_all() -> None:
    layout = Layout(columns={"date": 0}, defaults={"number": "A-1"})
    assert RowReader(layout).number_of(["2026-05-01"]) == "A-1"


def test_what_is_remembered_of_cells_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells_module, "MEMO_MAX", 10)
    reader = RowReader(LAYOUT)
    for number in range(25):
        assert reader.read(cells({"number": str(number)})).number == str(number)
    assert max(len(memo) for _, _, memo in reader._present) <= 10


def test_a_number_too_long_to_be_one_groups_nothing() -> None:
    """No index holds it, and its row is rejected anyway."""
    assert RowReader(LAYOUT).number_of(cells({"number": "x" * 5000})) == ""
