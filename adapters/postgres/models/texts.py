"""Rows as texts that PostgreSQL reads, a column at a time: in bulk, and the same everywhere.

A column of a thousand rows costs little more than a few calls; a row of twenty columns costs
twenty. So both the live fold and a rebuild write what stands here, and neither can differ.
"""

from collections.abc import Callable, Sequence
from functools import cache
from operator import attrgetter
from typing import Any, Final, TypeAlias

import msgspec

from adapters.postgres.models.search import search_text
from adapters.postgres.models.tables import SEARCH, Column, columns_of
from projections.kernel import ReadModel, Row

NUL: Final = "\x00"
REPLACED: Final = "\ufffd"
"""Stands for a NUL: PostgreSQL has no text with one."""

Texts: TypeAlias = list[str | None]
_encode = msgspec.json.Encoder().encode


def stored_names(model: type[ReadModel[Any]]) -> list[str]:  # Any: of any row.
    """Name the columns that a row fills, in the order of ``texts_of``."""
    return [*(c.name for c in columns_of(model.row)), *([SEARCH] if model.search else [])]


def texts_of(model: type[ReadModel[Any]], rows: Sequence[Row]) -> list[Texts]:
    """Write the values of *rows*, one list a column; None: there is no value."""
    columns = [write(rows) for write in _writers(model.row)]
    if model.search:
        columns.append([search_text(model, row) for row in rows])
    return columns


def storable(text: str) -> str:
    """Write *text* as PostgreSQL can hold it."""
    return text.replace(NUL, REPLACED)


@cache
def _writers(row: type[Row]) -> list[Callable[[Sequence[Row]], Texts]]:
    return [_writer(column) for column in columns_of(row)]


def _writer(column: Column) -> Callable[[Sequence[Row]], Texts]:
    values_of, way = attrgetter(column.name), _way(column)

    def write(rows: Sequence[Row]) -> Texts:
        return list(map(way, map(values_of, rows)))

    def write_some(rows: Sequence[Row]) -> Texts:
        return [None if value is None else way(value) for value in map(values_of, rows)]

    return write_some if column.nullable else write


def _way(column: Column) -> Callable[[Any], str]:  # Any: a value of the column's type.
    """Return what writes a value of *column*."""
    if column.is_json:
        return _json
    return {"text": _text, "boolean": _boolean}.get(column.type, str)


def _text(value: str) -> str:
    return value if NUL not in value else storable(value)


def _json(value: object) -> str:
    return _encode(value).decode()


def _boolean(value: object) -> str:
    return "t" if value else "f"
