"""Amounts are exact until they are rounded once, half up, to what the currency can pay."""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import cache, reduce
from typing import Annotated, Final

from msgspec import Meta

CurrencyCode = Annotated[
    str, Meta(pattern=r"^[A-Z]{3}$(?!\n)", description="ISO 4217, such as EUR.")
]

AMOUNT_MAX: Final = Decimal(10) ** 15
"""No single quantity or price reaches this."""

DECIMALS_MAX: Final = 30
"""Decimals that a quantity, a price or a rate may have."""

EXACT: Final = Context(prec=150, rounding=ROUND_HALF_UP)
"""Wide enough for the sum of the largest lines: the default of 28 digits would round before us."""

DIGITS_MAX: Final = AMOUNT_MAX.adjusted()
FINEST: Final = Decimal(1).scaleb(-DECIMALS_MAX)
product: Final = EXACT.multiply
"""Multiply without rounding."""

_DECIMALS: Final = {
    **dict.fromkeys(
        (
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
"""Decimals of the currencies that do not have two (ISO 4217, table A.1)."""


@cache
def _unit(currency: str) -> Decimal:
    return Decimal(1).scaleb(-_DECIMALS.get(currency, 2))


def rounded(amount: Decimal, currency: str) -> Decimal:
    """Round *amount* half up to the smallest unit of *currency*."""
    return EXACT.quantize(amount, _unit(currency))


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Add without rounding."""
    return reduce(EXACT.add, amounts, Decimal())


def is_amount(value: Decimal) -> bool:
    """Tell whether *value* is a number that a document may hold: finite, and not too long."""
    return (
        value.is_finite()
        and -AMOUNT_MAX < value < AMOUNT_MAX
        and -DECIMALS_MAX <= value.adjusted() <= DIGITS_MAX  # A zero may have any exponent.
        and value == value.quantize(FINEST, context=EXACT)
    )
