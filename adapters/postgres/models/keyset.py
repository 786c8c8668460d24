"""Pages by keyset: a cursor holds the place of a row in one order, so that inserts move nothing.

An order is a column and then the key, both the same way, as the indexes have them; PostgreSQL
puts empty values last, and first when it is read backwards.
"""

import base64
import binascii
from typing import Any

import msgspec
from msgspec import Struct
from psycopg import sql

from adapters.postgres.models.conditions import Condition, Model, filterable
from application.errors import Malformed
from projections.kernel import Row, columns_with_hints


class Keyset(Struct, frozen=True, kw_only=True):
    """One order of one read model. The name, such as ``-due``, is part of each cursor.

    Attributes:
        backward: It is read from its end, so that what is behind a cursor comes before it.

    """

    model: Model
    name: str
    column: str
    descending: bool
    backward: bool = False

    @property
    def order(self) -> sql.Composed:
        direction = sql.SQL(" DESC" if self._down else "")
        columns = [sql.Identifier(name) + direction for name in self.columns]
        return sql.SQL(" ORDER BY ") + sql.SQL(", ").join(columns)

    @property
    def columns(self) -> tuple[str, ...]:
        """Name the columns that make the place of a row."""
        key = self.model.key
        return (key,) if self.column == key else (self.column, key)

    @property
    def _down(self) -> bool:
        return self.descending != self.backward

    def cursor(self, row: Row) -> str:
        """Write down the place of *row*."""
        return self.cursor_at(*(getattr(row, name) for name in self.columns))

    def cursor_at(self, *place: object) -> str:
        """Write down the place of a row, told by its ``columns``."""
        written = msgspec.json.encode((f"{self.model.name}:{self.name}", *place))
        return base64.urlsafe_b64encode(written).decode().rstrip("=")

    def behind(self, cursor: str) -> list[Condition]:
        """Let through the rows behind *cursor*: those of any of these, one after the other.

        Each is one range of the index; joined by OR they would be none.

        Raises:
            Malformed: The cursor is damaged, or of another order.

        """
        *values, key = self._read(cursor)
        more = sql.SQL("<" if self._down else ">")
        column, by_key = sql.Identifier(self.column), sql.Identifier(self.model.key)
        further = sql.SQL("{} {} %s").format(by_key, more)
        if not values:
            return [Condition(further, (key,))]
        empty = sql.SQL("{} IS NULL").format(column)
        if values[0] is None:
            rest = Condition(empty + sql.SQL(" AND ") + further, (key,))
            filled = Condition(sql.SQL("{} IS NOT NULL").format(column))
            return [rest, filled] if self._down else [rest]
        pair = sql.SQL("({}, {}) {} (%s, %s)").format(column, by_key, more)
        rest = Condition(pair, (values[0], key))
        may_be_empty = filterable(self.model)[self.column].nullable and not self._down
        return [rest, Condition(empty)] if may_be_empty else [rest]

    def _read(self, cursor: str) -> list[Any]:  # Any: values of any column.
        hints = columns_with_hints(self.model.row)
        try:
            text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            name, *place = msgspec.json.decode(text, type=list[Any])
            types = [hints[column] for column in self.columns]
            if name == f"{self.model.name}:{self.name}" and len(place) == len(types):
                return [
                    msgspec.convert(value, type=kind, strict=False)
                    for value, kind in zip(place, types, strict=True)
                ]
        except (ValueError, binascii.Error, msgspec.MsgspecError):
            name = None
        if isinstance(name, str) and name.startswith(f"{self.model.name}:"):
            message = f"The cursor is of the order {name.partition(':')[2]!r}."
        else:
            message = "The cursor is damaged, or of another list."
        raise Malformed(
            "query.bad_cursor", message, hint="Take the cursors of a page in the same order."
        )


def keyset_of(model: Model, order_by: str | None, *, backward: bool = False) -> Keyset:
    """Describe an order: None (the key), ``column``, or ``-column`` for descending.

    Raises:
        Malformed: The column has no index.

    """
    name = order_by or model.key
    column = name.removeprefix("-")
    if column not in filterable(model):
        raise Malformed(
            "query.not_orderable",
            f"{model.name} can't be ordered by {column!r}.",
            hint=f"Order by {', '.join(filterable(model))}, with a dash before it for descending.",
        )
    return Keyset(
        model=model,
        name=name,
        column=column,
        descending=name.startswith("-"),
        backward=backward,
    )
