"""Rows that a client sends as JSON are kept as the file they would have been."""

import csv
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, TypeAlias

from msgspec import Meta, Struct

from application.kernel import Context
from application.ports import Blobs
from domain.ids import BatchId
from domain.imports.columns import GivenMapping

ROWS_MAX: Final = 50_000
Cell: TypeAlias = str | int | float | bool | None


class RowsGiven(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rows of a batch, each by column name. Defaults fill what a row leaves out.

    Attributes:
        rows: Column name to value; the names are matched as the headers of a file are.
        defaults: Column name to the value of cells that are absent.

    """

    batch: BatchId
    rows: Annotated[list[dict[str, Cell]], Meta(min_length=1, max_length=ROWS_MAX)]
    defaults: dict[str, Cell] = {}
    mapping: GivenMapping = GivenMapping()
    name: Annotated[str, Meta(min_length=1, max_length=255)] = "rows.csv"


async def keep_rows(blobs: Blobs, context: Context, given: RowsGiven) -> Mapping[str, object]:
    """Keep the rows as a file, and return the fields of the command that takes it in."""
    header = list(dict.fromkeys([*(name for row in given.rows for name in row), *given.defaults]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(header)
            writer.writerows(
                [_text(row.get(name, given.defaults.get(name))) for name in header]
                for row in given.rows
            )
        return {
            "batch": given.batch,
            "sha256": await blobs.put(context.tenant, path),
            "name": given.name,
            "size_bytes": path.stat().st_size,
            "mapping": given.mapping,
        }


def _text(cell: Cell) -> str:
    return "" if cell is None else str(cell)
