"""Rows as the lines that COPY takes in, the same to the last digit as the live fold writes them."""

from collections.abc import Callable
from itertools import zip_longest
from operator import attrgetter
from typing import Any, Final, TypeAlias

import msgspec
from psycopg import sql

from adapters.postgres.models.search import search_text
from adapters.postgres.models.tables import SEARCH, Column, columns_of
from domain.ids import TenantId
from projections.kernel import ReadModel, Row

NUL: Final = "\x00"
"""Stands for a missing value while a line is made: PostgreSQL has no text with it."""

MISSING: Final = r"\N"
REPLACED: Final = "\ufffd"
Line: TypeAlias = Callable[[TenantId, Row, int], str]
Way: TypeAlias = Callable[[Any], str]  # Any: a value of some column's type.
_encode = msgspec.json.Encoder().encode


def copy_in(model: type[ReadModel[Any]], table: sql.Identifier) -> sql.Composed:  # Any: of any row.
    """Write the statement that takes the lines of *model* in."""
    searched = (SEARCH,) if model.search else ()
    names = ("tenant_id", *(c.name for c in columns_of(model.row)), *searched, "position")
    columns = sql.SQL(", ").join(map(sql.Identifier, names))
    return sql.SQL("COPY {} ({}) FROM STDIN").format(table, columns)


def line_of(model: type[ReadModel[Any]]) -> Line:  # Any: as above.
    """Make the function that writes a row of *model* as a line."""
    columns = columns_of(model.row)
    values_of = attrgetter(*(column.name for column in columns))
    ways = [_way(column) for column in columns]
    # A text that is always there stands as it is.
    looked_at = [(n, way) for n, way in enumerate(ways) if way is not None or columns[n].nullable]
    tabs = len(columns) + (2 if model.search else 1)

    def line(tenant: TenantId, row: Row, position: int) -> str:
        values = [*values_of(row)]
        missing = 0
        for n, way in looked_at:
            value = values[n]
            if value is None:
                values[n] = NUL
                missing += 1
            elif way is not None:
                values[n] = way(value)
        if model.search:
            values.append(search_text(model, row))
        written = "\t".join([tenant, *values, str(position)])
        if (
            "\\" in written
            or "\n" in written
            or "\r" in written
            or written.count("\t") != tabs
            or written.count(NUL) != missing
        ):
            given = [*values_of(row), *values[len(ways) :]]
            careful = [
                MISSING if value is None else _escaped(value, way)
                for value, way in zip_longest(given, ways)
            ]
            return "\t".join([tenant, *careful, str(position)])
        return written.replace(NUL, MISSING)

    return line


def _escaped(value: object, way: Way | None) -> str:
    text = way(value) if way else str(value).replace(NUL, REPLACED)
    text = text.replace("\\", "\\\\").replace("\t", "\\t")
    return text.replace("\n", "\\n").replace("\r", "\\r")


def _way(column: Column) -> Way | None:
    """Return what writes a value of *column*; None: it is a text."""
    if column.is_json:
        return _json
    return {"text": None, "boolean": _boolean}.get(column.type, str)


def _json(value: object) -> str:
    return _encode(value).decode()


def _boolean(value: object) -> str:
    return "t" if value else "f"
