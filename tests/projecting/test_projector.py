"""The projector on a real log: each reader takes each event once; one that fails stops alone."""

import asyncio

import psycopg
import pytest

from adapters.postgres.connections import Connection, tenant_transaction
from adapters.postgres.models.versions import consumer_of, table_name
from adapters.postgres.projecting.cursors import Cursor, Move, claim, move
from adapters.postgres.projecting.folding import Folded
from adapters.postgres.projecting.lookout import Lookout
from adapters.postgres.projecting.news import BATCH_EVENTS
from adapters.postgres.projecting.projector import Projector
from application import codec
from application.ports import Append, NewEvent
from domain.ids import TenantId
from domain.invoicing import InvoiceRecorded
from domain.kernel import Event
from projections.invoices import InvoiceRow, Invoices
from projections.jobs import Jobs
from tests.privacy.conftest import Desk


class SomethingNewer(Event):
    """What a later version appends. It is no event of the domain until a test says so."""


INVOICES, JOBS = consumer_of(Invoices), consumer_of(Jobs)


class Heard:
    """A consumer that notes what it was called for."""

    name = "test.heard"

    def __init__(self, *types: str) -> None:
        self.types = types
        self.calls: list[tuple[int, int]] = []

    async def __call__(
        self, _connection: Connection, _tenant: TenantId, after: int, head: int
    ) -> Folded:
        self.calls.append((after, head))
        return Folded(position=head, events=0)


async def cursors(desk: Desk) -> dict[str, tuple[int, int | None, str | None]]:
    async with tenant_transaction(desk.runtime.pool, desk.tenant) as connection:
        found = await connection.execute(
            "SELECT projection, position, failed_position, error FROM projection_cursor"
        )
        return {name: (at, failed, error) for name, at, failed, error in await found.fetchall()}


async def numbers(desk: Desk) -> list[str]:
    async with tenant_transaction(desk.runtime.pool, desk.tenant) as connection:
        found = await connection.execute(
            f"SELECT number FROM {table_name(Invoices)} ORDER BY number".encode()
        )
        return [number for (number,) in await found.fetchall()]


async def write(desk: Desk, name: str, data: str = "{}") -> None:
    """Append an event that no command of this code makes."""
    event = NewEvent(type=name, tags=(), data=data, actor="a", correlation_id="c", causation_id="d")
    await desk.runtime.store.append(desk.tenant, Append(events=(event,)))


async def test_every_reader_of_a_log_is_driven_to_its_head(desk: Desk) -> None:
    await desk.record("1")
    done = await desk.record("2")
    projector = Projector(desk.runtime.pool, desk.runtime.vault)
    assert await projector.advance(desk.tenant)
    assert {at for at, _, _ in (await cursors(desk)).values()} == {done.position}
    assert await numbers(desk) == ["1", "2"]
    assert not await projector.advance(desk.tenant)


async def test_a_consumer_is_called_for_its_events_and_moved_past_others(desk: Desk) -> None:
    heard, deaf = Heard("InvoiceRecorded"), Heard("JobQueued")
    deaf.name = "test.deaf"
    done = await desk.record("1")
    await Projector(desk.runtime.pool, desk.runtime.vault, [heard, deaf]).advance(desk.tenant)
    assert heard.calls == [(0, done.position)]
    assert deaf.calls == []
    assert (await cursors(desk))["test.deaf"][0] == done.position


