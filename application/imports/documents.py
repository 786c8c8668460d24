"""Rows of one number are one invoice; the first row says whose it is and of what day."""

from collections.abc import Sequence

from application.imports.custom import CustomColumns
from application.ports import StagedRow
from domain.ids import BatchId
from domain.imports.cells import ReadRow, RowError, RowReader
from domain.invoicing import (
    LINES_MAX,
    Customer,
    CustomerCode,
    InvoiceId,
    InvoiceNumber,
    Line,
    RecordInvoice,
)


def document_of(
    rows: Sequence[StagedRow],
    reader: RowReader,
    currency: str,
    invoice: InvoiceId,
    batch: BatchId,
    *,
    custom: CustomColumns | None = None,
) -> RecordInvoice:
    """Make the command that records the invoice of *rows*, which are in the file's order.

    Raises:
        RowError: A row can't be read, or contradicts the first.

    """
    if len(rows) > LINES_MAX:
        raise RowError(
            "imports.too_many_lines",
            "number",
            rows[0].document,
            f"{len(rows)} rows have this number; an invoice takes {LINES_MAX}.",
        )
    read = [reader.read(row.cells) for row in rows]
    first = read[0]
    _check_currency(read, currency)
    return RecordInvoice(
        invoice=invoice,
        number=InvoiceNumber(first.number),
        issued_on=first.date,
        currency=first.currency or currency,
        kind=first.kind,
        customer=_customer(first),
        lines=tuple(_line(row) for row in read),
        batch=batch,
        custom=custom.read(rows[0].cells) if custom else None,
    )


def _check_currency(read: Sequence[ReadRow], currency: str) -> None:
    first = read[0]
    for row in read:
        if row.currency != first.currency:
            raise RowError(
                "imports.mixed_currency",
                "currency",
                row.currency or "",
                f"Other rows of {first.number} are in {first.currency or currency}.",
            )


def _line(row: ReadRow) -> Line:
    return Line(
        description=row.description,
        quantity=row.quantity,
        unit_price=row.unit_price,
        tax_rate=row.tax_rate,
        item=row.item_code,
    )


def _customer(row: ReadRow) -> Customer | None:
    """Name the customer; without a code it is a sale to a final consumer."""
    if row.customer_code is None:
        return None
    return Customer(
        code=CustomerCode(row.customer_code), name=row.customer_name, country=row.country
    )
