"""The book of VAT on sales: a line for each month of issue, rate and currency.

A document with several rates is in several lines. What each line says of it is rounded once, so
that the tax in the book is the tax on the documents, to the cent.
"""

from datetime import date
from decimal import Decimal
from typing import Annotated

from msgspec import Meta
from msgspec.structs import replace

from domain.invoicing import NumberedEvent
from domain.money import EXACT, rounded
from projections.invoices import base_and_tax
from projections.kernel import Indexed, ReadModel, Row

NOTHING = Decimal(0)
Place = Annotated[
    str, Meta(description="The month, the rate and the currency, as in `2026-03:21:EUR`.")
]
Month = Annotated[str, Meta(description="The month of issue, as in `2026-03`.")]
Rate = Annotated[Decimal, Meta(description="Per cent.")]


class VatBookLineRow(Row):
    """What was billed in one month at one rate in one currency, and the tax on it.

    Base is the sum of what each document bills at the rate, tax of what it charges on that.
    Credit notes are in both with the sign that they have. Documents are counted of both kinds.
    """

    line: Place
    month: Indexed[Month]
    rate: Indexed[Rate]
    currency: Indexed[str]
    base: Decimal = NOTHING
    tax: Decimal = NOTHING
    documents: int = 0


class VatBook(ReadModel[VatBookLineRow]):
    name = "vat_book"
    row = VatBookLineRow
    key = "line"
    permission = "invoicing.invoice.read"
    personal = False

    @classmethod
    def keys(cls, event: NumberedEvent) -> tuple[str, ...]:
        rates = dict.fromkeys(_plain(line.tax_rate) for line in event.lines)
        return tuple(f"{_month(event.issued_on)}:{rate}:{event.currency}" for rate in rates)

    @classmethod
    def tags(cls, key: str) -> tuple[str, ...]:  # noqa: ARG003 - no tag tells month or rate.
        return ()

    @staticmethod
    def apply(row: VatBookLineRow | None, event: NumberedEvent, key: str) -> VatBookLineRow | None:
        month, rate, currency = key.split(":", 2)
        before = row or VatBookLineRow(line=key, month=month, rate=Decimal(rate), currency=currency)
        base, tax = base_and_tax(event.lines, currency)[before.rate]
        return replace(
            before,
            base=EXACT.add(before.base, rounded(base, currency)),
            tax=EXACT.add(before.tax, tax),
            documents=before.documents + 1,
        )


def _month(day: date) -> str:
    return day.isoformat()[:7]


def _plain(rate: Decimal) -> str:
    """Write a rate the same however it was written: 21, 21.0 and 2.1E+1 are one."""
    return format(EXACT.normalize(EXACT.abs(rate)), "f")
