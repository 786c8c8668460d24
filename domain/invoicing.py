"""Invoices: drafted freely, numbered without a gap, and frozen once issued.

An invoice that was issued elsewhere is recorded with the number it has there.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, Final, Literal, NewType, TypeAlias, TypedDict

from msgspec import Meta
from msgspec.structs import replace

from domain.ids import Actor, BatchId, BranchId
from domain.kernel import (
    FORGOTTEN,
    Boundary,
    Command,
    Event,
    Filled,
    Found,
    Key,
    Personal,
    Refused,
    State,
    Subject,
    Value,
    personal_fields,
)
from domain.money import DECIMALS_MAX, CurrencyCode, is_amount, product, total

InvoiceId = NewType("InvoiceId", str)
InvoiceNumber = NewType("InvoiceNumber", str)
SeriesCode = NewType("SeriesCode", str)
CustomerCode = NewType("CustomerCode", str)
Kind: TypeAlias = Literal["invoice", "credit_note"]

Custom: TypeAlias = dict[str, object]
"""What a company wants to be told beside: held to its own fields before it comes here."""

LINES_MAX: Final = 10_000

Id = Annotated[InvoiceId, Meta(min_length=1, max_length=64, pattern="^[A-Za-z0-9_-]+$")]
NumberText = Annotated[InvoiceNumber, Meta(min_length=1, max_length=60)]
BranchText = Annotated[BranchId, Meta(min_length=1, max_length=64, pattern="^[A-Za-z0-9_-]+$")]
SeriesText = Annotated[SeriesCode, Meta(pattern="^[A-Za-z0-9/._-]{1,20}$")]


class Line(Value):
    """One thing sold. The amount is before tax, in the invoice's currency."""

    description: Annotated[str, Meta(max_length=1000)]
    quantity: Decimal
    unit_price: Decimal
    tax_rate: Decimal = Decimal(0)  # Per cent, 0 to 100.
    item: Annotated[str, Meta(max_length=60)] | None = None

    @property
    def amount(self) -> Decimal:
        return product(self.quantity, self.unit_price)


Lines = Annotated[tuple[Line, ...], Meta(min_length=1, max_length=LINES_MAX)]


class Customer(Value):
    """Who is billed, as they are called on the day of the invoice."""

    code: Annotated[CustomerCode, Meta(min_length=1, max_length=60)]
    name: Personal[Annotated[str, Meta(max_length=200)]] | None = None
    country: Annotated[str, Meta(max_length=60)] | None = None
    tax_id: Personal[Annotated[str, Meta(max_length=30)]] | None = None


class InvoiceDrafted(Event):
    invoice: Key[InvoiceId]
    currency: str
    lines: tuple[Line, ...]
    customer_code: Key[Subject[CustomerCode]] | None = None
    customer_name: Personal[str] | None = None
    customer_country: str | None = None
    customer_tax_id: Personal[str] | None = None
    custom: Custom | None = None
    made_by: Actor | None = None
    branch: BranchId | None = None


class InvoiceIssued(Event):
    """A draft became an invoice. Its content is repeated, so that readers need no look-up."""

    invoice: Key[InvoiceId]
    series: Key[SeriesCode]
    sequence: int
    number: Key[InvoiceNumber]
    kind: Kind
    issued_on: date
    currency: str
    lines: tuple[Line, ...]
    customer_code: Key[Subject[CustomerCode]] | None = None
    customer_name: Personal[str] | None = None
    customer_country: str | None = None
    customer_tax_id: Personal[str] | None = None
    custom: Custom | None = None
    made_by: Actor | None = None
    branch: BranchId | None = None


class InvoiceRecorded(Event):
    """An invoice issued elsewhere was taken into the books with its own number."""

    invoice: Key[InvoiceId]
    number: Key[InvoiceNumber]
    kind: Kind
    issued_on: date
    currency: str
    lines: tuple[Line, ...]
    series: Key[SeriesCode] | None = None
    sequence: int | None = None
    customer_code: Key[Subject[CustomerCode]] | None = None
    customer_name: Personal[str] | None = None
    customer_country: str | None = None
    customer_tax_id: Personal[str] | None = None
    batch: Key[BatchId] | None = None
    custom: Custom | None = None
    made_by: Actor | None = None
    branch: BranchId | None = None


InvoiceEvent: TypeAlias = InvoiceDrafted | InvoiceIssued | InvoiceRecorded
NumberedEvent: TypeAlias = InvoiceIssued | InvoiceRecorded