async def test_a_model_that_fails_stops_alone_and_says_where(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply = Invoices.apply

    def failing(row: InvoiceRow | None, event: InvoiceRecorded) -> InvoiceRow | None:
        if event.number == "2":
            raise ValueError("no such thing")
        return apply(row, event)

    first, second = await desk.record("1"), await desk.record("2")
    await desk.record("3")
    monkeypatch.setattr(Invoices, "apply", staticmethod(failing))
    projector = Projector(desk.runtime.pool, desk.runtime.vault)
    await projector.advance(desk.tenant)
    found = await cursors(desk)
    at, failed, error = found[INVOICES]
    assert (at, failed) == (second.position - 1, second.position)
    assert error is not None
    assert error.startswith(f"Event {second.position}: ValueError: in test_projector.py:")
    assert {place for name, (place, _, _) in found.items() if name != INVOICES} == {
        second.position + (second.position - first.position)
    }
    assert await numbers(desk) == ["1"]


async def test_an_event_of_a_newer_version_stops_every_model_until_it_is_known(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = await desk.record("1")
    await write(desk, "SomethingNewer")
    await desk.record("2")
    projector = Projector(desk.runtime.pool, desk.runtime.vault)
    await projector.advance(desk.tenant)
    at, failed, error = (await cursors(desk))[INVOICES]
    assert (at, failed) == (done.position, done.position + 1)
    assert error is not None
    assert error.startswith("projection.unknown_event: ")
    assert "SomethingNewer" in error
    assert (await cursors(desk))[JOBS][0] == done.position

    known = codec.event_types()
    monkeypatch.setattr(codec, "event_types", lambda: {**known, "SomethingNewer": SomethingNewer})
    await projector.catch_up()
    assert await numbers(desk) == ["1", "2"]
    assert (await cursors(desk))[INVOICES][2] is None


async def test_an_event_that_can_not_be_decoded_stops_those_who_understand_it(desk: Desk) -> None:
    done = await desk.record("1")
    await write(desk, "InvoiceRecorded", '{"invoice": 7}')
    await Projector(desk.runtime.pool, desk.runtime.vault).advance(desk.tenant)
    found = await cursors(desk)
    assert found[INVOICES][1] == done.position + 1
    assert "can't be decoded" in str(found[INVOICES][2])
    assert found[JOBS] == (done.position + 1, None, None)


async def test_one_that_is_far_behind_holds_nobody_up(desk: Desk) -> None:
    await desk.record("1")
    projector = Projector(desk.runtime.pool, desk.runtime.vault)
    await projector.advance(desk.tenant)
    for _ in range(BATCH_EVENTS // 100 + 1):
        event = NewEvent(
            type="JobQueued",
            tags=(),
            data='{"job": "j", "kind": "k", "subject": "s"}',
            actor="a",
            correlation_id="c",
            causation_id="d",
        )
        await desk.runtime.store.append(desk.tenant, Append(events=(event,) * 100))
    async with tenant_transaction(desk.runtime.pool, desk.tenant) as connection:
        await connection.execute(
            "UPDATE projection_cursor SET position = 0 WHERE projection = %s", (INVOICES,)
        )
    await projector.advance(desk.tenant)
    assert len({at for at, _, _ in (await cursors(desk)).values()}) == 1


async def test_two_that_both_think_they_hold_a_cursor_can_not_both_move_it(desk: Desk) -> None:
    await desk.record("1")
    stale = Cursor(tenant=desk.tenant, name=INVOICES, position=0, error=None)
    await Projector(desk.runtime.pool, desk.runtime.vault).advance(desk.tenant)
    with pytest.raises(psycopg.errors.NotNullViolation):
        async with tenant_transaction(desk.runtime.pool, desk.tenant) as connection:
            await move(connection, desk.tenant, [Move(cursor=stale, reached=1)])


async def test_what_another_process_holds_is_left_to_it(desk: Desk) -> None:
    pool = desk.runtime.pool
    projector = Projector(pool, desk.runtime.vault)
    await desk.record("1")
    await projector.advance(desk.tenant)
    await desk.record("2")
    names = [INVOICES, JOBS]
    async with tenant_transaction(pool, desk.tenant) as connection:
        held, _ = await claim(connection, desk.tenant, names)
        assert len(held) == len(names)
        async with asyncio.timeout(10):
            await projector.advance(desk.tenant)
        assert await numbers(desk) == ["1"]
    assert await projector.advance(desk.tenant)
    assert await numbers(desk) == ["1", "2"]


async def test_a_look_costs_one_sum_while_all_growth_was_told(desk: Desk) -> None:
    names = [INVOICES]
    lookout = Lookout(desk.runtime.pool, names, [])
    await lookout.looked()
    assert not await lookout.has_news()
    done = await desk.record("1")
    lookout.saw(desk.tenant, done.position, 0)
    assert not await lookout.has_news()
    await desk.record("2")
    assert await lookout.has_news()
