"""A connection that breaks at each point of an append: the caller learns what became of it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from psycopg import conninfo

from adapters.audit.log import verify
from adapters.embedded.servers import Urls
from adapters.postgres.connections import make_pool
from adapters.postgres.store import lane
from adapters.postgres.store.event_store import PostgresEventStore
from application.errors import Unavailable
from application.ports import (
    Append,
    AppendConflict,
    KeyedResult,
    KeyRepeated,
    NewEvent,
    QueryItem,
)
from domain.ids import TenantId
from tests.faults.proxy import SETTLE, Point, Proxy

TOGETHER = 20
ANY_EVENT = (QueryItem(),)


def noted(data: str = "{}", *, key: str | None = None, after: int | None = None) -> Append:
    event = NewEvent(
        type="Noted",
        tags=("thing:1",),
        data=data,
        actor="system",
        correlation_id="",
        causation_id="",
    )
    return Append(
        events=(event,),
        boundary=() if after is None else ANY_EVENT,
        after=after or 0,
        keys=() if key is None else (KeyedResult(key=key, fingerprint="f", result=key),),
    )


class Line:
    """A store at the end of a line that breaks."""

    def __init__(self, store: PostgresEventStore, proxy: Proxy, database: Urls) -> None:
        self.store = store
        self.proxy = proxy
        self.tenant = TenantId(str(uuid4()))
        self._database = database

    async def append(self, append: Append) -> int:
        return await self.store.append(self.tenant, append)

    def log(self) -> list[str]:
        """Return what the log holds, which is contiguous and verified."""
        assert verify(self._database.database_url, self.tenant).ok
        with psycopg.connect(self._database.admin_database_url) as connection:
            found = connection.execute(
                "SELECT data FROM event WHERE tenant_id = %s ORDER BY position", (self.tenant,)
            )
            return [row[0] for row in found]


@pytest.fixture
async def line(database: Urls) -> AsyncIterator[Line]:
    given = conninfo.conninfo_to_dict(database.database_url)
    host, port = str(given.get("host", "127.0.0.1")), int(given.get("port") or 5432)
    async with Proxy(port, target_host=host, silence_seconds=0.3) as proxy:
        url = conninfo.make_conninfo(database.database_url, host="127.0.0.1", port=proxy.port)
        pool = make_pool(url, size_max=2)
        async with pool, PostgresEventStore(pool, url, announce) as store:
            opened = Line(store, proxy, database)
            assert await opened.append(noted("0")) == 0
            yield opened


def forget(database: Urls) -> None:
    """Let a week go by, as the server sees it, and another writer begin."""
    with psycopg.connect(database.admin_database_url, autocommit=True) as admin:
        admin.execute("UPDATE append_writer SET used_at = used_at - %s", (timedelta(days=8),))
        admin.execute("SELECT settle_writer_v1(gen_random_uuid(), 0)")


async def announce(_heads: dict[TenantId, int]) -> None:
    """Nobody listens."""


@pytest.mark.parametrize("point", Point)
async def test_an_append_whose_connection_breaks_is_there_once(line: Line, point: Point) -> None:
    line.proxy.arm(point)
    assert await line.append(noted("1")) == 1
    assert line.proxy.broken[point] == 1
    assert line.log() == ["0", "1"]


@pytest.mark.parametrize("point", [Point.BEFORE_SEND, Point.BEFORE_REPLY])
@pytest.mark.parametrize("then", Point)
async def test_a_connection_that_breaks_again_while_it_asks_is_asked_again(
    line: Line, point: Point, then: Point
) -> None:
    line.proxy.arm(point)
    line.proxy.arm(then, SETTLE)
    assert await line.append(noted("1")) == 1
    assert (line.proxy.broken[point], line.proxy.broken[then]) in {(1, 1), (2, 2)}
    assert line.log() == ["0", "1"]


@pytest.mark.parametrize("point", Point)
async def test_every_caller_of_a_broken_batch_gets_its_own_position(
    line: Line, point: Point
) -> None:
    line.proxy.arm(point)
    bases = await asyncio.gather(*(line.append(noted(str(n))) for n in range(1, TOGETHER)))
    log = line.log()
    assert sorted(bases) == list(range(1, TOGETHER))
    assert [log[base] for base in bases] == [str(n) for n in range(1, TOGETHER)]


@pytest.mark.parametrize("point", Point)
async def test_a_conflict_is_a_conflict_though_the_first_answer_was_lost(
    line: Line, point: Point
) -> None:
    line.proxy.arm(point)
    with pytest.raises(AppendConflict):
        await line.append(noted("1", after=0))
    assert line.log() == ["0"]


@pytest.mark.parametrize("point", Point)
async def test_an_append_does_not_conflict_with_itself(line: Line, point: Point) -> None:
    line.proxy.arm(point)
    assert await line.append(noted("1", key="k", after=1)) == 1
    with pytest.raises(KeyRepeated):
        await line.append(noted("1", key="k", after=1))
    assert line.log() == ["0", "1"]


async def test_an_append_that_hangs_on_a_lost_connection_never_comes_after_its_repeat(
    line: Line, database: Urls
) -> None:
    with psycopg.connect(database.admin_database_url) as admin:
        admin.execute("LOCK TABLE log_head IN EXCLUSIVE MODE")
        waiting = asyncio.create_task(line.append(noted("1")))
        await asyncio.sleep(0.3)
        line.proxy.cut_all()
        await asyncio.sleep(0.3)
        assert not waiting.done()
    assert await waiting == 1
    assert await line.append(noted("2")) == 2
    assert line.log() == ["0", "1", "2"]


async def test_where_nobody_can_be_asked_the_caller_is_told_that_it_is_not_known(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "SETTLE_SECONDS_MAX", 0.3)
    server, line.proxy.target_port = line.proxy.target_port, 1
    line.proxy.arm(Point.BEFORE_REPLY)
    with pytest.raises(Unavailable) as unknown:
        await line.append(noted("1", key="k"))
    assert unknown.value.code == "store.outcome_unknown"
    line.proxy.target_port = server
    with pytest.raises(KeyRepeated):
        await line.append(noted("1", key="k"))
    assert await line.append(noted("2")) == 2
    assert line.log() == ["0", "1", "2"]


async def test_where_no_connection_can_be_had_nothing_was_written(
    line: Line, database: Urls
) -> None:
    nowhere = conninfo.make_conninfo(database.database_url, port=1)
    pool = make_pool(database.database_url, size_max=1)
    async with pool, PostgresEventStore(pool, nowhere, announce) as store:
        with pytest.raises(Unavailable) as away:
            await store.append(line.tenant, noted("1"))
    assert away.value.code == "database.unavailable"
    assert line.log() == ["0"]


async def test_a_writer_that_was_forgotten_while_it_did_nothing_goes_on(
    line: Line, database: Urls
) -> None:
    forget(database)
    assert await line.append(noted("1")) == 1
    assert await line.append(noted("2")) == 2
    assert line.log() == ["0", "1", "2"]


async def test_a_ledger_that_is_gone_is_no_proof_that_nothing_was_written(
    line: Line, database: Urls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that jumps a week ahead lets another writer take the row for forgotten."""
    monkeypatch.setattr(lane, "SETTLE_SECONDS_MAX", 5.0)
    server, line.proxy.target_port = line.proxy.target_port, 1
    line.proxy.arm(Point.BEFORE_REPLY)
    waiting = asyncio.create_task(line.append(noted("1")))
    await asyncio.sleep(0.3)
    forget(database)
    line.proxy.target_port = server
    with pytest.raises(Unavailable) as unknown:
        await waiting
    assert unknown.value.code == "store.outcome_unknown"
    assert line.log() == ["0", "1"]
