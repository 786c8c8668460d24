"""What the tests of invoicing talk about."""

from datetime import date
from decimal import Decimal

from domain.invoicing import (
    Customer,
    CustomerCode,
    InvoiceDrafted,
    InvoiceId,
    InvoiceIssued,
    InvoiceNumber,
    InvoiceRecorded,
    Kind,
    Line,
    SeriesCode,
)

ONE, TWO, A, B = InvoiceId("one"), InvoiceId("two"), SeriesCode("A"), SeriesCode("B")
MAY_1, MAY_2, MAY_3 = date(2026, 5, 1), date(2026, 5, 2), date(2026, 5, 3)
ANA = Customer(code=CustomerCode("C7"), name="Ana Núñez", country="ES", tax_id="12345678Z")


def line(quantity: str, unit_price: str, tax_rate: str = "0") -> Line:
    return Line(
        description="Bolt",
        quantity=Decimal(quantity),
        unit_price=Decimal(unit_price),
        tax_rate=Decimal(tax_rate),
        item="B-1",
    )


LINES = (line("3", "1.50", "21"),)
RETURNED = (line("-3", "1.50", "21"),)


def drafted(
    invoice: InvoiceId = ONE, lines: tuple[Line, ...] = LINES, currency: str = "EUR"
) -> InvoiceDrafted:
    return InvoiceDrafted(
        invoice=invoice,
        currency=currency,
        lines=lines,
        customer_code=ANA.code,
        customer_name=ANA.name,
        customer_country=ANA.country,
        customer_tax_id=ANA.tax_id,
    )


def issued(
    invoice: InvoiceId = ONE,
    sequence: int = 1,
    on: date = MAY_2,
    lines: tuple[Line, ...] = LINES,
    kind: Kind = "invoice",
) -> InvoiceIssued:
    return InvoiceIssued(
        invoice=invoice,
        series=A,
        sequence=sequence,
        number=InvoiceNumber(f"A-{sequence:06}"),
        kind=kind,
        issued_on=on,
        currency="EUR",
        lines=lines,
        customer_code=ANA.code,
        customer_name=ANA.name,
        customer_country=ANA.country,
        customer_tax_id=ANA.tax_id,
    )


def recorded(
    invoice: InvoiceId = ONE,
    number: str = "536365",
    *,
    series: SeriesCode | None = None,
    sequence: int | None = None,
    lines: tuple[Line, ...] = LINES,
    currency: str = "EUR",
    kind: Kind = "invoice",
) -> InvoiceRecorded:
    return InvoiceRecorded(
        invoice=invoice,
        number=InvoiceNumber(number),
        series=series,
        sequence=sequence,
        kind=kind,
        issued_on=MAY_1,
        currency=currency,
        lines=lines,
    )
