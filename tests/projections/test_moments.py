"""Rows as of a moment, of every kind of model; and the wait for one's own writes."""

import asyncio
import time
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from msgspec.structs import replace

from adapters.history import read_history
from adapters.postgres.models import moments
from adapters.postgres.models.moments import (
    Log,
    position_at,
    read_as_of,
    row_as_of,
    wait_for,
    wait_for_rows,
)
from adapters.postgres.models.queries import get_row
from adapters.postgres.models.versions import consumer_of
from adapters.postgres.projecting.projector import Projector
from adapters.runtime import Runtime
from application.codec import UnknownEvent
from application.errors import Forbidden, Malformed, NotFound, Unavailable
from projections.balances import CustomerBalanceRow, CustomerBalances
from projections.invoices import InvoiceRow, Invoices
from projections.kernel import ReadModel, Row
from projections.vat_book import VatBook, VatBookLineRow
from tests.privacy.conftest import Desk
from tests.projecting.office import Office
from tests.projections.conftest import append_raw

C7, MAY = "C7:EUR", "2026-05:21:EUR"
Model = type[ReadModel[Row]]


async def as_of(desk: Desk, model: object, key: str, at: int | datetime) -> Row | None:
    return await row_as_of(desk.runtime, model, desk.context, key, at)  # type: ignore[arg-type] # Of any row.


async def due(desk: Desk, at: int | datetime, key: str = C7) -> Decimal | None:
    row = await as_of(desk, CustomerBalances, key, at)
    return row.due if isinstance(row, CustomerBalanceRow) else None


async def shown(desk: Desk, model: object, position: int | None, seconds_max: float) -> None:
    """Wait for rows as the surfaces do."""
    runtime = desk.runtime
    await wait_for_rows(
        runtime.pool,
        model,  # type: ignore[arg-type] # Of any row.
        desk.context,
        position,
        seconds_max,
        store=runtime.store,
    )


async def test_a_row_that_gathers_is_seen_as_it_was(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moments, "PAGE_EVENTS", 2)
    for number in range(1, 6):
        await desk.record(str(number), "C7" if number % 2 else "C8")
    assert [await due(desk, at) for at in range(6)] == [
        None,
        Decimal("5.45"),
        Decimal("5.45"),
        Decimal("10.90"),
        Decimal("10.90"),
        Decimal("16.35"),
    ]
    assert await due(desk, 5, "C8:EUR") == Decimal("10.90")
    line = await as_of(desk, VatBook, MAY, 4)
    assert isinstance(line, VatBookLineRow)
    assert (line.base, line.tax, line.documents) == (Decimal(18), Decimal("3.80"), 4)


async def test_a_moment_is_the_last_position_before_it(desk: Desk, log: Log) -> None:
    assert await position_at(desk.runtime, desk.tenant, datetime.now(UTC)) == 0
    for number in range(1, 8):
        await desk.record(str(number))
    times = [stored.recorded_at async for stored in log.store.read(log.tenant)]
    instant = timedelta(microseconds=1)
    for place, time_ in enumerate(times, 1):
        assert await position_at(desk.runtime, desk.tenant, time_) == place
        assert await position_at(desk.runtime, desk.tenant, time_ - instant) == place - 1
    assert await position_at(desk.runtime, desk.tenant, datetime.min.replace(tzinfo=UTC)) == 0
    assert await position_at(desk.runtime, desk.tenant, datetime.now(UTC)) == 7
    assert await due(desk, times[1]) == Decimal("10.90")