class Invoice(State):
    status: Literal["absent", "draft", "issued"] = "absent"
    currency: str = ""
    customer: Customer | None = None
    lines: tuple[Line, ...] = ()
    custom: Custom | None = None
    made_by: Actor | None = None  # Whoever drafted or recorded it; None: an import, or unknown.
    branch: BranchId | None = None

    def evolve(self, event: InvoiceEvent) -> "Invoice":
        match event:
            case InvoiceDrafted():
                return Invoice(
                    status="draft",
                    currency=event.currency,
                    customer=_customer(event),
                    lines=event.lines,
                    custom=event.custom,
                    made_by=event.made_by,
                    branch=event.branch,
                )
            case InvoiceIssued() | InvoiceRecorded():
                return replace(self, status="issued", made_by=event.made_by, branch=event.branch)


class Series(State):
    """A run of invoice numbers. The law allows no gap in it."""

    last_sequence: int = 0
    last_issued_on: date = date.min
    issued_here: bool = False  # Then nothing is recorded into it: that could leave a gap.

    def evolve(self, event: NumberedEvent) -> "Series":
        return Series(
            last_sequence=max(self.last_sequence, event.sequence or 0),
            last_issued_on=max(self.last_issued_on, event.issued_on),
            issued_here=self.issued_here or isinstance(event, InvoiceIssued),
        )


class Number(State):
    """Whether an invoice number is in the books, and with what content."""

    holder: NumberedEvent | None = None

    def evolve(self, event: NumberedEvent) -> "Number":
        return Number(holder=event)


class DraftInvoice(Command):
    """Write down what is to be billed. Drafting again replaces the draft."""

    invoice: Filled[Id]
    lines: Lines
    currency: CurrencyCode = "EUR"
    customer: Customer | None = None
    custom: Custom | None = None
    branch: BranchText | None = None
    made_by: Found[Actor] | None = None

    def __post_init__(self) -> None:
        check_lines(self.lines)

    def boundary(self) -> tuple[Boundary[Invoice]]:
        return (Invoice.at(invoice=self.invoice),)

    def decide(self, invoice: Invoice) -> Iterator[InvoiceEvent]:
        if invoice.status == "issued":
            raise Refused(
                "invoicing.already_issued",
                f"Invoice {self.invoice} is issued and cannot change.",
                hint="Correct it with a credit note.",
            )
        asked = (self.currency, self.customer, self.lines, self.custom, self.branch)
        if asked != _drafted(invoice):
            yield InvoiceDrafted(
                invoice=self.invoice,
                currency=self.currency,
                lines=self.lines,
                custom=self.custom,
                made_by=self.made_by if invoice.status == "absent" else invoice.made_by,
                branch=self.branch,
                **_customer_fields(self.customer),
            )


class IssueInvoice(Command):
    """Give a draft the next number of its series and freeze it."""

    invoice: Id
    series: SeriesText
    issued_on: Filled[date]

    def boundary(self) -> tuple[Boundary[Invoice], Boundary[Series]]:
        return Invoice.at(invoice=self.invoice), Series.at(series=self.series)

    def decide(self, invoice: Invoice, series: Series) -> Iterator[InvoiceEvent]:
        if invoice.status != "draft":
            raise Refused(
                "invoicing.not_a_draft",
                f"Invoice {self.invoice} is {invoice.status}, and only a draft is issued.",
                hint="Draft it first." if invoice.status == "absent" else "It has its number.",
            )
        if self.issued_on < series.last_issued_on:
            raise Refused(
                "invoicing.out_of_order",
                f"Series {self.series} already holds an invoice of {series.last_issued_on}.",
                hint="Use that date or a later one, or another series.",
            )
        sequence = series.last_sequence + 1
        yield InvoiceIssued(
            invoice=self.invoice,
            series=self.series,
            sequence=sequence,
            number=InvoiceNumber(f"{self.series}-{sequence:06}"),
            kind=kind_of(invoice.lines),
            issued_on=self.issued_on,
            currency=invoice.currency,
            lines=invoice.lines,
            custom=invoice.custom,
            made_by=invoice.made_by,
            branch=invoice.branch,
            **_customer_fields(invoice.customer),
        )


