"""A key brings its first result: from any process, at any time until it expires."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import cast
from uuid import uuid4

import psycopg
import pytest
import structlog

from adapters.embedded.servers import Urls
from adapters.runtime import Runtime, open_runtime
from adapters.settings import Settings
from adapters.worker.sweeper import KeyExpiry
from application.errors import Malformed
from application.kernel import EVERYTHING, Context, Outcome
from application.ports import Append
from domain.ids import TenantId
from domain.invoicing import DraftInvoice, InvoiceId, IssueInvoice
from tests.contracts.events import key
from tests.invoicing.examples import LINES, MAY_2, A

TIMES = 50
KEEP_SECONDS = 100.0


def context(tenant: TenantId) -> Context:
    return Context(
        tenant=tenant, actor="system", permissions=frozenset({EVERYTHING}), correlation_id="c"
    )


def draft() -> DraftInvoice:
    """Make a command as a client's retry does: with another id that we fill in."""
    return DraftInvoice(invoice=InvoiceId(str(uuid4())), lines=LINES)


async def test_one_key_in_two_processes_at_once_is_one_append(
    settings: Settings, tenant: TenantId
) -> None:
    async with open_runtime(settings) as one, open_runtime(settings) as two:
        for number in range(TIMES):
            answers = await asyncio.gather(
                *(
                    process.bus.execute(draft(), context(tenant), key=f"k{number}")
                    for process in (one, two, one, two)
                )
            )
            assert answers == [answers[0]] * 4
            assert await one.store.head(tenant) == number + 1 == answers[0].position


async def test_the_first_result_comes_from_a_process_that_is_gone(
    settings: Settings, tenant: TenantId
) -> None:
    first = draft()
    async with open_runtime(settings) as process:
        await process.bus.execute(first, context(tenant))
        issue = IssueInvoice(invoice=first.invoice, series=A, issued_on=MAY_2)
        answer = await process.bus.execute(issue, context(tenant), key="k")
    async with open_runtime(settings) as process:
        again = await process.bus.execute(issue, context(tenant), key="k")
        assert again == answer == Outcome(position=2, events=(("InvoiceIssued", 2),), ids={})
        with pytest.raises(Malformed):
            await process.bus.execute(first, context(tenant), key="k")


async def test_a_caller_that_left_finds_its_result_under_the_key(
    runtime: Runtime, tenant: TenantId
) -> None:
    for number in range(20):
        leaving = asyncio.create_task(
            runtime.bus.execute(draft(), context(tenant), key=f"k{number}")
        )
        await asyncio.sleep(number * 0.0005)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        answer = await runtime.bus.execute(draft(), context(tenant), key=f"k{number}")
        assert answer.position == number + 1
    assert await runtime.store.head(tenant) == 20


class HeldTicks:
    """A clock of ours that goes when it is told to."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


Keep = Callable[[timedelta], str]


@pytest.fixture
async def aged(runtime: Runtime, database: Urls, tenant: TenantId) -> Keep:
    """Keep a key that is as old as the test says."""

    async def append(name: str) -> None:
        await runtime.store.append(tenant, Append(events=(), keys=(key(name),)))

    names = [f"k{number}" for number in range(9)]
    for name in names:
        await append(name)

    def keep(age: timedelta) -> str:
        name = names.pop()
        with psycopg.connect(database.admin_database_url) as admin:
            admin.execute(
                "UPDATE idempotency SET recorded_at = now() - %s WHERE tenant_id = %s AND key = %s",
                (age, tenant, name),
            )
        return name

    return keep


async def is_known(runtime: Runtime, tenant: TenantId, name: str) -> bool:
    return bool((await runtime.store.look(tenant, (), [name])).results)


async def test_a_key_is_forgotten_after_its_time_and_not_before(
    runtime: Runtime, tenant: TenantId, aged: Keep
) -> None:
    ticks = HeldTicks()
    expiry = KeyExpiry(runtime.pool, KEEP_SECONDS, ticks)
    old, young = aged(timedelta(seconds=110)), aged(timedelta(seconds=60))
    assert await expiry.sweep() == 0  # Nothing to compare the clock with yet.
    ticks.at += 10
    assert await expiry.sweep() == 1
    assert not await is_known(runtime, tenant, old)
    assert await is_known(runtime, tenant, young)


@pytest.mark.parametrize("jump_seconds", [3_600, -3_600], ids=["ahead", "back"])
async def test_a_clock_that_jumps_forgets_no_key_early(
    runtime: Runtime, tenant: TenantId, aged: Keep, jump_seconds: int
) -> None:
    ticks = HeldTicks()
    expiry = KeyExpiry(runtime.pool, KEEP_SECONDS, ticks)
    await expiry.sweep()
    await expiry.sweep()
    looks_old = aged(timedelta(seconds=3_600))
    ticks.at -= jump_seconds  # The same, seen from the other side.
    with structlog.testing.capture_logs() as logs:
        assert await expiry.sweep() == 0
    (warning,) = [each for each in logs if each["event"] == "keys.clock_jumped"]
    assert abs(cast("int", warning["seconds"]) - jump_seconds) <= 5
    for _ in range(2):
        ticks.at += 45
        assert await expiry.sweep() == 0
    assert await is_known(runtime, tenant, looks_old)
    ticks.at += 45
    assert await expiry.sweep() == 1
