"""Invoicing as the world may call it."""

from application.kernel import Exposed
from domain.invoicing import DraftInvoice, IssueInvoice, RecordInvoice

COMMANDS = (
    Exposed(command=DraftInvoice, permission="invoicing.invoice.draft", route="POST /invoices"),
    Exposed(
        command=IssueInvoice,
        permission="invoicing.invoice.issue",
        route="POST /invoices/{invoice}/issue",
    ),
    Exposed(
        command=RecordInvoice,
        permission="invoicing.invoice.record",
        route="POST /invoices/recorded",
    ),
)
