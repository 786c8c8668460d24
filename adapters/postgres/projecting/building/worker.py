"""A process that folds parts of logs into the new table until none is left.

A part is claimed, folded and noted as done in one transaction: who is killed has done nothing, and
another takes the part up. So there may be any number of them, and they need not know each other.
"""

import asyncio
import gc
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from multiprocessing import parent_process
from typing import Final, LiteralString

import psycopg
from msgspec import Struct
from psycopg import Copy, sql

from adapters.postgres.models.rows import table_of
from adapters.postgres.projecting.building.folding import GatheredRows, fold_rows
from adapters.postgres.projecting.building.ledger import Piece
from adapters.postgres.projecting.building.lines import copy_in, lines_of
from adapters.postgres.projecting.building.planning import PIECE_EVENTS
from adapters.postgres.projecting.building.reading import Reader
from adapters.postgres.projecting.building.task import (
    SyncConnection,
    Task,
    open_clerk,
    open_porter,
)
from adapters.postgres.projecting.news import FoldingFailed
from adapters.postgres.projecting.skipping import SKIPPED_BY_TENANT
from adapters.postgres.subject_keys import PostgresSubjectKeys
from application.errors import ApplicationError
from application.vault import Vault
from projections.kernel import gathers

CLAIMED_MAX: Final = 200
HELD_ROWS_MAX: Final = 50_000
"""Rows that gather from a whole log, and are held in memory while it is folded."""

# The heaviest first, so that no process is left with a heavy one at the end.
CLAIM: LiteralString = """
SELECT tenant_id::text, piece, tag_from, tag_until, weight, position FROM rebuild_piece
WHERE rebuild = %s AND done_at IS NULL AND EXISTS (
    SELECT FROM rebuild WHERE id = %s AND ended_at IS NULL
)
ORDER BY weight DESC LIMIT %s FOR UPDATE SKIP LOCKED
"""
REMOVE: LiteralString = "DELETE FROM {} WHERE tenant_id = %s"
COUNT: LiteralString = "SELECT count(*) FROM {} WHERE tenant_id = %s"
DONE: LiteralString = """
UPDATE rebuild_piece AS p SET done_at = now(), events = d.events, rows = d.rows
FROM unnest(%s::uuid[], %s::integer[], %s::bigint[], %s::bigint[])
    AS d (tenant_id, piece, events, rows)
WHERE p.rebuild = %s AND p.tenant_id = d.tenant_id AND p.piece = d.piece
"""


class Stopped(Struct, frozen=True, kw_only=True):
    """Why a worker could not go on."""

    code: str
    message: str
    hint: str


class _Done(Struct, frozen=True):
    piece: Piece
    events: int
    rows: int


def work(task: Task) -> Stopped | None:
    """Fold parts until none is free; say why, where one can't be folded."""
    try:
        with _no_collector(), asyncio.Runner() as runner, ExitStack() as open_here:
            desk = _Desk(task, open_here, runner)
            while desk.take_some():
                if (parent := parent_process()) is not None and not parent.is_alive():
                    return None  # Whoever goes on will find what is left.
    except FoldingFailed as error:
        return Stopped(
            code="projections.failed",
            message=f"{task.name} can't be rebuilt: {error}.",
            hint="The old rows still serve. Deploy a version that can fold this event, or skip it.",
        )
    except ApplicationError as error:
        return Stopped(code=error.code, message=error.message, hint=error.hint)
    except psycopg.OperationalError as error:
        return Stopped(
            code="database.unavailable",
            message=f"PostgreSQL can't be reached or broke off ({type(error).__name__}).",
            hint="The old rows still serve. Run the same again, and it goes on where it was.",
        )
    except psycopg.Error as error:
        # What the server says of a row may name a person.
        return Stopped(
            code="projections.failed",
            message=f"{task.name} can't be rebuilt: {type(error).__name__} in {task.shadow}.",
            hint="The old rows still serve. Please report this.",
        )
    return None


class _Desk:
    """The connections of a worker: one reads, one writes, one asks for keys."""

    def __init__(self, task: Task, open_here: ExitStack, runner: asyncio.Runner) -> None:
        self._task = task
        self._runner = runner
        self._writer: SyncConnection = open_here.enter_context(open_porter(task))
        reader: SyncConnection = open_here.enter_context(open_porter(task))
        self._clerk = runner.run(open_clerk(task))
        open_here.callback(lambda: runner.run(self._clerk.close()))
        keys = PostgresSubjectKeys(lambda _: nullcontext(self._clerk), task.keyring)
        self._reader = Reader(reader, task, Vault(keys), runner)
        self._skipped: dict[str, Sequence[int]] = dict(
            self._writer.execute(SKIPPED_BY_TENANT, (task.name,)).fetchall()
        )
        self._together = 1

    def take_some(self) -> bool:
        """Do some parts in one transaction; tell whether there were any."""
        with self._writer.transaction():
            self._writer.execute("SET LOCAL synchronous_commit = off")
            asked = (self._task.id, self._task.id, self._together)
            found = self._writer.execute(CLAIM, asked).fetchall()
            pieces = [
                Piece(**dict(zip(Piece.__struct_fields__, row, strict=True))) for row in found
            ]
            if not pieces:
                return False
            done = self._gathered(pieces) if gathers(self._task.model) else self._copied(pieces)
            self._note(done)
        # The next are lighter than these: as many of them as make one heavy part.
        self._together = max(1, min(CLAIMED_MAX, PIECE_EVENTS // max(1, pieces[-1].weight)))
        return True

    def _copied(self, pieces: Sequence[Piece]) -> list[_Done]:
        statement = copy_in(self._task.model, sql.Identifier(self._task.shadow))
        with self._writer.cursor().copy(statement) as copy:
            return [self._copy(piece, copy) for piece in pieces]

    def _copy(self, piece: Piece, copy: Copy) -> _Done:
        model, events, many = self._task.model, 0, 0
        for some in self._reader.read_by_row(piece, self._skipped.get(piece.tenant, ())):
            rows, positions = fold_rows(model, some)
            copy.write(lines_of(model, piece.tenant, list(rows.values()), positions))
            events, many = events + len(some), many + len(rows)
        return _Done(piece, events, many)

    def _gathered(self, pieces: Sequence[Piece]) -> list[_Done]:
        """Fold whole logs; what an attempt that broke off left in the table goes first."""
        done: list[_Done] = []
        run, table = self._runner.run, table_of(self._task.model, self._task.shadow)
        for piece in pieces:
            self._writer.execute(_of(REMOVE, self._task), (piece.tenant,))
            rows = GatheredRows(self._clerk, table, piece.tenant, HELD_ROWS_MAX)
            for events in self._reader.read(piece, self._skipped.get(piece.tenant, ())):
                run(rows.fold(events))
            run(rows.put_away())
            counted = self._writer.execute(_of(COUNT, self._task), (piece.tenant,)).fetchone()
            done.append(_Done(piece, rows.events, counted[0] if counted else 0))
        return done

    def _note(self, done: Sequence[_Done]) -> None:
        columns = (
            [each.piece.tenant for each in done],
            [each.piece.number for each in done],
            [each.events for each in done],
            [each.rows for each in done],
        )
        self._writer.execute(DONE, (*columns, self._task.id))


def _of(statement: LiteralString, task: Task) -> sql.Composed:
    return sql.SQL(statement).format(sql.Identifier(task.shadow))


@contextmanager
def _no_collector() -> Iterator[None]:
    """Let nobody search for cycles: rows have none, and there are many of them."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
