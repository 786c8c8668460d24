"""Read models of every kind, some of which no module of ours needs yet."""

from datetime import date
from decimal import Decimal

from msgspec.structs import replace

from domain.invoicing import InvoiceDrafted, InvoiceEvent, NumberedEvent
from domain.kernel import Value
from domain.money import total
from projections.kernel import Indexed, ReadModel, Row, derived


class DraftRow(Row):
    invoice: str
    currency: Indexed[str]


class Drafts(ReadModel[DraftRow]):
    """Rows that end: what waits to be issued."""

    name = "test_drafts"
    row = DraftRow
    key = "invoice"
    permission = "invoicing.invoice.read"

    @staticmethod
    def apply(_row: DraftRow | None, event: InvoiceEvent) -> DraftRow | None:
        if isinstance(event, InvoiceDrafted):
            return DraftRow(invoice=event.invoice, currency=event.currency)
        return None


class SaleRow(Row):
    sale: str
    units: Indexed[Decimal]
    on: date


class Sales(ReadModel[SaleRow]):
    """Several keys an event, found by no tag, of rows that end: units sold of an item in a day."""

    name = "test_sales"
    row = SaleRow
    key = "sale"
    permission = "invoicing.invoice.read"
    personal = False

    @classmethod
    def keys(cls, event: NumberedEvent) -> tuple[str, ...]:
        items = dict.fromkeys(line.item for line in event.lines if line.item)
        return tuple(f"{item}:{event.issued_on}" for item in items)

    @classmethod
    def tags(cls, key: str) -> tuple[str, ...]:  # noqa: ARG003 - no tag tells the item.
        return ()

    @staticmethod
    def apply(row: SaleRow | None, event: NumberedEvent, key: str) -> SaleRow | None:
        item, _, _ = key.rpartition(":")
        sold = [line.quantity for line in event.lines if line.item == item]
        units = total([*sold, row.units if row else Decimal(0)])
        return SaleRow(sale=key, units=units, on=event.issued_on) if units else None


class Bill(Value):
    number: str
    name: str | None


class BuyerRow(Row):
    customer_code: str
    name: str | None
    bills: tuple[Bill, ...] = ()

    @derived
    def initials(self) -> str | None:
        """The first letters of the name."""
        return "".join(word[0] for word in self.name.split()) if self.name else None

    @derived
    def regular(self) -> Indexed[bool]:
        """Whether they came back."""
        return len(self.bills) > 1


class Buyers(ReadModel[BuyerRow]):
    """Derived columns, a search text with names in it, and rows that gather by a tag."""

    name = "test_buyers"
    row = BuyerRow
    key = "customer_code"
    permission = "invoicing.invoice.read"
    search = ("name", "customer_code", "bills.number")

    @classmethod
    def keys(cls, event: NumberedEvent) -> tuple[str, ...]:
        return (event.customer_code,) if event.customer_code else ()

    @staticmethod
    def apply(row: BuyerRow | None, event: NumberedEvent, key: str) -> BuyerRow | None:
        name = event.customer_name
        row = row or BuyerRow(customer_code=key, name=name)
        bills = (*row.bills, Bill(number=event.number, name=name))
        return replace(row, name=name or row.name, bills=bills)


KINDS: tuple[type[ReadModel[Row]], ...] = (Drafts, Sales, Buyers)  # type: ignore[assignment] # Of any row.
