"""Amounts are exact until they are rounded once, half up, to what the currency can pay."""

from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import Annotated, Final

from msgspec import Meta

CurrencyCode = Annotated[str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217, such as EUR.")]

AMOUNT_MAX: Final = Decimal(10) ** 15
"""No single quantity, price or amount reaches this."""

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
    return amount.quantize(_unit(currency), rounding=ROUND_HALF_UP)


def is_amount(value: Decimal) -> bool:
    """Tell whether *value* is a finite number that a document may hold."""
    return value.is_finite() and -AMOUNT_MAX < value < AMOUNT_MAX
