"""What customers were invoiced: an account for each customer and currency, over all documents.

A document counts with its total, rounded as it stands on it. Drafts count for nothing, and a sale
to nobody in particular is in no account.
"""

from datetime import date
from decimal import Decimal
from typing import Annotated

from msgspec import Meta
from msgspec.structs import replace

from domain.invoicing import CustomerCode, NumberedEvent
from domain.money import EXACT, total
from projections.invoices import net_and_tax
from projections.kernel import Indexed, ReadModel, Row, derived, many_of, relations

NOTHING = Decimal(0)
Account = Annotated[str, Meta(description="The customer's code and the currency, as in `C7:EUR`.")]


class CustomerBalanceRow(Row):
    """What one customer was invoiced in one currency, and what of it is due.

    Invoiced is the sum of the totals of invoices, with their tax. Credited is that of credit
    notes with the sign turned: one of -12.10 credits 12.10. Documents are counted of both kinds.
    """

    account: Account
    customer_code: Indexed[CustomerCode]
    currency: Indexed[str]
    last_issued_on: Indexed[date]
    invoiced: Decimal = NOTHING
    credited: Decimal = NOTHING
    documents: int = 0

    @derived
    def due(self) -> Indexed[Decimal]:
        """What was invoiced less what was credited. Payments are not counted yet."""
        return EXACT.subtract(self.invoiced, self.credited)


class CustomerBalances(ReadModel[CustomerBalanceRow]):
    name = "customer_balances"
    row = CustomerBalanceRow
    key = "account"
    permission = "invoicing.invoice.read"
    personal = False
    search = ("customer_code",)
    related = relations(
        invoices=many_of(
            "invoices",
            "The documents of the account, and drafts for the customer.",
            customer_code="customer_code",
            currency="currency",
        )
    )

    @classmethod
    def keys(cls, event: NumberedEvent) -> tuple[str, ...]:
        return (f"{event.customer_code}:{event.currency}",) if event.customer_code else ()

    @classmethod
    def tags(cls, key: str) -> tuple[str, ...]:
        code, _, _ = key.rpartition(":")
        return (f"customer_code:{code}",)

    @staticmethod
    def apply(
        row: CustomerBalanceRow | None, event: NumberedEvent, key: str
    ) -> CustomerBalanceRow | None:
        code, _, currency = key.rpartition(":")
        before = row or CustomerBalanceRow(
            account=key,
            customer_code=CustomerCode(code),
            currency=currency,
            last_issued_on=event.issued_on,
        )
        after = replace(
            before,
            documents=before.documents + 1,
            last_issued_on=max(before.last_issued_on, event.issued_on),
        )
        amount = total(net_and_tax(event.lines, event.currency))
        if event.kind == "credit_note":
            return replace(after, credited=EXACT.subtract(before.credited, amount))
        return replace(after, invoiced=EXACT.add(before.invoiced, amount))
