"""Scalars that lose nothing: exact decimals, positions past 32 bits, dates, moments, plain JSON."""

import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, NewType

import msgspec
import strawberry
from graphql import (
    BooleanValueNode,
    FloatValueNode,
    GraphQLError,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    StringValueNode,
    ValueNode,
    VariableNode,
)
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
RFC_3339: Final = "https://www.rfc-editor.org/rfc/rfc3339"
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


def read_json(value: object) -> object:
    """Read any JSON. A number that a double would change comes as text, with all its digits.

    Raises:
        GraphQLError: It holds what JSON can't, such as a number that is not finite.

    """
    match value:
        case None | bool() | str() | int():
            return value
        case float() if math.isfinite(value):
            return value
        case Decimal() if value.is_finite():
            near = float(value)
            return near if Decimal(repr(near)) == value else str(value)
        case list():
            return [read_json(each) for each in value]
        case dict():
            return {name: read_json(each) for name, each in value.items()}
    raise GraphQLError("JSON is text, finite numbers, true, false, null, and lists and objects.")


def read_json_literal(node: ValueNode, variables: Mapping[str, object] | None = None) -> object:
    """Read JSON that stands in the document itself, in the notation of GraphQL.

    Raises:
        GraphQLError: It holds a bare word, which JSON has not.

    """
    match node:
        case VariableNode():
            return (variables or {}).get(node.name.value)
        case ListValueNode():
            return [read_json_literal(each, variables) for each in node.values]
        case ObjectValueNode():
            return {
                each.name.value: read_json_literal(each.value, variables) for each in node.fields
            }
        case IntValueNode() | FloatValueNode():
            return read_json(_number(node.value))
        case StringValueNode() | BooleanValueNode():
            return node.value
        case NullValueNode():
            return None
    raise GraphQLError("JSON has no bare words. Put text in quotes.")


def _number(text: str) -> object:
    """Read a number as it is written; one that no use has is left as text."""
    if len(text) > DIGITS_MAX:
        return text
    return int(text) if text.lstrip("-").isdigit() else Decimal(text)


def _scalar(
    name: str,
    description: str,
    *,
    specified_by: str | None = None,
    write: Callable[[Any], object],  # Any: each writes its own type.
    read: Callable[[object], object],
) -> ScalarDefinition:
    def read_literal(node: ValueNode, _variables: object = None) -> object:
        """Read the text of the literal itself, so that no digit of a number is lost."""
        if isinstance(node, IntValueNode | FloatValueNode):
            return read(_number(node.value))
        return read(node.value if isinstance(node, StringValueNode) else None)

    return strawberry.scalar(
        name=name,
        description=description,
        specified_by_url=specified_by,
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
    date: _scalar(
        "Date",
        "A day, by ISO 8601.",
        specified_by=f"{RFC_3339}#section-5.6",
        write=date.isoformat,
        read=read_date,
    ),
    datetime: _scalar(
        "DateTime",
        "A moment with its offset, by ISO 8601.",
        specified_by=RFC_3339,
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
        description="Any JSON value. A number that a double would change is given as text.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc8259",
        serialize=_as_it_is,
        parse_value=read_json,
        parse_literal=read_json_literal,
    ),
}
