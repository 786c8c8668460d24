"""Invoices issued through the bus: all in one series, or each client in a series of its own."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from decimal import Decimal
from time import perf_counter
from typing import Final

from application.bus import Bus
from application.kernel import EVERYTHING, Context
from benchmarks.appending.load import Load
from benchmarks.appending.work import ACTOR, CORRELATION, tenants
from domain.invoicing import (
    Customer,
    CustomerCode,
    DraftInvoice,
    InvoiceId,
    IssueInvoice,
    Line,
    SeriesCode,
)

DRAFTS_TOGETHER: Final = 500
ISSUED_ON: Final = date(2026, 1, 31)
LINE: Final = Line(
    description="WHITE HANGING HEART T-LIGHT HOLDER",
    quantity=Decimal(6),
    unit_price=Decimal("2.55"),
    tax_rate=Decimal(21),
    item="85123A",
)


async def prepare_issuing(bus: Bus, load: Load) -> Callable[[], Awaitable[list[float]]]:
    """Draft what will be issued, and return the issuing."""
    context = Context(
        tenant=tenants(1)[0],
        actor=ACTOR,
        permissions=frozenset({EVERYTHING}),
        correlation_id=CORRELATION,
    )
    names = [InvoiceId(f"{load.kind[:3]}-{n:06}") for n in range(load.invoices)]
    for first in range(0, len(names), DRAFTS_TOGETHER):
        drafts = [_draft(name) for name in names[first : first + DRAFTS_TOGETHER]]
        await bus.execute_many(drafts, context, all_or_nothing=True)
    return lambda: _issue(bus, context, load, names)


def _draft(name: InvoiceId) -> DraftInvoice:
    return DraftInvoice(
        invoice=name,
        lines=(LINE,),
        customer=Customer(code=CustomerCode(f"C{hash(name) % 1000:05}")),
    )


async def _issue(bus: Bus, context: Context, load: Load, names: list[InvoiceId]) -> list[float]:
    latencies: list[float] = []
    waiting = iter(names)

    async def client(number: int) -> None:
        series = SeriesCode("ONE" if load.kind == "one series" else f"OWN{number}")
        for name in waiting:
            begun = perf_counter()
            await bus.execute(
                IssueInvoice(invoice=name, series=series, issued_on=ISSUED_ON), context
            )
            latencies.append(perf_counter() - begun)

    await asyncio.gather(*(client(number) for number in range(load.clients)))
    return latencies
