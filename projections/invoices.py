"""Invoices as people look them up: by number, by date, by what is still owed."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta
from msgspec.structs import replace

from domain.ids import Actor, BatchId, BranchId
from domain.invoicing import (
    Custom,
    InvoiceDrafted,
    InvoiceEvent,
    InvoiceId,
    InvoiceIssued,
    InvoiceRecorded,
    Kind,
    Line,
    kind_of,
)
from domain.kernel import Value
from domain.money import EXACT, product, rounded
from projections.kernel import (
    Indexed,
    MadeBy,
    OfBranch,
    ReadModel,
    Row,
    SeenWith,
    derived,
    one_of,
    relations,
)

PER_CENT: Final = Decimal("0.01")
NOTHING: Final = Decimal(0)
SEE_TAX_ID: Final = "invoicing.customer.see_tax_id"
MAKER: Final = "Who drafted or recorded it, `user:…` or `key:…`; empty of an import."
Status: TypeAlias = Literal["draft", "issued"]


class CustomerOfInvoice(Value):
    """Who is billed, as they were called on the day."""

    id: str
    code: str
    name: str | None
    country: str | None
    tax_id: Annotated[
        str | None, SeenWith(SEE_TAX_ID), Meta(description=f"Empty without {SEE_TAX_ID}.")
    ]


class LineOfInvoice(Value):
    """One thing sold. The amount is before tax and not rounded."""

    description: str
    quantity: Decimal
    unit_price: Decimal
    tax_rate: Decimal
    amount: Decimal
    item: str | None


Billed: TypeAlias = Line | LineOfInvoice


class InvoiceRow(Row):
    """One invoice or credit note. Amounts are in its currency."""

    invoice: InvoiceId
    status: Indexed[Status]
    kind: Indexed[Kind]
    currency: str
    lines: tuple[LineOfInvoice, ...]
    net: Decimal
    tax: Decimal
    total: Decimal
    paid: Decimal
    number: Indexed[str | None] = None
    series: Indexed[str | None] = None
    issued_on: Indexed[date | None] = None
    customer: CustomerOfInvoice | None = None
    customer_code: Indexed[str | None] = None
    batch: Indexed[BatchId | None] = None
    custom: Custom | None = None
    made_by: MadeBy[Annotated[Actor, Meta(description=MAKER)] | None] = None
    branch: OfBranch[BranchId | None] = None

    @derived
    def due(self) -> Indexed[Decimal]:
        """The total less what is paid."""
        return EXACT.subtract(self.total, self.paid)


class Invoices(ReadModel[InvoiceRow]):
    name = "invoices"
    row = InvoiceRow
    key = "invoice"
    version = 4
    permission = "invoicing.invoice.read"
    search = ("number", "customer_code", "customer.name")
    related = relations(
        account=one_of(
            "customer_balances",
            "The account of the customer, in the currency of the document.",
            customer_code="customer_code",
            currency="currency",
        ),
        import_batch=one_of("import_batches", "The import that it came with.", batch="batch"),
    )

    @staticmethod
    def apply(_row: InvoiceRow | None, event: InvoiceEvent) -> InvoiceRow | None:
        match event:
            case InvoiceDrafted():
                return _of(event, status="draft", kind=kind_of(event.lines))
            case InvoiceIssued():
                row = _of(event, status="issued", kind=event.kind)
                batch = None
            case InvoiceRecorded(batch=batch):
                row = _of(event, status="issued", kind=event.kind)
        return replace(
            row,
            number=event.number,
            series=event.series,
            issued_on=event.issued_on,
            batch=batch,
        )


def net_and_tax(lines: Iterable[Billed], currency: str) -> tuple[Decimal, Decimal]:
    """Sum net and tax, each rounded once; tax by rate, as it is declared."""
    net = tax = NOTHING
    for base, tax_on_it in base_and_tax(lines, currency).values():
        net, tax = EXACT.add(net, base), EXACT.add(tax, tax_on_it)
    return rounded(net, currency), rounded(tax, currency)


def base_and_tax(lines: Iterable[Billed], currency: str) -> dict[Decimal, tuple[Decimal, Decimal]]:
    """Sum by the rate of tax: what is taxed, exactly, and the tax on it, rounded once."""
    bases: dict[Decimal, Decimal] = {}
    for line in lines:
        bases[line.tax_rate] = EXACT.add(bases.get(line.tax_rate, NOTHING), line.amount)
    return {
        rate: (base, rounded(product(base, product(rate, PER_CENT)), currency))
        for rate, base in bases.items()
    }


def _of(event: InvoiceEvent, *, status: Status, kind: Kind) -> InvoiceRow:
    lines = tuple(map(_line, event.lines))
    net, tax = net_and_tax(lines, event.currency)
    return InvoiceRow(
        invoice=event.invoice,
        status=status,
        kind=kind,
        currency=event.currency,
        lines=lines,
        net=net,
        tax=tax,
        total=EXACT.add(net, tax),
        paid=NOTHING,
        customer=_customer(event),
        customer_code=event.customer_code,
        custom=event.custom,
        made_by=event.made_by,
        branch=event.branch,
    )


def _line(line: Line) -> LineOfInvoice:
    return LineOfInvoice(
        description=line.description,
        quantity=line.quantity,
        unit_price=line.unit_price,
        tax_rate=line.tax_rate,
        amount=line.amount,
        item=line.item,
    )


def _customer(event: InvoiceEvent) -> CustomerOfInvoice | None:
    if event.customer_code is None:
        return None
    return CustomerOfInvoice(
        id=event.customer_code,
        code=event.customer_code,
        name=event.customer_name,
        country=event.customer_country,
        tax_id=event.customer_tax_id,
    )
