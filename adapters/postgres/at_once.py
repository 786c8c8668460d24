"""Queries in one round trip: whose rows are seen, then each statement, prepared once a connection.

What libpq sends as a pipeline up to one sync is one transaction, so that the tenant that is set
for it holds for the statements behind and for nothing else. psycopg's own pipeline does the same
with three times the work, most of it in waiting; so this speaks to libpq itself.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from itertools import count
from typing import Final, LiteralString
from weakref import WeakKeyDictionary

from msgspec import Struct
from psycopg.errors import InvalidSqlStatementName, error_from_result
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from adapters.postgres.connections import Connection, Pool, lend, statement_milliseconds
from domain.ids import TenantId

SEE: LiteralString = """
SELECT set_config('app.tenant_id', $1, true), set_config('statement_timeout', $2, true)
"""
NAMES_MAX: Final = 500
"""Statements that are known by a name: the last that came again."""

PREPARED_MAX: Final = 1_000
"""What a connection may hold of them, and of those that were forgotten, before it is closed."""

_names: OrderedDict[bytes, bytes | None] = OrderedDict()  # None: it came once.
_numbers = count()
_prepared: WeakKeyDictionary[Connection, set[bytes]] = WeakKeyDictionary()
_DONE: Final = frozenset({ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK})


class Query(Struct, frozen=True):
    """A statement for the rows of one tenant; its parameters are ``$1`` and so on, as texts."""

    tenant: TenantId
    text: bytes
    parameters: Sequence[bytes | None] = ()


async def ask_at_once(pool: Pool, queries: Sequence[Query]) -> list[PGresult]:
    """Run queries in one transaction, and return what each found.

    Raises:
        Unavailable: PostgreSQL does not answer.
        psycopg.Error: It refuses a statement.

    """
    async with lend(pool) as connection:
        try:
            try:
                results = await _ask(connection, queries)
            except InvalidSqlStatementName:
                # psycopg lets go of all that is prepared, ours too, after a ROLLBACK of its own.
                _prepared.pop(connection)
                results = await _ask(connection, queries)
            if len(_prepared[connection]) > PREPARED_MAX:
                await connection.close()
        except BaseException:
            # What was sent may still be running, and what was prepared is not known.
            await connection.close()
            raise
    return results


async def _ask(connection: Connection, queries: Sequence[Query]) -> list[PGresult]:
    connection.pgconn.enter_pipeline_mode()
    kept = _send(connection, queries)
    results = await _results(connection.pgconn)
    connection.pgconn.exit_pipeline_mode()
    refused = next((each for each in results if each.status not in _DONE), None)
    if refused is not None:
        raise error_from_result(refused)
    return [results[at] for at in kept]


def _send(connection: Connection, queries: Sequence[Query]) -> list[int]:
    """Send everything; return which of the results are those of the queries."""
    kept, at, seen = [], 0, None
    milliseconds = b"%d" % statement_milliseconds()
    _prepared.setdefault(connection, set())
    for query in queries:
        if query.tenant != seen:
            at += _send_one(connection, SEE.encode(), [query.tenant.encode(), milliseconds])
            seen = query.tenant
        at += _send_one(connection, query.text, query.parameters)
        kept.append(at - 1)
    connection.pgconn.pipeline_sync()
    return kept


def _send_one(connection: Connection, text: bytes, parameters: Sequence[bytes | None]) -> int:
    """Send a statement, and return how many results it brings."""
    libpq, name = connection.pgconn, _name_of(text)
    if name is None:
        libpq.send_query_params(text, parameters)
        return 1
    prepared = _prepared[connection]
    if name in prepared:
        libpq.send_query_prepared(name, parameters)
        return 1
    libpq.send_prepare(name, text)
    libpq.send_query_prepared(name, parameters)
    prepared.add(name)
    return 2


def _name_of(text: bytes) -> bytes | None:
    """Return the name under which a statement is prepared; None where it never came before."""
    if text not in _names:
        _names[text] = None
        while len(_names) > NAMES_MAX:
            _names.popitem(last=False)
        return None
    name = _names[text] or b"at_once_%d" % next(_numbers)
    _names[text] = name
    _names.move_to_end(text)
    return name


async def _results(libpq: PGconn) -> list[PGresult]:
    """Wait for everything that was sent; what stands behind a statement that fails is left out."""
    waiting = _Waiting(libpq.socket)
    results: list[PGresult] = []
    try:
        while libpq.flush():
            await waiting.to_write()
            libpq.consume_input()  # Or the server, whose answers nobody takes, would not go on.
        while True:
            while libpq.is_busy():
                await waiting.to_read()
                libpq.consume_input()
            result = libpq.get_result()
            if result is None:
                continue  # Between one statement's result and the next one's.
            if result.status == ExecStatus.PIPELINE_SYNC:
                return results
            results.append(result)
    finally:
        waiting.end()


class _Waiting:
    """Waits for one socket, and is registered for reading while it lasts."""

    def __init__(self, socket: int) -> None:
        self._socket = socket
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] | None = None
        self._reads = False

    async def to_read(self) -> None:
        if not self._reads:
            self._loop.add_reader(self._socket, self._wake)
            self._reads = True
        self._ready = self._loop.create_future()
        await self._ready

    async def to_write(self) -> None:
        self._loop.add_writer(self._socket, self._wake)
        try:
            await self.to_read()
        finally:
            self._loop.remove_writer(self._socket)

    def _wake(self) -> None:
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(None)

    def end(self) -> None:
        if self._reads:
            self._loop.remove_reader(self._socket)
