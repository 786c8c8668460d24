"""The rejected rows of a batch as a file: what came, and why it did not go in."""

import csv
import os
from pathlib import Path
from typing import Final, LiteralString

import msgspec
from psycopg import sql

from adapters.postgres.connections import Pool, tenant_transaction
from adapters.postgres.models.versions import serving_table
from adapters.postgres.staging import list_import_rows
from adapters.private import open_private
from domain.ids import BatchId, TenantId
from domain.imports.columns import BATCH_COLUMN
from projections.imports import ImportBatches

PAGE_ROWS: Final = 5_000
ADDED: Final = ("_line", "_code", "_column", "_value", "_reason", BATCH_COLUMN)
HEADER: LiteralString = "SELECT header FROM {} WHERE tenant_id = %s AND batch = %s"


async def write_errors_file(pool: Pool, tenant: TenantId, batch: BatchId, path: Path) -> int:
    """Write the rejected and held rows with their reasons, ready to be mended and sent again.

    The columns are those of the file, then our own, whose names begin with an underscore and
    which an import passes over. Returns the number of rows.
    """
    statement = sql.SQL(HEADER).format(sql.Identifier(await serving_table(pool, ImportBatches)))
    async with tenant_transaction(pool, tenant) as connection:
        row = await (await connection.execute(statement, (tenant, batch))).fetchone()
    header: list[str] = msgspec.json.decode(row[0]) if row else []
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    line = written = 0
    with os.fdopen(open_private(path), "w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([*header, *ADDED])
        while rows := await list_import_rows(
            pool, tenant, batch, after=("", line), limit=PAGE_ROWS, rejected=True
        ):
            for each in rows:
                cells = (*each.cells, *[""] * (len(header) - len(each.cells)))
                reasons = (each.line, each.code, each.column, each.value, each.reason, batch)
                writer.writerow([*cells[: len(header)], *reasons])
            line, written = rows[-1].line, written + len(rows)
    return written
