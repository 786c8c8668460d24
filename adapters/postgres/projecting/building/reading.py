"""The events of a part of a log, as PostgreSQL sends them by COPY: read, opened, ready to fold.

What is sealed is opened as everywhere; where nothing is, nobody is asked for keys.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from struct import Struct as Layout
from typing import Any, Final, LiteralString

from msgspec import MsgspecError
from psycopg import sql

from adapters.postgres.copied import copied_rows
from adapters.postgres.projecting.building.ledger import Piece
from adapters.postgres.projecting.building.task import SyncConnection, Task
from adapters.postgres.projecting.folding import stored_names
from adapters.postgres.projecting.news import FoldingFailed
from application import codec
from application.vault import MARK, Vault
from domain.kernel import Event, Retired, today

CHUNK_EVENTS: Final = 1_000
HEADER: Final = Layout(">hiqi")
LENGTH_BYTES: Final = 4
SEALED: Final = MARK.encode()

ALL: LiteralString = """
COPY (
    SELECT position, type, data FROM event
    WHERE tenant_id = {tenant} AND type = ANY ({types}) AND position <= {until}
    ORDER BY position
) TO STDOUT (FORMAT binary)
"""
TAGGED: LiteralString = """
COPY (
    SELECT e.position, e.type, e.data FROM event_tag AS t
    JOIN event AS e ON e.tenant_id = {tenant} AND e.position = t.position
    WHERE t.tenant_id = {tenant} AND t.tag >= {first} AND t.tag < {last}
      AND t.type = ANY ({types}) AND t.position <= {until}
    ORDER BY t.position
) TO STDOUT (FORMAT binary)
"""
# The events of some tags are looked up one by one: any other way reads the whole log each time.
ONE_BY_ONE: LiteralString = """
SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_seqscan = off;
SET max_parallel_workers_per_gather = 0; SET jit = off
"""


class Reader:
    """Reads the events that one model understands."""

    def __init__(
        self, connection: SyncConnection, task: Task, vault: Vault, runner: asyncio.Runner
    ) -> None:
        self._connection = connection
        self._model = task.model
        self._types = sorted(stored_names(task.model))
        self._vault = vault
        self._runner = runner
        kinds = codec.event_types()
        self._decoders: dict[bytes, tuple[Callable[[bytes], Event], bool]] = {
            name.encode(): (codec.decoder_of(kinds[name]).decode, issubclass(kinds[name], Retired))
            for name in self._types
        }
        connection.execute(ONE_BY_ONE)

    def read(
        self, piece: Piece, skipped: Collection[int] = ()
    ) -> Iterator[Sequence[tuple[int, Event]]]:
        """Give the events of *piece* in their order, some at a time.

        Raises:
            FoldingFailed: One of them can't be read.

        """
        rows = copied_rows(self._connection, self._statement(piece))
        while chunk := list(islice(rows, CHUNK_EVENTS)):
            events, sealed = self._decoded(chunk, skipped)
            yield self._opened(piece, events) if sealed else events

    def _decoded(
        self, rows: Sequence[bytes], skipped: Collection[int]
    ) -> tuple[list[tuple[int, Event]], bool]:
        """Read some rows; tell whether there is something to be opened in them.

        What was left out may be so as nobody can read it.
        """
        events: list[tuple[int, Event]] = []
        header, text_at, decoders = HEADER.unpack_from, HEADER.size, self._decoders
        sealed = False
        for row in rows:
            _, _, position, length = header(row)
            if position in skipped:
                continue
            end = text_at + length
            decode, retired = decoders[row[text_at:end]]
            data = row[end + LENGTH_BYTES :]
            try:
                event = decode(data)
            except MsgspecError as error:
                raise FoldingFailed(position, error, code="event.unreadable") from error
            if SEALED in data:
                sealed = True
            elif retired:
                event = today(event)
            events.append((position, event))
        return events, sealed

    def _opened(self, piece: Piece, written: list[tuple[int, Event]]) -> list[tuple[int, Event]]:
        """Open what is sealed; the keys of all are fetched at once."""
        opener = self._runner.run(
            self._vault.opener(piece.tenant, (event for _, event in written), erased=0)
        )
        opened: list[tuple[int, Event]] = []
        for position, event in written:
            try:
                opened.append((position, opener(event)))
            except Exception as error:
                raise FoldingFailed(position, error) from error
        return opened

    def _statement(self, piece: Piece) -> sql.Composed:
        fields: dict[str, Any] = {  # Any: literals of several types.
            "tenant": sql.Literal(piece.tenant),
            "types": sql.Literal(self._types),
            "until": sql.Literal(piece.position),
        }
        if piece.tag_from is None:
            return sql.SQL(ALL).format(**fields)
        first = piece.tag_from or f"{self._model.key}:"
        last = piece.tag_until or f"{self._model.key};"
        return sql.SQL(TAGGED).format(first=sql.Literal(first), last=sql.Literal(last), **fields)
