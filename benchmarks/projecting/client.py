"""A process that the cases start: a projector that catches up, or callers of a quiet system.

It reads a ``Load`` from its first line of input, prepares and says ready, does the work at the
next line and says what it did; it stays until its input ends, as its backends are looked at.
"""

import asyncio
import gc
import sys
from collections.abc import Awaitable, Callable
from datetime import date
from decimal import Decimal
from itertools import cycle
from pathlib import Path
from time import perf_counter, process_time
from typing import Final, LiteralString, TypeAlias
from uuid import uuid4

import msgspec
import uvloop
from psycopg import sql

from adapters.logging import configure_logging
from adapters.postgres.connections import Connection, connect, tenant_transaction
from adapters.postgres.projecting.projector import Projector
from adapters.runtime import Runtime, open_runtime
from adapters.settings import Settings
from adapters.worker.until_told import GC_OBJECTS
from application.kernel import EVERYTHING, Context
from benchmarks.appending.load import Did, Load, did
from benchmarks.appending.work import ACTOR, CORRELATION, tenants
from benchmarks.projecting.tables import CONSUMER, TABLE
from domain.ids import SYSTEM_TENANT, TenantId
from domain.invoicing import Customer, CustomerCode, InvoiceId, InvoiceNumber, Line, RecordInvoice

CUSTOMERS: Final = 100
LOOK_SECONDS: Final = 0.000_5
QUIET_SECONDS: Final = 0.05
"""How long nothing happens before each event, so that it comes to an idle system."""

TRICKLE_SECONDS: Final = 1.0
"""How often each active tenant writes."""

FOLDED: LiteralString = """
SELECT coalesce(sum(position), 0)::bigint FROM cursors_v1() WHERE consumer = %s
"""
AS_TENANT: LiteralString = "SELECT set_config('app.tenant_id', %s, false)"
Work: TypeAlias = Callable[[], Awaitable[tuple[int, list[float]]]]
"""Does it, and returns how many events it was about, and how long some took."""


async def main() -> None:
    load = msgspec.json.decode(sys.stdin.readline(), type=Load)
    settings = Settings(
        database_url=load.database_url,
        redis_url=load.redis_url,
        asiento_data=Path(load.folder),
        log_level="warning",
    )
    configure_logging(settings, "bench")  # To stderr: stdout is for what was done.
    gc.freeze()  # As the process does in production.
    gc.set_threshold(GC_OBJECTS)
    prepare = {"catch up": _catching_up, "visible": _visible, "trickle": _trickle}[load.kind]
    async with open_runtime(settings) as runtime:
        work = await prepare(runtime, load)
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        print(msgspec.json.encode(await _timed(work)).decode(), flush=True)
        await asyncio.to_thread(sys.stdin.read)


async def _timed(work: Work) -> Did:
    begun, cpu = perf_counter(), process_time()
    events, latencies = await work()
    seconds, cpu = perf_counter() - begun, process_time() - cpu
    if latencies:
        return did(latencies, seconds=seconds, cpu_seconds=cpu)
    return Did(
        operations=events, events=events, seconds=seconds, cpu_seconds=cpu, p50_ms=0, p99_ms=0
    )


async def _catching_up(runtime: Runtime, _load: Load) -> Work:
    """Fold all that is new, and no more."""
    projector = Projector(runtime.pool, runtime.vault)
    before = await _folded(runtime)

    async def work() -> tuple[int, list[float]]:
        await projector.catch_up()
        return await _folded(runtime) - before, []

    return work


async def _visible(runtime: Runtime, load: Load) -> Work:
    """Record an invoice, and look for its row from the moment that its commit is known."""
    (tenant,) = tenants(1)
    looking = await connect(load.database_url)
    await looking.execute(AS_TENANT, (tenant,))
    for number in range(CUSTOMERS):  # So that their keys are made, and kept by the projector.
        await _wait_for(looking, tenant, await _record(runtime, tenant, number))

    async def work() -> tuple[int, list[float]]:
        latencies: list[float] = []
        for number in range(load.invoices):
            await asyncio.sleep(QUIET_SECONDS)
            invoice = await _record(runtime, tenant, number)
            committed = perf_counter()
            await _wait_for(looking, tenant, invoice)
            latencies.append(perf_counter() - committed)
        await looking.close()
        return len(latencies), latencies

    return work


async def _trickle(runtime: Runtime, load: Load) -> Work:
    """Record an invoice a second for each of some tenants, one after the other."""
    active = tenants(load.tenants)

    async def work() -> tuple[int, list[float]]:
        latencies: list[float] = []
        deadline = perf_counter() + load.seconds
        for number, tenant in enumerate(cycle(active)):
            await asyncio.sleep(TRICKLE_SECONDS / len(active))
            if (begun := perf_counter()) > deadline:
                return len(latencies), latencies
            await _record(runtime, tenant, number)
            latencies.append(perf_counter() - begun)
        raise AssertionError("It goes round for ever.")

    return work


async def _folded(runtime: Runtime) -> int:
    async with tenant_transaction(runtime.pool, SYSTEM_TENANT) as connection:
        row = await (await connection.execute(FOLDED, (CONSUMER,))).fetchone()
    return int(row[0]) if row else 0


async def _record(runtime: Runtime, tenant: TenantId, number: int) -> InvoiceId:
    invoice = InvoiceId(str(uuid4()))
    command = RecordInvoice(
        invoice=invoice,
        number=InvoiceNumber(f"V{invoice.replace('-', '')}"),
        issued_on=date(2026, 1, 31),
        lines=(Line(description="Bolt", quantity=Decimal(6), unit_price=Decimal("2.55")),),
        customer=Customer(
            code=CustomerCode(f"V{number % CUSTOMERS:05}"),
            name=f"García Hernández e Hijos {number % CUSTOMERS}, S.L.",
            country="ES",
            tax_id=f"B{number % CUSTOMERS:08}",
        ),
    )
    context = Context(
        tenant=tenant,
        actor=ACTOR,
        permissions=frozenset({EVERYTHING}),
        correlation_id=CORRELATION,
    )
    await runtime.bus.execute(command, context)
    return invoice


async def _wait_for(looking: Connection, tenant: TenantId, invoice: InvoiceId) -> None:
    asked = sql.SQL("SELECT FROM {} WHERE tenant_id = %s AND invoice = %s").format(
        sql.Identifier(TABLE)
    )
    while True:
        if (await looking.execute(asked, (tenant, invoice))).rowcount:
            return
        await asyncio.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
