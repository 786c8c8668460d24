"""The rows of files on their way in: COPY in, keyset pages out."""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, Final, LiteralString

from msgspec import Struct

from adapters.postgres.connections import Pool, tenant_transaction
from application.ports import StagedError, StagedRow
from domain.ids import BatchId, TenantId

# COPY can't write a table with row-level security: the rows go through a table of the session.
INTAKE: LiteralString = """
CREATE TEMP TABLE IF NOT EXISTS import_intake
    (document text, line integer, lines integer[], cells text)
ON COMMIT DELETE ROWS
"""
COPY: LiteralString = "COPY import_intake FROM STDIN"
MERGE: LiteralString = """
INSERT INTO import_row (tenant_id, batch, document, line, lines, cells)
SELECT %s, %s, document, line, lines, cells FROM import_intake
ORDER BY document COLLATE "C", line
"""
DROP: LiteralString = "DELETE FROM import_row WHERE tenant_id = %s AND batch = %s AND line > %s"
RUNS: LiteralString = """
SELECT document, line, lines, cells FROM import_row
WHERE tenant_id = %s AND batch = %s AND (document, line) > (%s, %s)
ORDER BY document, line LIMIT %s
"""
SOUND_RUNS: LiteralString = """
SELECT r.document, r.line, r.lines, r.cells FROM import_row AS r
WHERE r.tenant_id = %s AND r.batch = %s AND (r.document, r.line) > (%s, %s)
  AND NOT EXISTS (
    SELECT FROM import_error AS e
    WHERE e.tenant_id = r.tenant_id AND e.batch = r.batch AND e.document = r.document)
ORDER BY r.document, r.line LIMIT %s
"""
REJECT: LiteralString = """
INSERT INTO import_error (tenant_id, batch, document, line, code, column_name, value, reason)
SELECT %s, %s, * FROM unnest(
    %b::text[], %b::int[], %b::text[], %b::text[], %b::text[], %b::text[])
ON CONFLICT (tenant_id, batch, line) DO NOTHING
"""
HOLD: LiteralString = """
INSERT INTO import_error (tenant_id, batch, document, line, code, column_name, value, reason)
SELECT r.tenant_id, r.batch, r.document, held.line, 'imports.held', 'number', r.document,
       format('Line %%s of the same invoice was rejected.', e.line)
FROM (
    SELECT document, min(line) AS line FROM import_error
    WHERE tenant_id = %(tenant)s AND batch = %(batch)s AND document <> ''
      AND code <> 'imports.held'
    GROUP BY document
) AS e
JOIN import_row AS r ON r.tenant_id = %(tenant)s AND r.batch = %(batch)s
                    AND r.document = e.document
CROSS JOIN LATERAL unnest(r.lines) AS held (line)
ON CONFLICT (tenant_id, batch, line) DO NOTHING
"""
HELD: LiteralString = """
SELECT count(*) FROM import_error
WHERE tenant_id = %s AND batch = %s AND code = 'imports.held'
"""
CLEAR: LiteralString = "DELETE FROM import_error WHERE tenant_id = %s AND batch = %s"
LIST: LiteralString = """
SELECT r.document, row.line, row.cells, e.code, e.column_name, e.value, e.reason
FROM import_row AS r
CROSS JOIN LATERAL unnest(r.lines, string_to_array(r.cells, chr(30))) AS row (line, cells)
LEFT JOIN import_error AS e
  ON e.tenant_id = r.tenant_id AND e.batch = r.batch AND e.line = row.line
WHERE r.tenant_id = %(tenant)s AND r.batch = %(batch)s AND r.document >= %(document)s
  AND (r.document, row.line) > (%(document)s, %(line)s)
ORDER BY r.document, row.line LIMIT %(limit)s
"""
LIST_REJECTED: LiteralString = """
SELECT e.document, e.line, (
    SELECT (string_to_array(r.cells, chr(30)))[array_position(r.lines, e.line)]
    FROM import_row AS r
    WHERE r.tenant_id = e.tenant_id AND r.batch = e.batch AND r.document = e.document
      AND r.line <= e.line
    ORDER BY r.line DESC LIMIT 1
), e.code, e.column_name, e.value, e.reason
FROM import_error AS e
WHERE e.tenant_id = %(tenant)s AND e.batch = %(batch)s AND e.line > %(line)s
ORDER BY e.line LIMIT %(limit)s
"""

LINE_MAX: Final = 2**31 - 1
RUN_ROWS_MAX: Final = 200
RUNS_PAGE: Final = 250
SPECIAL: Final = re.compile(r"[\\\t\n\r]")
CELL: Final = "\x1f"
ROW: Final = "\x1e"
ESCAPES: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


class ListedRow(Struct, frozen=True, kw_only=True):
    """A row of a file as clients see it; code, column, value and reason where it was rejected."""

    line: int
    document: str
    cells: tuple[str, ...]
    code: str | None
    column: str | None
    value: str | None
    reason: str | None


