"""The rows of files on their way in: COPY in, keyset pages out."""

import re
from collections.abc import Sequence
from typing import Any, Final, LiteralString

from msgspec import Struct

from adapters.postgres.connections import Pool, tenant_transaction
from application.ports import StagedError, StagedRow
from domain.ids import BatchId, TenantId

# COPY can't write a table with row-level security: the rows go through a table of the session.
INTAKE: LiteralString = """
CREATE TEMP TABLE IF NOT EXISTS import_intake (document text, line integer, cells text)
ON COMMIT DELETE ROWS
"""
COPY: LiteralString = "COPY import_intake FROM STDIN"
MERGE: LiteralString = """
INSERT INTO import_row (tenant_id, batch, document, line, cells)
SELECT %s, %s, document, line, cells FROM import_intake ORDER BY document COLLATE "C", line
"""
DROP: LiteralString = "DELETE FROM import_row WHERE tenant_id = %s AND batch = %s AND line > %s"
ROWS: LiteralString = """
SELECT document, line, cells FROM import_row
WHERE tenant_id = %s AND batch = %s AND (document, line) > (%s, %s)
ORDER BY document, line LIMIT %s
"""
DOCUMENTS: LiteralString = """
SELECT r.document, r.line, r.cells FROM import_row AS r
WHERE r.tenant_id = %(tenant)s AND r.batch = %(batch)s AND r.document > %(after)s
  AND NOT EXISTS (
    SELECT FROM import_error AS e
    WHERE e.tenant_id = %(tenant)s AND e.batch = %(batch)s AND e.document = r.document)
ORDER BY r.document, r.line LIMIT %(limit)s
"""
REJECT: LiteralString = """
INSERT INTO import_error (tenant_id, batch, document, line, code, column_name, value, reason)
SELECT %s, %s, * FROM unnest(
    %b::text[], %b::int[], %b::text[], %b::text[], %b::text[], %b::text[])
ON CONFLICT (tenant_id, batch, line) DO NOTHING
"""
HOLD: LiteralString = """
INSERT INTO import_error (tenant_id, batch, document, line, code, column_name, value, reason)
SELECT r.tenant_id, r.batch, r.document, r.line, 'imports.held', 'number', r.document,
       format('Line %%s of the same invoice was rejected.', e.line)
FROM (
    SELECT document, min(line) AS line FROM import_error
    WHERE tenant_id = %(tenant)s AND batch = %(batch)s AND document <> ''
      AND code <> 'imports.held'
    GROUP BY document
) AS e
JOIN import_row AS r ON r.tenant_id = %(tenant)s AND r.batch = %(batch)s
                    AND r.document = e.document
ON CONFLICT (tenant_id, batch, line) DO NOTHING
"""
HELD: LiteralString = """
SELECT count(*) FROM import_error
WHERE tenant_id = %s AND batch = %s AND code = 'imports.held'
"""
CLEAR: LiteralString = "DELETE FROM import_error WHERE tenant_id = %s AND batch = %s"
LIST: LiteralString = """
SELECT r.document, r.line, r.cells, e.code, e.column_name, e.value, e.reason
FROM import_row AS r LEFT JOIN import_error AS e USING (tenant_id, batch, line)
WHERE r.tenant_id = %(tenant)s AND r.batch = %(batch)s
  AND (r.document, r.line) > (%(document)s, %(line)s)
ORDER BY r.document, r.line LIMIT %(limit)s
"""
LIST_REJECTED: LiteralString = """
SELECT e.document, e.line, r.cells, e.code, e.column_name, e.value, e.reason
FROM import_error AS e LEFT JOIN import_row AS r USING (tenant_id, batch, document, line)
WHERE e.tenant_id = %(tenant)s AND e.batch = %(batch)s AND e.line > %(line)s
ORDER BY e.line LIMIT %(limit)s
"""

SPECIAL: Final = re.compile(r"[\\\t\n\r]")
SEPARATOR: Final = "\x1f"
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
        data = "".join(
            f"{_escaped(row.document)}\t{row.line}\t{_escaped(SEPARATOR.join(row.cells))}\n"
            for row in rows
        )
        async with tenant_transaction(self._pool, tenant) as connection:
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
        async with tenant_transaction(self._pool, tenant) as connection:
            cursor = await connection.execute(ROWS, (tenant, batch, *after, limit))
            return [_row(record) for record in await cursor.fetchall()]

    async def documents(
        self, tenant: TenantId, batch: BatchId, *, after: str, rows: int
    ) -> list[StagedRow]:
        limit = rows
        while True:
            asked = {"tenant": tenant, "batch": batch, "after": after, "limit": limit}
            async with tenant_transaction(self._pool, tenant) as connection:
                found = await (await connection.execute(DOCUMENTS, asked)).fetchall()
            if len(found) < limit:
                return [_row(record) for record in found]
            # The last document may go on: leave it to the next call, if it is not the only one.
            last = found[-1][0]
            if found[0][0] != last:
                return [_row(record) for record in found if record[0] != last]
            limit *= 2

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
            cells=tuple(record[2].split(SEPARATOR)) if record[2] else (),
            code=record[3],
            column=record[4],
            value=record[5],
            reason=record[6],
        )
        for record in records
    ]


def _row(record: tuple[Any, ...]) -> StagedRow:  # Any: columns of several types.
    return StagedRow(record[0], record[1], record[2].split(SEPARATOR) if record[2] else [])


def _escaped(text: str) -> str:
    """Write a text as COPY reads it. Few need anything."""
    return text.translate(ESCAPES) if SPECIAL.search(text) else text


def _shown(text: str) -> str:
    """Make any text fit for the database."""
    return text.replace("\x00", "\\x00").encode(errors="replace").decode()
