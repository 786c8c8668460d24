"""The ledger of rebuilds: what is under way, by whom, and which of its parts are done."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, LiteralString

from msgspec import Struct

from adapters.postgres.connections import Connection
from adapters.postgres.projecting.building.task import ACT_FOR_NOW, AS_BEFORE, Task
from application.errors import Conflict
from domain.ids import TenantId

KEPT_DAYS: Final = 90

UNDER_WAY: LiteralString = """
SELECT id, model, version, shape, tenant::text, as_of, into_schema, step, runner, started_at,
       ended_at, outcome, error, kept_until
FROM rebuild WHERE model = %s AND ended_at IS NULL
"""
LATEST: LiteralString = """
SELECT id, model, version, shape, tenant::text, as_of, into_schema, step, runner, started_at,
       ended_at, outcome, error, kept_until
FROM (
    SELECT DISTINCT ON (model) * FROM rebuild ORDER BY model, ended_at DESC NULLS FIRST, id DESC
) AS r ORDER BY model
"""
KEPT: LiteralString = """
SELECT id, model, version, shape, tenant::text, as_of, into_schema, step, runner, started_at,
       ended_at, outcome, error, kept_until
FROM rebuild WHERE model = %s AND version = %s AND kept_until IS NOT NULL ORDER BY id DESC LIMIT 1
"""
BEGIN: LiteralString = """
INSERT INTO rebuild (model, version, shape, tenant, as_of, into_schema, step, runner)
VALUES (%s, %s, %s, %s, %s, %s, 'planning', %s) RETURNING id
"""
TAKE_OVER: LiteralString = "UPDATE rebuild SET runner = %s WHERE id = %s"
STEP: LiteralString = "UPDATE rebuild SET step = %s WHERE id = %s AND ended_at IS NULL"
END: LiteralString = """
UPDATE rebuild SET ended_at = now(), outcome = %s, error = %s WHERE id = %s AND ended_at IS NULL
"""
FINISH: LiteralString = """
UPDATE rebuild SET ended_at = now(), outcome = 'done',
    kept_until = now() + make_interval(secs => nullif(%s, 0))
WHERE id = %s AND ended_at IS NULL
"""
LET_GO: LiteralString = "UPDATE rebuild SET kept_until = NULL WHERE id = %s"
SWAPPED_BACK: LiteralString = """
UPDATE rebuild SET kept_until = NULL, outcome = 'swapped back', runner = %s, ended_at = now()
WHERE id = %s
"""
REMOVE: LiteralString = "DELETE FROM rebuild_piece WHERE rebuild = %s"
CLEAR: LiteralString = """
DELETE FROM rebuild
WHERE model = %s AND ended_at < now() - make_interval(days => %s) AND kept_until IS NULL
"""
CLEAR_PIECES: LiteralString = """
DELETE FROM rebuild_piece AS p USING rebuild AS r
WHERE r.id = p.rebuild AND r.model = %s AND r.ended_at IS NOT NULL AND r.kept_until IS NULL
"""
DONE: LiteralString = """
SELECT coalesce(sum(weight) FILTER (WHERE done_at IS NOT NULL), 0)::bigint,
       coalesce(sum(weight), 0)::bigint, coalesce(sum(events), 0)::bigint,
       coalesce(sum(rows), 0)::bigint, count(*) FILTER (WHERE done_at IS NULL)
FROM rebuild_piece WHERE rebuild = %s
"""
MADE: LiteralString = """
INSERT INTO rebuild_piece (tenant_id, rebuild, piece, tag_from, tag_until, weight, position)
SELECT t, %s, n, f, u, w, p
FROM unnest(%s::uuid[], %s::integer[], %s::text[], %s::text[], %s::bigint[], %s::bigint[])
    AS m (t, n, f, u, w, p)
