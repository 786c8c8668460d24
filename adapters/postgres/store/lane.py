"""A lane of the writer: a connection that appends one batch at a time.

No batch is appended twice or lost without a word: where the connection breaks, the database is
asked what became of the batch, and only what is known not to be there is sent again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final
from uuid import uuid4

import structlog
from psycopg import Error, OperationalError
from psycopg.errors import DeadlockDetected, DiskFull

from adapters.postgres.connections import Connection, connect, unavailable
from adapters.postgres.store.call import Answer, Batch, call, settle
from adapters.postgres.store.queue import Waiting
from application.errors import ApplicationError, Unavailable
from domain.ids import TenantId

SETTLE_SECONDS_MAX: Final = 20.0
"""How long a caller waits to learn what became of an append whose connection broke."""

RETRY_SECONDS: Final = 0.1
SETTLED_ALREADY: Final = "AS001"
FORGOTTEN: Final = "AS002"
log = structlog.get_logger()


class Lane:
    """Appends what it is given, until there is no more."""

    def __init__(
        self,
        url: str,
        fetch: Callable[[], Awaitable[list[Waiting]]],
        appended: Callable[[dict[TenantId, int]], None],
    ) -> None:
        self._url = url
        self._fetch = fetch
        self._appended = appended
        self._writer = uuid4()
        self._number = 0  # Of the last batch that was appended or settled.
        self._attempted = 0  # Of the last batch that was sent.
        self._connection: Connection | None = None

    async def run(self) -> None:
        while batch := await self._fetch():
            try:
                await self._append(batch)
            except Exception as error:
                log.exception("store.append_failed", items=len(batch))
                _fail(batch, error)
        await self._disconnect()

    async def _append(self, items: list[Waiting]) -> None:
        while items:
            batch = Batch(items)
            try:
                answer = await self._answer(batch)
            except ApplicationError as error:
                _fail(items, error)
                return
            except OperationalError as error:
                _fail(items, _no_room() if isinstance(error, DiskFull) else unavailable(error))
                return
            except (Error, ValueError) as error:  # The latter where a text is not even UTF-8.
                await self._append_singly(items, error)
                return
            if not answer.refused:
                self._appended(batch.ends(answer.heads))
                _resolve(items, batch.bases(answer.heads))
                return
            for place, refusal in answer.refused.items():
                _fail([items[place]], refusal)
            items = [item for n, item in enumerate(items) if n not in answer.refused]

    async def _append_singly(self, items: list[Waiting], error: Exception) -> None:
        """Find the item that PostgreSQL can't take: the others need not suffer for it."""
        if len(items) == 1:
            log.error("store.append_failed", items=1, error=type(error).__name__)
            _fail(items, error)
            return
        for item in items:
            await self._append([item])

    async def _answer(self, batch: Batch) -> Answer:
        """Append or be refused; come back from a lost connection with the truth."""
        while True:
            connection = await self._connected()
            self._attempted = self._number + 1
            try:
                answer = await call(connection, self._writer, self._attempted, batch)
            except DeadlockDetected:
                continue  # Rolled back, and the other one goes on.
            except Error as error:
                if not connection.closed:
                    if error.sqlstate != SETTLED_ALREADY:
                        raise  # The server says no and has rolled back: nothing is in doubt.
                    await self._begin_anew()
                    continue
                log.warning("store.connection_lost", error=type(error).__name__)
                heads = await self._settled()
                if heads is not None:
                    return Answer(heads=heads, refused={})
                continue
            if not answer.refused:
                self._number = self._attempted
            return answer

    async def _settled(self) -> list[int] | None:
        """Ask what became of the batch that was sent last, until PostgreSQL answers.

        Raises:
            Unavailable: It does not come back in time, or has forgotten; so nobody knows.

        """
        deadline = monotonic() + SETTLE_SECONDS_MAX
        while True:
            try:
                return await self._connect()
            except _Forgotten:
                raise _outcome_unknown() from None
            except (Unavailable, OperationalError):
                if monotonic() > deadline:
                    raise _outcome_unknown() from None
                await asyncio.sleep(RETRY_SECONDS)

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            try:
                await self._connect()
            except _Forgotten:  # Nothing is in doubt: callers were told of the last batch.
                await self._connect()
        assert self._connection is not None, "Connecting raises where it fails."
        return self._connection

    async def _connect(self) -> list[int] | None:
        """Connect anew and settle the last batch: from then on it is in the log, or never."""
        await self._disconnect()
        connection = await connect(self._url)
        try:
            heads = await settle(connection, self._writer, self._attempted)
        except BaseException as error:
            await connection.close()
            if isinstance(error, Error) and error.sqlstate == FORGOTTEN:
                await self._begin_anew()
                raise _Forgotten from None
            raise
        self._number = self._attempted
        self._connection = connection
        return heads

    async def _begin_anew(self) -> None:
        """Be another writer, as nothing is known of this one any more."""
        await self._disconnect()
        self._writer, self._number, self._attempted = uuid4(), 0, 0

    async def _disconnect(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None


class _Forgotten(Exception):
    """The database knows nothing of this writer."""


def _outcome_unknown() -> Unavailable:
    return Unavailable(
        "store.outcome_unknown",
        "PostgreSQL was lost while it appended, and is not back to say whether it did.",
        hint="Ask again under the same idempotency key: nothing is then done twice.",
    )


def _no_room() -> Unavailable:
    return Unavailable(
        "store.no_room",
        "The disk of PostgreSQL is full.",
        hint="Nothing was written. Make room there, then ask again.",
    )


def _resolve(items: list[Waiting], bases: list[int]) -> None:
    for item, base in zip(items, bases, strict=True):
        if not item.future.done():  # Its caller may have stopped waiting.
            item.future.set_result(base)


def _fail(items: list[Waiting], error: Exception) -> None:
    for item in items:
        if not item.future.done():
            item.future.set_exception(error)