async def test_what_has_not_come_yet_is_refused(desk: Desk) -> None:
    await desk.record("1")
    with pytest.raises(Malformed, match=r"^There is no position 2 yet: the log ends at 1\.$"):
        await position_at(desk.runtime, desk.tenant, 2)
    end = datetime.max.replace(tzinfo=UTC)
    with pytest.raises(Malformed, match=r"^9999-12-31T23:59:59\.999Z is in the future: now it is "):
        await position_at(desk.runtime, desk.tenant, end)
    with pytest.raises(Malformed):
        await position_at(
            desk.runtime, desk.tenant, end.replace(tzinfo=timezone(-timedelta(hours=3)))
        )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("42", 42),
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T13:00:00+01:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
    ],
)
def test_a_position_and_a_moment_are_read(text: str, expected: int | datetime) -> None:
    assert read_as_of(text) == expected


@pytest.mark.parametrize(
    "text", ["", "-1", "1.5", "٣", "9" * 19, "2026-01-31", "2026-01-31T12:00:00", "now", "\ud800"]
)
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(Malformed) as refused:
        read_as_of(text)
    assert refused.value.code == "query.bad_moment"


async def test_the_past_needs_the_permission_of_the_model(desk: Desk) -> None:
    await desk.record("1")
    nobody = Desk(desk.runtime, desk.tenant)
    nobody.context = replace(nobody.context, permissions=frozenset())
    with pytest.raises(Forbidden):
        await due(nobody, 1)


async def test_the_past_of_another_tenant_is_not_there(desk: Desk, runtime: Runtime) -> None:
    await desk.record("1")
    stranger = Desk(runtime)
    await stranger.record("1", "C9")
    assert await due(stranger, 1) is None
    assert isinstance(await as_of(desk, Invoices, "i1", 1), InvoiceRow)


@pytest.mark.parametrize("key", ["a\x00:EUR", "x" * 300, "\ud800"])
async def test_a_key_that_can_be_none_is_refused(desk: Desk, key: str) -> None:
    for model in (CustomerBalances, VatBook, Invoices):
        with pytest.raises(Malformed):
            await as_of(desk, model, key, 1)


@pytest.mark.parametrize("key", ["", ":", "C7", "EUR", "a:b:c:d", "2026-05:x:EUR"])
async def test_a_key_of_no_row_finds_none(desk: Desk, key: str) -> None:
    await desk.record("1")
    for model in (CustomerBalances, VatBook):
        assert await as_of(desk, model, key, 1) is None


async def test_an_event_of_a_newer_version_is_named_and_not_passed_over(desk: Desk) -> None:
    await desk.record("1")
    at = await append_raw(desk, "CustomerMerged", "{}", "customer_code:C7")
    await desk.record("2")
    for model, key in ((CustomerBalances, C7), (VatBook, MAY)):
        with pytest.raises(UnknownEvent) as unknown:
            await as_of(desk, model, key, at + 1)
        assert unknown.value.code == "event.unknown_type"
        assert unknown.value.message.startswith(f"Event {at} is of type CustomerMerged")
    with pytest.raises(UnknownEvent):
        await read_history(desk.runtime, desk.context, "customer-balance", C7)
    assert await due(desk, at - 1) == Decimal("5.45")  # What was before it is known.
    assert isinstance(
        await as_of(desk, Invoices, "i2", at + 1), InvoiceRow
    )  # Nor has it to do with it.


async def test_an_event_that_can_not_be_decoded_is_named_with_its_reason(desk: Desk) -> None:
    await desk.record("1")
    at = await append_raw(desk, "InvoiceRecorded", '{"invoice": 7}', "customer_code:C7")
    with pytest.raises(UnknownEvent) as unreadable:
        await due(desk, at)
    assert unreadable.value.code == "event.unreadable"
    assert unreadable.value.message.startswith(f"Event {at} (InvoiceRecorded) can't be decoded: ")
    assert await due(desk, at - 1) == Decimal("5.45")


