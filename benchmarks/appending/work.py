"""The appended events: invoices of about 300 bytes under three tags, told apart by their number.

Each append checks a boundary: that nothing is known of its invoice.
"""

from collections.abc import Iterator
from itertools import count
from os import getpid
from time import time_ns
from typing import Final
from uuid import NAMESPACE_OID, uuid5

from application.ports import Append, NewEvent, QueryItem
from domain.ids import TenantId

TYPE: Final = "InvoiceRecorded"
TYPES: Final = ("InvoiceDrafted", "InvoiceIssued", "InvoiceRecorded")
CUSTOMERS: Final = 1_000
ACTOR: Final = "user:0198c0de-0000-7000-8000-000000000001"
CORRELATION: Final = "0198c0de-0000-7000-8000-000000000002"

DATA: Final = (
    '{{"invoice":"{invoice}","number":"{number}","kind":"invoice","issued_on":"2010-12-01",'
    '"currency":"EUR","lines":[{{"description":"WHITE HANGING HEART T-LIGHT HOLDER",'
    '"quantity":"6","unit_price":"2.55","tax_rate":"21","item":"85123A"}}],'
    '"customer_code":"{customer}","customer_country":"ES"}}'
)

_runs = count()


def tenants(count: int) -> list[TenantId]:
    """Name tenants, the same ones in each process."""
    return [TenantId(str(uuid5(NAMESPACE_OID, f"tenant {n}"))) for n in range(count)]


def appends(events: int) -> Iterator[Append]:
    """Make appends of so many events about one invoice each, for ever."""
    # Ids sort by time, as the application's do; process and run tell apart those of one moment.
    now = f"{time_ns() // 1_000_000:012x}"
    run = f"{now[:8]}-{now[8:]}-7{getpid() % 0x1000:03x}-8{next(_runs) % 0x1000:03x}"
    number = 0
    while True:
        invoice = f"{run}-{number:012x}"
        boundary = (QueryItem(types=TYPES, tags=(f"invoice:{invoice}",)),)
        made = tuple(_event(invoice, number + place) for place in range(events))
        yield Append(events=made, boundary=boundary, after=0)
        number += events


def _event(invoice: str, number: int) -> NewEvent:
    # A large odd step visits the customers as if by chance, and cheaply.
    customer = f"C{number * 7919 % CUSTOMERS:05}"
    code = f"B{invoice[:8]}-{number:06}"
    return NewEvent(
        type=TYPE,
        tags=(f"customer_code:{customer}", f"invoice:{invoice}", f"number:{code}"),
        data=DATA.format(invoice=invoice, number=code, customer=customer),
        actor=ACTOR,
        correlation_id=CORRELATION,
        causation_id="",
    )
