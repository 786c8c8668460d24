"""The book of VAT: where a document is entered, and that the tax in it is that of the documents."""

from decimal import Decimal

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from msgspec.structs import replace

from domain.kernel import Event
from domain.money import total
from projections.invoices import Invoices
from projections.kernel import project
from projections.vat_book import NOTHING, VatBook, VatBookLineRow
from tests.invoicing.examples import RETURNED, TWO, drafted, issued, line, recorded
from tests.projections.histories import histories


def book(*history: Event) -> dict[str, VatBookLineRow]:
    return project(VatBook, history)


def test_a_draft_is_in_no_book() -> None:
    assert book(drafted()) == {}


def test_a_document_with_several_rates_is_in_several_lines() -> None:
    lines = (line("1", "100", "21"), line("2", "10.05", "10"), line("1", "5"))
    rows = book(recorded(lines=lines), issued())
    assert rows == {
        "2026-05:21:EUR": VatBookLineRow(
            line="2026-05:21:EUR",
            month="2026-05",
            rate=Decimal(21),
            currency="EUR",
            base=Decimal("104.50"),
            tax=Decimal("21.95"),
            documents=2,
        ),
        "2026-05:10:EUR": VatBookLineRow(
            line="2026-05:10:EUR",
            month="2026-05",
            rate=Decimal(10),
            currency="EUR",
            base=Decimal("20.10"),
            tax=Decimal("2.01"),
            documents=1,
        ),
        "2026-05:0:EUR": VatBookLineRow(
            line="2026-05:0:EUR",
            month="2026-05",
            rate=Decimal(0),
            currency="EUR",
            base=Decimal(5),
            tax=Decimal(0),
            documents=1,
        ),
    }


@pytest.mark.parametrize("rate", ["10", "10.0", "1E+1", "0010.00"])
def test_a_rate_is_the_same_however_it_is_written(rate: str) -> None:
    assert list(book(recorded(lines=(line("1", "1", rate),)))) == ["2026-05:10:EUR"]


@pytest.mark.parametrize("rate", ["0", "-0", "0E-20", "0.00"])
def test_no_tax_is_one_rate(rate: str) -> None:
    assert list(book(recorded(lines=(line("1", "1", rate), line("1", "1", "0"))))) == [
        "2026-05:0:EUR"
    ]


def test_a_rate_of_many_decimals_keeps_them() -> None:
    rate = "5.123456789012345678901234567891"
    (row,) = book(recorded(lines=(line("1", "100", rate),))).values()
    assert str(row.rate) == rate
    assert row.line == f"2026-05:{rate}:EUR"


def test_a_credit_note_is_entered_with_its_sign() -> None:
    (row,) = book(issued(), recorded(lines=RETURNED, kind="credit_note")).values()
    assert (row.base, row.tax, row.documents) == (NOTHING, NOTHING, 2)


def test_a_month_and_a_currency_have_lines_of_their_own() -> None:
    later = replace(issued(TWO, 2), issued_on=issued().issued_on.replace(month=6))
    assert list(book(issued(), later, recorded(currency="USD"))) == [
        "2026-05:21:EUR",
        "2026-06:21:EUR",
        "2026-05:21:USD",
    ]


@settings(max_examples=60)
@for_all(histories(VatBook))
def test_the_tax_in_the_book_is_the_tax_on_the_documents(history: list[Event]) -> None:
    documents = [row for event in history for row in project(Invoices, [event]).values()]
    rows = book(*history).values()
    for currency in ("EUR", "JPY"):
        charged = total(row.tax for row in documents if row.currency == currency)
        assert total(row.tax for row in rows if row.currency == currency) == charged
