"""The rules of invoicing, as a bookkeeper would say them."""

from datetime import date
from decimal import Decimal

import pytest
from msgspec.structs import replace

from domain.ids import BatchId
from domain.invoicing import (
    DraftInvoice,
    InvoiceId,
    InvoiceNumber,
    IssueInvoice,
    Line,
    RecordInvoice,
    kind_of,
    place_in_series,
)
from tests.invoicing.examples import (
    ANA,
    LINES,
    MAY_1,
    MAY_2,
    MAY_3,
    ONE,
    RETURNED,
    TWO,
    A,
    B,
    drafted,
    issued,
    line,
    recorded,
)
from tests.kernel import given


def record(invoice: InvoiceId = TWO, number: str = "536365", on: date = MAY_1) -> RecordInvoice:
    return RecordInvoice(invoice=invoice, number=InvoiceNumber(number), issued_on=on, lines=LINES)


def test_a_draft_says_what_is_to_be_billed() -> None:
    given().when(DraftInvoice(invoice=ONE, lines=LINES, customer=ANA)).then(drafted())


def test_drafting_the_same_again_changes_nothing() -> None:
    given(drafted()).when(DraftInvoice(invoice=ONE, lines=LINES, customer=ANA)).then_nothing()


def test_drafting_something_else_replaces_the_draft() -> None:
    given(drafted()).when(DraftInvoice(invoice=ONE, lines=RETURNED, customer=ANA)).then(
        drafted(lines=RETURNED)
    )


@pytest.mark.parametrize(
    "history", [(drafted(), issued()), (recorded(),)], ids=["issued", "recorded"]
)
def test_an_issued_invoice_never_changes(history: tuple[()]) -> None:
    given(*history).when(DraftInvoice(invoice=ONE, lines=RETURNED)).then_refused(
        "invoicing.already_issued"
    )


def test_the_first_invoice_of_a_series_has_number_one() -> None:
    given(drafted()).when(IssueInvoice(invoice=ONE, series=A, issued_on=MAY_2)).then(issued())


def test_an_issued_invoice_takes_the_next_number_of_its_series() -> None:
    given(drafted(), issued(), drafted(TWO)).when(
        IssueInvoice(invoice=TWO, series=A, issued_on=MAY_2)
    ).then(issued(TWO, 2))


def test_each_series_has_numbers_of_its_own() -> None:
    given(drafted(), issued(), drafted(TWO)).when(
        IssueInvoice(invoice=TWO, series=B, issued_on=MAY_1)
    ).then(replace(issued(TWO, on=MAY_1), series=B, number=InvoiceNumber("B-000001")))


def test_a_series_goes_on_after_what_was_recorded_of_it() -> None:
    given(recorded(number="A-7", series=A, sequence=7), drafted(TWO)).when(
        IssueInvoice(invoice=TWO, series=A, issued_on=MAY_2)
    ).then(issued(TWO, 8))


def test_numbers_follow_the_calendar() -> None:
    given(drafted(), issued(on=MAY_2), drafted(TWO)).when(
        IssueInvoice(invoice=TWO, series=A, issued_on=MAY_1)
    ).then_refused("invoicing.out_of_order")


@pytest.mark.parametrize("history", [(), (drafted(), issued())], ids=["absent", "issued"])
def test_only_a_draft_is_issued(history: tuple[()]) -> None:
    given(*history).when(IssueInvoice(invoice=ONE, series=A, issued_on=MAY_3)).then_refused(
        "invoicing.not_a_draft"
    )


def test_a_draft_below_zero_is_issued_as_a_credit_note() -> None:
    given(drafted(lines=RETURNED)).when(IssueInvoice(invoice=ONE, series=A, issued_on=MAY_2)).then(
        issued(lines=RETURNED, kind="credit_note")
    )


def test_an_invoice_from_elsewhere_keeps_its_number() -> None:
    given().when(record(ONE)).then(recorded())


def test_a_recorded_invoice_knows_its_customer_and_its_batch() -> None:
    command = RecordInvoice(
        invoice=ONE,
        number=InvoiceNumber("536365"),
        issued_on=MAY_1,
        lines=LINES,
        customer=ANA,
        batch=BatchId("b1"),
    )
    given().when(command).then(
        replace(
            recorded(),
            customer_code=ANA.code,
            customer_name=ANA.name,
            customer_country=ANA.country,
            customer_tax_id=ANA.tax_id,
            batch=BatchId("b1"),
        )
    )


def test_a_recorded_number_finds_its_place_in_a_series() -> None:
    given().when(record(ONE, "A-000012")).then(recorded(number="A-000012", series=A, sequence=12))