class RecordInvoice(Command):
    """Take an invoice that was issued elsewhere into the books, with its own number."""

    invoice: Filled[Id]
    number: NumberText
    issued_on: date
    lines: Lines
    currency: CurrencyCode = "EUR"
    kind: Kind | None = None  # Left out: a credit note if the net is negative.
    customer: Customer | None = None
    batch: BatchId | None = None
    custom: Custom | None = None
    branch: BranchText | None = None
    made_by: Found[Actor] | None = None

    def __post_init__(self) -> None:
        check_lines(self.lines)

    def boundary(self) -> tuple[Boundary[Invoice] | Boundary[Number] | Boundary[Series], ...]:
        series, _ = place_in_series(self.number)
        own = (Invoice.at(invoice=self.invoice), Number.at(number=self.number))
        return own if series is None else (*own, Series.at(series=series))

    def decide(
        self, invoice: Invoice, number: Number, in_series: Series | None = None
    ) -> Iterator[InvoiceEvent]:
        series, sequence = place_in_series(self.number)
        recorded = InvoiceRecorded(
            invoice=self.invoice,
            number=self.number,
            series=series,
            sequence=sequence,
            kind=self.kind or kind_of(self.lines),
            issued_on=self.issued_on,
            currency=self.currency,
            lines=self.lines,
            batch=self.batch,
            custom=self.custom,
            made_by=self.made_by,
            branch=self.branch,
            **_customer_fields(self.customer),
        )
        if number.holder is not None:
            if _content(number.holder) != _content(_as_far_as_known(recorded, number.holder)):
                raise _number_taken(self.number, number.holder.issued_on)
            return
        if invoice.status != "absent":
            raise Refused(
                "invoicing.id_taken",
                f"Invoice {self.invoice} is there already, as {invoice.status}.",
                hint="Leave the id out, and a new one is made.",
            )
        if in_series is not None and in_series.issued_here:
            raise Refused(
                "invoicing.series_in_use",
                f"Series {series} is numbered here, up to {in_series.last_sequence}.",
                hint="Record the invoice under the number of another series.",
            )
        yield recorded


def place_in_series(number: str) -> tuple[SeriesCode | None, int | None]:
    """Split ``A-000012`` into series A and 12; a number with no dash is in no series."""
    found = re.fullmatch(r"([A-Za-z0-9/._-]{1,20})-([0-9]{1,15})", number, re.ASCII)
    return (SeriesCode(found[1]), int(found[2])) if found else (None, None)


def kind_of(lines: Sequence[Line]) -> Kind:
    """Tell an invoice from a credit note by the sign of its net."""
    return "credit_note" if total(line.amount for line in lines) < 0 else "invoice"


def check_lines(lines: Sequence[Line]) -> None:
    """Refuse figures that no document can hold.

    Raises:
        ValueError: A quantity, price or tax rate is out of its range.

    """
    for place, line in enumerate(lines, 1):
        if not (is_amount(line.quantity) and is_amount(line.unit_price)):
            raise ValueError(
                f"Line {place}: quantity and unit price must be finite, below 10^15,"
                f" with at most {DECIMALS_MAX} decimals."
            )
        if not (is_amount(line.tax_rate) and 0 <= line.tax_rate <= 100):  # noqa: PLR2004 - per cent.
            raise ValueError(f"Line {place}: a tax rate is 0 to 100 per cent.")


class _CustomerFields(TypedDict):
    customer_code: CustomerCode | None
    customer_name: str | None
    customer_country: str | None
    customer_tax_id: str | None


def _customer_fields(customer: Customer | None) -> _CustomerFields:
    return _CustomerFields(
        customer_code=customer.code if customer else None,
        customer_name=customer.name if customer else None,
        customer_country=customer.country if customer else None,
        customer_tax_id=customer.tax_id if customer else None,
    )


def _customer(event: InvoiceEvent) -> Customer | None:
    if event.customer_code is None:
        return None
    return Customer(
        code=event.customer_code,
        name=event.customer_name,
        country=event.customer_country,
        tax_id=event.customer_tax_id,
    )


def _drafted(invoice: Invoice) -> tuple[object, ...]:
    """What makes two drafts the same."""
    return invoice.currency, invoice.customer, invoice.lines, invoice.custom, invoice.branch


def _content(event: NumberedEvent) -> tuple[object, ...]:
    """What makes two documents of one number the same."""
    return event.kind, event.issued_on, event.currency, _customer(event), event.lines


def _as_far_as_known(recorded: InvoiceRecorded, holder: NumberedEvent) -> InvoiceRecorded:
    """Leave out of *recorded* what was forgotten of *holder*, so that the two compare."""
    forgotten = [
        name for name in personal_fields(type(holder)) if getattr(holder, name) is FORGOTTEN
    ]
    return replace(recorded, **dict.fromkeys(forgotten, FORGOTTEN))


def _number_taken(number: str, issued_on: date) -> Refused:
    return Refused(
        "invoicing.number_taken",
        f"Invoice {number} of {issued_on} is in the books, with other content.",
        hint="Give this one its right number, or correct the other with a credit note.",
    )
