"""Queries in one round trip: whose rows are seen, then each statement, prepared once a connection.

What libpq sends as a pipeline up to one sync is one transaction, so that the tenant that is set
for it holds for the statements behind and for nothing else. psycopg's own pipeline does the same
with three times the work, most of it in waiting; so this speaks to libpq itself.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from itertools import count
from typing import Final
from weakref import WeakKeyDictionary

import structlog
from msgspec import Struct
from psycopg import OperationalError
from psycopg.errors import InvalidSqlStatementName, error_from_result
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from adapters.postgres.connections import Connection, Pool, lend, statement_milliseconds
from domain.ids import TenantId

SEE: Final = b"""
SELECT set_config('app.tenant_id', $1, true), set_config('statement_timeout', $2, true)
"""
NAMES_MAX: Final = 500
"""Statements that are known by a name: the last that came again."""

LOOK_SECONDS: Final = 0.05
"""How often a socket is looked at of which nothing is heard."""

PREPARED_MAX: Final = 1_000
"""What a connection may hold of them, and of those that were forgotten, before it is closed."""

log = structlog.get_logger()
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
            at += _send_one(connection, SEE, [query.tenant.encode(), milliseconds])
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
    arriving = _Arriving(libpq, asyncio.get_running_loop())
    try:
        arriving.begin()
        await arriving.all
    finally:
        arriving.end()
    return arriving.results


class _Arriving:
    """Results as they come, up to the sync. Whoever waits is woken once, when all are there.

    Should nothing be heard of the socket, it is looked at from time to time. Where requests are
    given up by the dozen, a loop was seen to lose sight of sockets that others use.
    """

    def __init__(self, libpq: PGconn, loop: asyncio.AbstractEventLoop) -> None:
        self._libpq = libpq
        self._loop = loop
        self._socket: int | None = libpq.socket
        self._looking: asyncio.TimerHandle | None = None
        self.all: asyncio.Future[None] = loop.create_future()
        self.results: list[PGresult] = []

    def begin(self) -> None:
        """Watch the socket. To send may have meant to read already."""
        self._watch()
        self.write()
        if not self.all.done() and self._take():
            self.all.set_result(None)

    def end(self) -> None:
        """Watch the socket no longer. Once is enough: its number may be another's by then."""
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._socket = None
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    def read(self) -> None:
        """Take in what came; where the wait was given up meanwhile, do nothing."""
        if self.all.done():
            return
        try:
            self._libpq.consume_input()
            if self._take():
                self.all.set_result(None)
        except Exception as error:  # noqa: BLE001 - it is whose who waits.
            self._fail(error)

    def write(self) -> None:
        """Send on. The server, whose answers are read meanwhile, goes on as well."""
        if self.all.done() or self._socket is None:
            return
        try:
            if self._libpq.flush():
                self._loop.add_writer(self._socket, self.write)
            else:
                self._loop.remove_writer(self._socket)
        except Exception as error:  # noqa: BLE001 - as above.
            self._fail(error)

    def _watch(self) -> None:
        if self._socket is not None:
            self._loop.add_reader(self._socket, self.read)
            self._looking = self._loop.call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """Take in what nobody told us of, and watch anew."""
        before = len(self.results)
        self.read()
        if self.all.done() or len(self.results) > before:
            log.debug("at_once.overlooked", results=len(self.results))
        if not self.all.done() and self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._watch()

    def _fail(self, error: Exception) -> None:
        # libpq has closed the socket; before anybody else runs, the loop must let go of it.
        self.end()
        self.all.set_exception(error)

    def _take(self) -> bool:
        ended = False
        while not self._libpq.is_busy():
            result = self._libpq.get_result()
            if result is None and ended:
                raise OperationalError("The connection has no more to say.")
            ended = result is None
            if result is None:
                continue  # Between one statement's result and the next one's.
            if result.status == ExecStatus.PIPELINE_SYNC:
                return True
            self.results.append(result)
        return False