"""


class Entry(Struct, frozen=True):
    """A rebuild, as it is written down."""

    id: int
    model: str
    version: int
    shape: str
    tenant: str | None
    as_of: str | None
    into_schema: str | None
    step: str
    runner: str
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    error: str | None
    kept_until: datetime | None

    @property
    def asked(self) -> tuple[object, ...]:
        """What it was asked for: whoever asks for the same goes on with it."""
        return self.version, self.shape, self.tenant, self.as_of, self.into_schema


class Piece(Struct, frozen=True):
    """A part that is folded apart: a log, or the rows of one with tags between two."""

    tenant: TenantId
    number: int
    tag_from: str | None
    tag_until: str | None
    weight: int
    position: int


class Sums(Struct, frozen=True):
    """How far all pieces are; weights are about how many events each holds."""

    done: int
    total: int
    events: int
    rows: int
    left: int


async def under_way(clerk: Connection, model: str) -> Entry | None:
    return await _one(clerk, UNDER_WAY, model)


async def kept(clerk: Connection, model: str, version: int) -> Entry | None:
    """Return the rebuild whose former rows are kept."""
    return await _one(clerk, KEPT, model, version)


async def latest(clerk: Connection) -> list[Entry]:
    """Return, for each model, the rebuild that is under way, or to which something came last."""
    rows = await (await clerk.execute(LATEST)).fetchall()
    return [Entry(*row) for row in rows]


async def begin(clerk: Connection, model: str, asked: Sequence[object], runner: str) -> int:
    """Write a new one down, and clear away what is known of those long past."""
    await clerk.execute(CLEAR_PIECES, (model,))
    await clerk.execute(CLEAR, (model, KEPT_DAYS))
    row = await (await clerk.execute(BEGIN, (model, *asked, runner))).fetchone()
    assert row is not None, "An INSERT returns its row."
    return int(row[0])


async def take_over(clerk: Connection, number: int, runner: str) -> None:
    await clerk.execute(TAKE_OVER, (runner, number))


async def step(clerk: Connection, number: int, name: str) -> bool:
    """Note the step that begins; False: the rebuild was broken off."""
    return (await clerk.execute(STEP, (name, number))).rowcount == 1


async def end(clerk: Connection, number: int, outcome: str, error: str | None = None) -> bool:
    """Note how it ended; False: it had ended."""
    return (await clerk.execute(END, (outcome, error, number))).rowcount == 1


async def finish(owner: Connection, task: Task, *, kept_seconds: float) -> None:
    """Note, in the owner's transaction, that the new rows serve; the former are kept for a while.

    Raises:
        Conflict: Meanwhile the rebuild was broken off.

    """
    await owner.execute(ACT_FOR_NOW)
    done = await owner.execute(FINISH, (kept_seconds, task.id))
    await owner.execute(AS_BEFORE)
    if done.rowcount != 1:
        raise aborted(task)


def aborted(task: Task) -> Conflict:
    """Say that somebody broke the rebuild off."""
    return Conflict(
        "projections.aborted",
        f"The rebuild of {task.name} was broken off.",
        hint="The old rows still serve.",
    )


async def let_go(clerk: Connection, number: int) -> None:
    """Note that the former rows of a rebuild are there no more."""
    await clerk.execute(LET_GO, (number,))


async def swapped_back(clerk: Connection, number: int, runner: str) -> None:
    """Note that the former rows of a rebuild serve again, and by whom."""
    await clerk.execute(SWAPPED_BACK, (runner, number))


async def remove_pieces(clerk: Connection, number: int) -> None:
    await clerk.execute(REMOVE, (number,))


async def add_pieces(clerk: Connection, number: int, pieces: Sequence[Piece]) -> None:
    columns = (
        [each.tenant for each in pieces],
        [each.number for each in pieces],
        [each.tag_from for each in pieces],
        [each.tag_until for each in pieces],
        [each.weight for each in pieces],
        [each.position for each in pieces],
    )
    await clerk.execute(MADE, (number, *columns))


async def sums(clerk: Connection, number: int) -> Sums:
    row = await (await clerk.execute(DONE, (number,))).fetchone()
    assert row is not None, "An aggregate has a row."
    return Sums(*map(int, row))


async def _one(clerk: Connection, statement: LiteralString, *asked: object) -> Entry | None:
    row = await (await clerk.execute(statement, asked)).fetchone()
    return None if row is None else Entry(*row)
