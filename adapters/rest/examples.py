"""What usual requests look like, for the documentation. A test sends each of them."""

from typing import Any, Final

LINE: Final = {"description": "Nut", "quantity": "4", "unit_price": "0.25", "tax_rate": "21"}
CUSTOMER: Final = {"code": "C-10", "name": "Ferretería Núñez", "country": "ES"}
EXAMPLES: Final[dict[str, dict[str, Any]]] = {  # Any: JSON.
    "Login": {"email": "ana@books.example", "password": "correct horse battery staple"},
    "CreateTenant": {"slug": "acme", "name": "Acme, S.L.", "country": "ES"},
    "DraftInvoice": {"customer": CUSTOMER, "lines": [LINE]},
    "IssueInvoice": {"series": "A", "issued_on": "2026-03-01"},
    "RecordInvoice": {
        "number": "2025-117",
        "issued_on": "2025-11-30",
        "customer": CUSTOMER,
        "lines": [LINE],
    },
    "OpenImportBatch": {"source_type": "invoices", "origin": "shop"},
    "IngestRows": {
        "rows": [
            {
                "number": "S-1",
                "date": "2026-03-01",
                "customer_code": "C-10",
                "description": "Nut",
                "quantity": "4",
                "unit_price": "0.25",
            }
        ],
        "defaults": {"currency": "EUR"},
    },
    "CreateApiKey": {
        "name": "The shop",
        "permissions": ["invoicing.invoice.read"],
        "networks": ["192.0.2.0/24"],
    },
    "RegisterWebhook": {
        "url": "https://books.example/asiento",
        "types": ["InvoiceIssued"],
        "description": "The shop",
    },
    "ChangeWebhook": {
        "url": "https://books.example/asiento",
        "types": ["InvoiceIssued", "InvoiceRecorded"],
        "description": "The shop",
    },
    "ForgetSubject": {"kind": "customer_code", "value": "C-10", "reason": "Asked for it."},
}
PROBLEM: Final = {
    "title": "Conflict",
    "status": 409,
    "detail": "Invoice 01a201d0-7d42-71dd-b99f-0b3de28eb0e1 is issued, and only a draft is issued.",
    "code": "invoicing.not_a_draft",
    "hint": "It has its number.",
    "type": "about:blank",
    "instance": "urn:request:01a201d0-7d8b-75d1-a0f2-38247a26eaf1",
}
