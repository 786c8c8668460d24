"""Which column of a file is what: headers are matched by alias, whatever their case and accents."""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta

from domain.kernel import Refused, Value

Column: TypeAlias = Literal[
    "number",
    "date",
    "customer_code",
    "customer_name",
    "country",
    "item_code",
    "description",
    "quantity",
    "unit_price",
    "tax_rate",
    "currency",
    "kind",
]
DecimalMark: TypeAlias = Literal[".", ","]
DateOrder: TypeAlias = Literal["day-month", "month-day"]

REQUIRED: Final[tuple[Column, ...]] = ("number", "date", "quantity", "unit_price")
BATCH_COLUMN: Final = "_batch"
"""In a file of rejected rows: the batch that they come from, which says how they are read."""

DELIMITERS: Final = (",", ";", "\t", "|")

ALIASES: Final[dict[Column, tuple[str, ...]]] = {
    "number": (
        "number",
        "invoice",
        "invoice no",
        "invoice number",
        "número",
        "factura",
        "n.º factura",
        "número factura",
        "número de factura",
        "num factura",
        "documento",
    ),
    "date": ("date", "invoice date", "fecha", "fecha factura", "fecha de emisión", "fecha emisión"),
    "customer_code": (
        "customer code",
        "customer",
        "customer id",
        "cliente",
        "código cliente",
        "código de cliente",
        "cod cliente",
    ),
    "customer_name": (
        "customer name",
        "nombre",
        "nombre cliente",
        "nombre del cliente",
        "razón social",
    ),
    "country": ("country", "país"),
    "item_code": (
        "item code",
        "item",
        "stock code",
        "sku",
        "artículo",
        "código",
        "código artículo",
        "referencia",
    ),
    "description": ("description", "descripción", "concepto", "detalle"),
    "quantity": ("quantity", "qty", "cantidad", "unidades"),
    "unit_price": ("unit price", "price", "precio", "precio unitario"),
    "tax_rate": ("tax rate", "tax", "vat", "iva", "tipo iva", "tipo de iva", "% iva"),
    "currency": ("currency", "moneda", "divisa"),
    "kind": ("kind", "tipo", "tipo documento", "tipo de documento"),
}
"""The built-in names of each column. A tenant's own are remembered from its mappings."""


class GivenMapping(Value, forbid_unknown_fields=True):
    """What the sender of a file says about it. All of it may be left out."""

    columns: dict[str, Column] = {}  # Header as in the file -> column.
    decimal_mark: DecimalMark | None = None
    date_order: DateOrder | None = None
    cancellation_prefix: Annotated[str, Meta(max_length=10)] | None = None
    defaults: dict[Column, str] = {}  # For columns that are absent or cells that are empty.


class Layout(Value):
    """How the cells of one file are to be read: a place for each column, and the formats."""

    columns: dict[Column, int]
    delimiter: str = ","
    decimal_mark: DecimalMark = "."
    date_order: DateOrder = "day-month"
    cancellation_prefix: str = "C"
    defaults: dict[Column, str] = {}


def normalised(header: str) -> str:
    """Reduce a header to its letters and digits: ``"N.º Factura"`` becomes ``nofactura``."""
    decomposed = unicodedata.normalize("NFKD", header.strip().lower())
    return "".join(c for c in decomposed if c.isalnum())


_BUILT_IN: Final[dict[str, Column]] = {
    normalised(alias): column for column, aliases in ALIASES.items() for alias in aliases
}


def match_header(header: Sequence[str], learned: Mapping[str, Column]) -> dict[Column, int]:
    """Find the place of each column; the first header that means a column holds it."""
    places: dict[Column, int] = {}
    for place, name in enumerate(header):
        column = learned.get(normalised(name)) or _BUILT_IN.get(normalised(name))
        if column is not None:
            places.setdefault(column, place)
    return places


def check_header(header: Sequence[str], places: Mapping[Column, int], where: str) -> None:
    """Refuse a header that lacks what every invoice needs; *where* is its file and line."""
    missing = [column for column in REQUIRED if column not in places]
    if missing:
        found = ", ".join(repr(cell[:40]) for cell in header[:20]) or "nothing"
        wanted = "; ".join(f"{column}: {', '.join(ALIASES[column][:4])}" for column in missing)
        raise Refused(
            "imports.no_header",
            f"File {where}: the header ({found}) has no column for {', '.join(missing)}.",
            hint=f"Name them ({wanted}), or send a mapping.",
        )