def test_recording_the_same_again_changes_nothing() -> None:
    given(recorded()).when(record(TWO)).then_nothing()


def test_recording_what_was_issued_here_changes_nothing() -> None:
    same = replace(record(TWO, "A-000001", MAY_2), customer=ANA)
    given(drafted(), issued()).when(same).then_nothing()


@pytest.mark.parametrize(
    "other",
    [
        record(on=MAY_2),
        replace(record(), lines=RETURNED),
        replace(record(), currency="USD"),
        replace(record(), kind="credit_note"),
        replace(record(), customer=ANA),
    ],
    ids=["date", "lines", "currency", "kind", "customer"],
)
def test_a_number_stands_for_one_content(other: RecordInvoice) -> None:
    given(recorded()).when(other).then_refused("invoicing.number_taken")


@pytest.mark.parametrize("there", [drafted(), recorded()], ids=["draft", "issued"])
def test_an_id_stands_for_one_invoice(there: object) -> None:
    assert isinstance(there, type(drafted()) | type(recorded()))
    given(there).when(record(ONE, "999")).then_refused("invoicing.id_taken")


def test_nothing_is_recorded_into_a_series_that_is_numbered_here() -> None:
    given(drafted(), issued()).when(record(TWO, "A-3")).then_refused("invoicing.series_in_use")


def test_a_series_that_is_only_recorded_takes_numbers_in_any_order() -> None:
    given(recorded(number="A-7", series=A, sequence=7)).when(record(TWO, "A-3")).then(
        recorded(TWO, "A-3", series=A, sequence=3)
    )


@pytest.mark.parametrize(
    ("number", "place"),
    [
        ("A-000012", ("A", 12)),
        ("2026/A-1", ("2026/A", 1)),
        ("F-2026-7", ("F-2026", 7)),
        ("536365", (None, None)),
        ("C536365", (None, None)),
        ("A-", (None, None)),
        ("-1", (None, None)),
        ("A-1x", (None, None)),
        ("A-\N{ARABIC-INDIC DIGIT ONE}", (None, None)),
        ("Ñ-1", (None, None)),
        ("A-1\n", (None, None)),
        (f"{'x' * 20}-1", ("x" * 20, 1)),
        (f"{'x' * 21}-1", (None, None)),
        ("A-" + "9" * 15, ("A", 10**15 - 1)),
        ("A-" + "9" * 16, (None, None)),
    ],
)
def test_a_number_with_a_dash_is_in_a_series(
    number: str, place: tuple[str | None, int | None]
) -> None:
    assert place_in_series(number) == place


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        ((line("1", "5"),), "invoice"),
        ((line("1", "0"),), "invoice"),
        ((line("-1", "0"),), "invoice"),
        ((line("-1", "5"), line("1", "5")), "invoice"),
        ((line("-1", "5"), line("1", "4.99")), "credit_note"),
        ((line("1", "-0.001"),), "credit_note"),
    ],
)
def test_the_sign_of_the_net_tells_the_kind(lines: tuple[Line, ...], kind: str) -> None:
    assert kind_of(lines) == kind


@pytest.mark.parametrize(
    "bad",
    [
        replace(LINES[0], quantity=Decimal("NaN")),
        replace(LINES[0], unit_price=Decimal("Infinity")),
        replace(LINES[0], quantity=Decimal(10) ** 15),
        replace(LINES[0], unit_price=-(Decimal(10) ** 15)),
        replace(LINES[0], quantity=Decimal("1E-31")),
        replace(LINES[0], unit_price=Decimal("1E-999999")),
        replace(LINES[0], unit_price=Decimal("0E+999999")),
        replace(LINES[0], tax_rate=Decimal("1E-31")),
        replace(LINES[0], tax_rate=Decimal("-0.01")),
        replace(LINES[0], tax_rate=Decimal("100.01")),
        replace(LINES[0], tax_rate=Decimal("NaN")),
    ],
)
def test_no_document_holds_figures_out_of_range(bad: Line) -> None:
    with pytest.raises(ValueError, match="Line 2"):
        DraftInvoice(invoice=ONE, lines=(*LINES, bad))
    with pytest.raises(ValueError, match="Line 1"):
        RecordInvoice(invoice=ONE, number=InvoiceNumber("1"), issued_on=MAY_1, lines=(bad,))


def test_the_largest_figures_fit() -> None:
    most = Decimal("999999999999999.999999999999")
    lines = (Line(description="", quantity=most, unit_price=-most, tax_rate=Decimal(100)),)
    assert DraftInvoice(invoice=ONE, lines=lines).lines == lines
