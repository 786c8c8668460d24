"""Scalars that lose nothing: exact decimals, positions past 32 bits, dates, moments, plain JSON."""

import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, NewType

import msgspec
import strawberry
from graphql import FloatValueNode, GraphQLError, IntValueNode, StringValueNode, ValueNode
from graphql.utilities import value_from_ast_untyped
from strawberry.types.scalar import ScalarDefinition

Position = NewType("Position", int)
Long = NewType("Long", int)
AsOf = NewType("AsOf", object)
Json = NewType("Json", object)

DIGITS_MAX: Final = 40
DECIMAL: Final = re.compile(
    rf"[+-]?(?=\.?[0-9])[0-9]{{0,{DIGITS_MAX}}}(\.[0-9]{{0,{DIGITS_MAX}}})?", re.ASCII
)
POSITION: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
LONG_MAX: Final = 2**53
"""Past this, a client that reads JSON numbers as doubles would lose digits."""


def read_decimal(value: object) -> Decimal:
    """Read an exact decimal from text, or from a JSON number that kept its digits.

    Raises:
        GraphQLError: It is not finite, too long, or no number.

    """
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) < DIGITS_MAX:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str) and DECIMAL.fullmatch(value):
        return Decimal(value)
    raise GraphQLError('A Decimal is text such as "1234.50", finite, and without an exponent.')


def write_decimal(value: Decimal) -> str:
    return format(value, "f")


def read_position(value: object) -> Position:
    """Read a place in the log.

    Raises:
        GraphQLError: It is no whole number from 0 on.

    """
    if POSITION.fullmatch(str(value)):
        return Position(int(str(value)))
    raise GraphQLError('A Position is a whole number from 0 on, as text, such as "42".')


def read_long(value: object) -> int:
    """Read a whole number.

    Raises:
        GraphQLError: It is none, or past what JSON numbers hold exactly.

    """
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LONG_MAX:
        return value
    raise GraphQLError("A Long is a whole number between -2^53 and 2^53.")


def read_as_of(value: object) -> int | datetime:
    """Read a position or a moment.

    Raises:
        GraphQLError: It is neither.

    """
    text = str(value)
    return int(text) if POSITION.fullmatch(text) else read_moment(text)


def read_moment(value: object) -> datetime:
    """Read a moment in time.

    Raises:
        GraphQLError: It is none, or lacks its offset.

    """
    try:
        moment = msgspec.convert(value, datetime)
    except msgspec.ValidationError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise GraphQLError('A DateTime is text with its offset, such as "2026-01-31T12:00:00Z".')
    return moment


def read_date(value: object) -> date:
    """Read a day.

    Raises:
        GraphQLError: It is none.

    """
    try:
        return msgspec.convert(value, date)
    except msgspec.ValidationError:
        raise GraphQLError('A Date is text such as "2026-01-31".') from None


def _scalar(
    name: str,
    description: str,
    *,
    write: Callable[[Any], object],  # Any: each writes its own type.
    read: Callable[[object], object],
) -> ScalarDefinition:
    def read_literal(node: ValueNode, _variables: object = None) -> object:
        """Read the text of the literal itself, so that no digit of a number is lost."""
        if isinstance(node, IntValueNode):
            return read(int(node.value) if len(node.value) < DIGITS_MAX else node.value)
        if isinstance(node, FloatValueNode):
            return read(Decimal(node.value))
        return read(node.value if isinstance(node, StringValueNode) else None)

    return strawberry.scalar(
        name=name,
        description=description,
        serialize=write,
        parse_value=read,
        parse_literal=read_literal,
    )


def _as_it_is(value: object) -> object:
    return value


SCALARS: Final[dict[object, ScalarDefinition]] = {
    Decimal: _scalar(
        "Decimal",
        "An exact decimal number as text. It is finite and keeps all its digits.",
        write=write_decimal,
        read=read_decimal,
    ),
    date: _scalar("Date", "A day, by ISO 8601.", write=date.isoformat, read=read_date),
    datetime: _scalar(
        "DateTime",
        "A moment with its offset, by ISO 8601.",
        write=datetime.isoformat,
        read=read_moment,
    ),
    Position: _scalar(
        "Position",
        "A place in the log of the tenant, as text: 1 is the first event.",
        write=str,
        read=read_position,
    ),
    Long: _scalar("Long", "A whole number up to 2^53.", write=_as_it_is, read=read_long),
    AsOf: _scalar(
        "AsOf",
        "A position of the log, or a moment by ISO 8601: data as they were then.",
        write=str,
        read=read_as_of,
    ),
    Json: strawberry.scalar(
        name="JSON",
        description="Any JSON value.",
        serialize=_as_it_is,
        parse_value=_as_it_is,
        parse_literal=value_from_ast_untyped,
    ),
}
