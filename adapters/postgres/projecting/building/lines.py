"""Rows as the lines that COPY takes in, the same to the last digit as the live fold writes them."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from psycopg import sql

from adapters.postgres.models.texts import NUL, stored_names, texts_of
from domain.ids import TenantId
from projections.kernel import ReadModel, Row

MISSING: Final = r"\N"
ESCAPES: Final = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
ESCAPED: Final = frozenset("\\\t\n\r")


def copy_in(model: type[ReadModel[Any]], table: sql.Identifier) -> sql.Composed:  # Any: of any row.
    """Write the statement that takes the lines of *model* in."""
    names = ("tenant_id", *stored_names(model), "position")
    columns = sql.SQL(", ").join(map(sql.Identifier, names))
    return sql.SQL("COPY {} ({}) FROM STDIN").format(table, columns)


def lines_of(
    model: type[ReadModel[Any]],  # Any: as above.
    tenant: TenantId,
    rows: Sequence[Row],
    positions: Sequence[int],
) -> bytes:
    """Write *rows*, each with the position that made it what it is, as lines."""
    columns: list[Sequence[str | None]] = [
        [tenant] * len(rows),
        *texts_of(model, rows),
        list(map(str, positions)),
    ]
    # No value holds a NUL, so that it can stand for those that are missing.
    filled = [[NUL if value is None else value for value in column] for column in columns]
    lines = _joined(filled)
    if (
        "\\" in lines
        or "\r" in lines
        or lines.count("\n") != len(rows)
        or lines.count("\t") != len(rows) * (len(columns) - 1)
    ):
        lines = _joined(map(_escaped, filled))
    return lines.replace(NUL, MISSING).encode()


def _joined(columns: Iterable[Sequence[str]]) -> str:
    rows: Iterable[tuple[str, ...]] = zip(*columns, strict=True)
    return "\n".join([*map("\t".join, rows), ""])


def _escaped(column: Sequence[str]) -> Sequence[str]:
    """Write the values so that none ends a line or a field."""
    if not ESCAPED.intersection("".join(column)):
        return column
    return [value.translate(ESCAPES) for value in column]