class PostgresStaging:
    """Implements ``application.ports.Staging``."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, tenant: TenantId, batch: BatchId, rows: Sequence[StagedRow]) -> None:
        data = "".join(map(_line_of, _runs(rows)))
        # The event that notes the chunk comes after it, and waits for the disk for both.
        async with tenant_transaction(self._pool, tenant, derived=True) as connection:
            await connection.execute(INTAKE)
            async with connection.cursor() as cursor, cursor.copy(COPY) as copy:
                await copy.write(data)
            await connection.execute(MERGE, (tenant, batch))

    async def drop_after(self, tenant: TenantId, batch: BatchId, line: int) -> None:
        async with tenant_transaction(self._pool, tenant) as connection:
            await connection.execute(DROP, (tenant, batch, line))

    async def rows(
        self, tenant: TenantId, batch: BatchId, *, after: tuple[str, int], limit: int
    ) -> list[StagedRow]:
        rows: list[StagedRow] = []
        async with tenant_transaction(self._pool, tenant) as connection:
            while len(rows) < limit:
                cursor = await connection.execute(RUNS, (tenant, batch, *after, RUNS_PAGE))
                runs = await cursor.fetchall()
                rows += [row for run in runs for row in _rows_of(run)]
                if len(runs) < RUNS_PAGE:
                    break
                after = (rows[-1].document, rows[-1].line)
        return rows

    async def documents(
        self, tenant: TenantId, batch: BatchId, *, after: str, rows: int
    ) -> list[StagedRow]:
        found: list[StagedRow] = []
        at = (after, LINE_MAX)
        async with tenant_transaction(self._pool, tenant) as connection:
            while True:
                asked = (tenant, batch, *at, RUNS_PAGE)
                runs = await (await connection.execute(SOUND_RUNS, asked)).fetchall()
                found += [row for run in runs for row in _rows_of(run)]
                if len(runs) < RUNS_PAGE:
                    return found
                last = found[-1].document
                if len(found) >= rows and found[0].document != last:
                    # The last document may go on: it is left to the next call.
                    return [row for row in found if row.document != last]
                at = (last, found[-1].line)

    async def reject(self, tenant: TenantId, batch: BatchId, errors: Sequence[StagedError]) -> None:
        if not errors:
            return
        columns: tuple[list[Any], ...] = (  # Any: columns of several types.
            [e.document for e in errors],
            [e.line for e in errors],
            [e.code for e in errors],
            [e.column for e in errors],
            [_shown(e.value) for e in errors],
            [_shown(e.reason) for e in errors],
        )
        async with tenant_transaction(self._pool, tenant) as connection:
            await connection.execute(REJECT, (tenant, batch, *columns))

    async def hold(self, tenant: TenantId, batch: BatchId) -> int:
        async with tenant_transaction(self._pool, tenant) as connection:
            await connection.execute(HOLD, {"tenant": tenant, "batch": batch})
            row = await (await connection.execute(HELD, (tenant, batch))).fetchone()
        return row[0] if row else 0

    async def clear_errors(self, tenant: TenantId, batch: BatchId) -> None:
        async with tenant_transaction(self._pool, tenant) as connection:
            await connection.execute(CLEAR, (tenant, batch))


async def list_import_rows(
    pool: Pool,
    tenant: TenantId,
    batch: BatchId,
    *,
    after: tuple[str, int] = ("", 0),
    limit: int,
    rejected: bool = False,
) -> list[ListedRow]:
    """List rows after (document, line): all of them by document, the rejected ones by line."""
    asked = {
        "tenant": tenant,
        "batch": batch,
        "document": after[0],
        "line": after[1],
        "limit": limit,
    }
    async with tenant_transaction(pool, tenant) as connection:
        cursor = await connection.execute(LIST_REJECTED if rejected else LIST, asked)
        records = await cursor.fetchall()
    return [
        ListedRow(
            document=record[0],
            line=record[1],
            cells=tuple(record[2].split(CELL)) if record[2] else (),
            code=record[3],
            column=record[4],
            value=record[5],
            reason=record[6],
        )
        for record in records
    ]


def _runs(rows: Sequence[StagedRow]) -> Iterator[Sequence[StagedRow]]:
    """Split rows into runs of one document, none too long."""
    for _, group in groupby(rows, attrgetter("document")):
        run = list(group)
        for start in range(0, len(run), RUN_ROWS_MAX):
            yield run[start : start + RUN_ROWS_MAX]


def _line_of(run: Sequence[StagedRow]) -> str:
    lines = ",".join(str(row.line) for row in run)
    cells = ROW.join([CELL.join(row.cells) for row in run])
    return f"{_escaped(run[0].document)}\t{run[0].line}\t{{{lines}}}\t{_escaped(cells)}\n"


def _rows_of(run: tuple[Any, ...]) -> list[StagedRow]:  # Any: columns of several types.
    document, _, lines, cells = run
    return [
        StagedRow(document, line, row.split(CELL) if row else [])
        for line, row in zip(lines, cells.split(ROW), strict=True)
    ]


def _escaped(text: str) -> str:
    """Write a text as COPY reads it. Few need anything."""
    return text.translate(ESCAPES) if SPECIAL.search(text) else text


def _shown(text: str) -> str:
    """Make any text fit for the database."""
    return text.replace("\x00", "\\x00").encode(errors="replace").decode()
