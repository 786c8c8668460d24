"""Rows as readers see them: what is derived of a row stands in it as a field.

The type that readers see is a kind of the row's own, so that whoever asks for the one may take
the other.
"""

from functools import cache
from typing import Any

from projections.kernel import Row, columns_with_hints, derived_columns


@cache
def shown_type(row: type[Row]) -> type[Row]:
    """Make the type that readers see: the row's own, where nothing is derived of it."""
    derived = derived_columns(row)
    if not derived:
        return row
    hints = columns_with_hints(row)
    named = {name: getattr(row, name) for name in ("__module__", "__qualname__", "__doc__")}
    make: Any = type(row)  # Any: to type checkers a class is always written out.
    made: type[Row] = make(
        row.__name__, (row,), {**named, "__annotations__": {name: hints[name] for name in derived}}
    )
    return made


def shown(row: Row) -> Row:
    """Turn a row that was folded into what readers see of it."""
    kind = shown_type(type(row))
    if kind is type(row):
        return row
    return kind(**{name: getattr(row, name) for name in columns_with_hints(type(row))})
