"""What a client sends, whatever it comes over: a document, its variables, and which operation."""

from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from msgspec.json import Decoder

T = TypeVar("T")


class Asked(Struct, frozen=True, rename="camel"):
    """What a client sends. Its document is a text, or named in *extensions* by a hash."""

    query: str = ""
    operation_name: str | None = None
    variables: dict[str, Any] | None = None  # Any: JSON.
    extensions: dict[str, Any] | None = None


def decoder(of: type[T]) -> Decoder[T]:
    """Make what reads JSON whose numbers keep their digits, until a Decimal sees them."""
    return msgspec.json.Decoder(of, float_hook=_number)


def _number(text: str) -> Decimal:
    """Read a number that is no whole one.

    Raises:
        ValueError: Its exponent is past any use.

    """
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError("a number is out of range") from None