async def test_the_history_of_a_balance_has_all_its_documents(desk: Desk) -> None:
    for number, code in (("1", "C7"), ("2", "C8"), ("3", "C7")):
        await desk.record(number, code)
    page = await read_history(desk.runtime, desk.context, "customer_balances", C7)
    assert [(entry.position, entry.type) for entry in page.entries] == [
        (1, "InvoiceRecorded"),
        (3, "InvoiceRecorded"),
    ]
    said = {change.field: (change.before, change.after) for change in page.entries[1].changes}
    assert said == {
        "invoiced": ("5.45", "10.90"),
        "documents": (1, 2),
        "due": ("5.45", "10.90"),
    }
    by_code = await read_history(desk.runtime, desk.context, "CustomerBalance", "C7")
    assert by_code.id == C7
    by_number = await read_history(desk.runtime, desk.context, "vat-book-line", "2")
    assert (by_number.id, len(by_number.entries)) == (MAY, 3)
    with pytest.raises(NotFound):
        await read_history(desk.runtime, desk.context, "CustomerBalance", "C99:EUR")


async def test_a_wait_ends_as_soon_as_the_rows_are_there(desk: Desk, runtime: Runtime) -> None:
    await desk.record("1")
    waiting = shown(desk, CustomerBalances, 1, 10)
    await asyncio.gather(waiting, Projector(runtime.pool, runtime.vault).catch_up())
    assert await get_row(runtime.pool, CustomerBalances, desk.context, C7) is not None
    await shown(desk, CustomerBalances, None, 0)


async def test_a_wait_has_an_end_and_names_the_lag(desk: Desk, runtime: Runtime) -> None:
    await desk.record("1")
    await Projector(runtime.pool, runtime.vault).catch_up()
    for number in "234":
        await desk.record(number)
    await asyncio.sleep(0.2)
    started = time.monotonic()
    with pytest.raises(Unavailable, match=r"^customer_balances is at position 1, 2 events and 0\."):
        await wait_for(runtime.pool, desk.tenant, consumer_of(CustomerBalances), 3, 0.1)
    assert time.monotonic() - started < 2
    with pytest.raises(Unavailable) as behind:
        await shown(desk, CustomerBalances, 4, 0.05)
    assert behind.value.code == "projection.behind"
    assert "3 events and" in behind.value.message
    assert behind.value.message.endswith(" s behind 4.")


async def test_nobody_waits_for_what_nobody_was_told_of(desk: Desk) -> None:
    await desk.record("1")
    started = time.monotonic()
    with pytest.raises(Malformed) as beyond:
        await shown(desk, CustomerBalances, 2, 30)
    assert time.monotonic() - started < 5
    assert (beyond.value.code, beyond.value.status) == ("query.beyond_head", 400)


async def test_who_waits_for_a_model_that_stopped_is_told_at_once(
    desk: Desk, runtime: Runtime
) -> None:
    await desk.record("1")
    await append_raw(desk, "InvoiceRecorded", "{}", "invoice:i9")
    await Projector(runtime.pool, runtime.vault).catch_up()
    started = time.monotonic()
    with pytest.raises(Unavailable) as behind:
        await shown(desk, Invoices, 2, 30)
    assert time.monotonic() - started < 5
    assert behind.value.hint == "It stopped at event 2: tell an operator."


async def test_only_who_may_read_the_rows_waits_for_them(desk: Desk, runtime: Runtime) -> None:
    nobody = replace(desk.context, permissions=frozenset())
    with pytest.raises(Forbidden):
        await wait_for_rows(runtime.pool, Invoices, nobody, 99, 30, store=runtime.store)


async def test_what_an_operator_skipped_is_left_out_of_the_past_too(runtime: Runtime) -> None:
    office = Office(runtime)
    for invoice in ("one", "two"):
        await office.draft(invoice)
    office.change(2, data="{}")
    await office.project()
    context = Desk(runtime, office.tenant).context
    with pytest.raises(UnknownEvent):
        await row_as_of(runtime, Invoices, context, "two", 2)
    await office.skip()
    assert await row_as_of(runtime, Invoices, context, "two", 2) is None
    assert await row_as_of(runtime, Invoices, context, "one", 2) is not None
    with pytest.raises(NotFound):
        await read_history(runtime, context, "invoice", "two")
