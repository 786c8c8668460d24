"""The events of a part of a log, as PostgreSQL sends them by COPY: read, opened, ready to fold.

What is sealed is opened as everywhere; where nothing is, nobody is asked for keys.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain, islice
from struct import Struct as Layout
from typing import Any, Final, LiteralString, NamedTuple, TypeAlias

from msgspec import MsgspecError, defstruct
from msgspec.json import Decoder
from psycopg import sql

from adapters.postgres.copied import copied_rows
from adapters.postgres.projecting.building.ledger import Piece
from adapters.postgres.projecting.building.task import SyncConnection, Task
from adapters.postgres.projecting.folding import stored_names
from adapters.postgres.projecting.news import FoldingFailed
from application import codec
from application.vault import MARK, Vault
from domain.kernel import Event, Retired, today
from projections.kernel import ReadModel

CHUNK_EVENTS: Final = 100
"""Events that are decoded, opened and folded together: few enough for the caches of a core. With
a thousand it takes twice as long."""

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


_Stored: TypeAlias = tuple[int, bytes, bytes]
"""The position of an event, its type and its data."""


class _Kind(NamedTuple):
    """What reads the events of a type: all of it, or as much as names its row."""

    event: Decoder[Event]
    key: Decoder[Any]  # Any: a struct of one field, made here.

    @classmethod
    def of(cls, name: str, model: type[ReadModel[Any]]) -> "_Kind":  # Any: of any row.
        kind = codec.event_types()[name]
        whole = codec.decoder_of(kind)
        if issubclass(kind, Retired):
            return cls(whole, whole)  # Another field may name the row by now.
        return cls(whole, Decoder(defstruct("Key", [(model.key, str)])))


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
        self._kinds = {name.encode(): _Kind.of(name, task.model) for name in self._types}
        connection.execute(ONE_BY_ONE)

    def read(
        self, piece: Piece, skipped: Collection[int] = ()
    ) -> Iterator[Sequence[tuple[int, Event]]]:
        """Give the events of *piece* in their order, some at a time.

        Raises:
            FoldingFailed: One of them can't be read.

        """
        stored = self._stored(piece, skipped)
        while some := list(islice(stored, CHUNK_EVENTS)):
            yield self._ready(piece, some)

    def read_by_row(
        self, piece: Piece, skipped: Collection[int] = ()
    ) -> Iterator[Sequence[tuple[int, Event]]]:
        """Give the events of *piece*, those of some rows at a time: all of a row, in their order.

        Until their row's turn comes they wait as they were sent, which takes the least memory.

        Raises:
            FoldingFailed: One of them can't be read.

        """
        by_row: defaultdict[str, list[_Stored]] = defaultdict(list)
        for stored in self._stored(piece, skipped):
            by_row[self._key_of(stored)].append(stored)
        rows = iter(by_row.values())
        while some := list(islice(rows, CHUNK_EVENTS)):
            yield self._ready(piece, chain.from_iterable(some))

    def _stored(self, piece: Piece, skipped: Collection[int]) -> Iterator[_Stored]:
        """Give the events as they are stored; what was left out may be so as nobody can read it."""
        header, text_at = HEADER.unpack_from, HEADER.size
        for row in copied_rows(self._connection, self._statement(piece)):
            _, _, position, length = header(row)
            if position not in skipped:
                end = text_at + length
                yield position, row[text_at:end], row[end + LENGTH_BYTES :]

    def _key_of(self, stored: _Stored) -> str:
        position, name, data = stored
        kind = self._kinds[name]
        try:
            return str(getattr(today(kind.key.decode(data)), self._model.key))
        except MsgspecError as error:
            raise _unreadable(position, name, error) from error

    def _ready(self, piece: Piece, stored: Iterable[_Stored]) -> Sequence[tuple[int, Event]]:
        """Decode events, and open what is sealed in them."""
        events: list[tuple[int, Event]] = []
        sealed = False
        for position, name, data in stored:
            try:
                event = self._kinds[name].event.decode(data)
            except MsgspecError as error:
                raise _unreadable(position, name, error) from error
            sealed = sealed or SEALED in data
            events.append((position, event))
        return self._opened(piece, events) if sealed else [(at, today(each)) for at, each in events]

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


def _unreadable(position: int, name: bytes, error: MsgspecError) -> FoldingFailed:
    return FoldingFailed(position, codec.unreadable(name.decode(), position, error))
