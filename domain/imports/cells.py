"""Cells are read as what they are or rejected; nothing is guessed from one cell alone.

Marks and date orders are decided over a whole sample of the file, so that ``1.234`` means the
same in each of its rows.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any, Final, Literal, TypeAlias, TypeVar

from domain.imports.columns import Column, DateOrder, DecimalMark, Layout
from domain.kernel import Value
from domain.money import DECIMALS_MAX, is_amount

TEXT_MAX: Final[dict[Column, int]] = {
    "number": 60,
    "customer_code": 60,
    "customer_name": 200,
    "country": 60,
    "item_code": 60,
    "description": 1000,
}
POINT: Final = re.compile(r"[+-]?(\d+|\d{1,3}(,\d{3})+)(\.\d*)?|[+-]?\.\d+", re.ASCII)
COMMA: Final = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+)(,\d*)?|[+-]?,\d+", re.ASCII)
ISO_DATE: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[T ]\d{2}:\d{2}.*)?", re.ASCII)
LOCAL_DATE: Final = re.compile(
    r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(?: \d{1,2}:\d{2}.*)?", re.ASCII
)
FLOAT_CODE: Final = re.compile(r"(\d+)\.0", re.ASCII)
MONTHS: Final = 12
MEMO_MAX: Final = 10_000
T = TypeVar("T")
Kind: TypeAlias = Literal["invoice", "credit_note"]
REPLACED: Final = "\N{REPLACEMENT CHARACTER}"  # What stands for bytes that are no text.

KINDS: Final[dict[str, Kind]] = {
    **dict.fromkeys(("invoice", "factura", "f", "01"), "invoice"),
    **dict.fromkeys(
        ("credit_note", "credit note", "abono", "rectificativa", "nota de credito", "r", "04"),
        "credit_note",
    ),
}


class RowError(Exception):
    """A cell can't be read as what it should be.

    Attributes:
        code: Stable, for programs, such as ``imports.bad_date``.
        column: The column as we call it; its header is added where it is known.
        value: What stands in the cell, shortened.

    """

    def __init__(self, code: str, column: str, value: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.column = column
        self.value = value[:200]
        self.reason = reason


class ReadRow(Value):
    """One row of a file of invoices, understood."""

    number: str
    date: date
    quantity: Decimal
    unit_price: Decimal
    tax_rate: Decimal
    customer_code: str | None
    customer_name: str | None
    country: str | None
    item_code: str | None
    description: str
    currency: str | None
    kind: Kind | None


class _Memo(dict[str, T]):
    """Readings by cell. Cells repeat: a file has few days, prices and customers."""

    def __init__(self, read: Callable[[str], T]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, cell: str) -> T:
        if len(self) >= MEMO_MAX:
            self.clear()
        value = self[cell] = self._read(cell)
        return value


class RowReader:
    """Reads the rows of one file by its layout."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._month_first = layout.date_order == "month-day"
        self._prefix = re.compile(re.escape(layout.cancellation_prefix) + r"\d", re.ASCII)
        self._width = max(layout.columns.values(), default=0) + 1
        readers: dict[Column, Callable[[str], object]] = {
            "number": self._number,
            "date": self._date,
            "quantity": partial(self._amount, "quantity"),
            "unit_price": partial(self._amount, "unit_price"),
            "tax_rate": self._tax_rate,
            "customer_code": self._code,
            "customer_name": partial(self._text, "customer_name"),
            "country": partial(self._text, "country"),
            "item_code": partial(self._text, "item_code"),
            "description": lambda cell: self._text("description", cell) or "",
            "currency": self._currency,
            "kind": self._kind,
        }
        self._present = [
            (column, layout.columns[column], _Memo(self._or_default(column, read)))
            for column, read in readers.items()
            if column in layout.columns
        ]
        self._absent = {
            column: self._or_default(column, read)
            for column, read in readers.items()
            if column not in layout.columns
        }
        self._constants: dict[str, Any] = {}  # Any: each column has a type of its own.
        self._cancels = _Memo(self._by_prefix)
        self._grouped = _Memo(self._or_default("number", self._group))

    def read(self, cells: Sequence[str]) -> ReadRow:
        """Understand one row.

        Raises:
            RowError: The first cell that can't be read.

        """
        if len(cells) < self._width:
            cells = (*cells, *[""] * (self._width - len(cells)))
        if not self._constants:
            self._constants = {column: read("") for column, read in self._absent.items()}
        read = self._constants.copy()
        for column, place, memo in self._present:
            read[column] = memo[cells[place]]
        if read["kind"] is None:
            read["kind"] = self._cancels[read["number"]]
        return ReadRow(**read)

    def number_of(self, cells: Sequence[str]) -> str:
        """Say which invoice a row belongs to; empty where it does not tell."""
        place = self._layout.columns.get("number", self._width)
        return self._grouped[cells[place] if place < len(cells) else ""]

    def _or_default(self, column: Column, read: Callable[[str], T]) -> Callable[[str], T]:
        default = self._layout.defaults.get(column, "")
        return lambda cell: read(cell.strip() or default)

    def _group(self, cell: str) -> str:
        """Read a number as ``read`` does, so that rows of one invoice are found together."""
        try:
            return self._text("number", cell) or ""
        except RowError:
            return ""  # Its row is rejected when it is read.

    def _number(self, cell: str) -> str:
        number = self._text("number", cell)
        if number is None:
            raise RowError("imports.required", "number", "", "The invoice number is missing.")
        return number

    def _code(self, cell: str) -> str | None:
        code = self._text("customer_code", cell)
        return code_of(code) if code else None

    def _text(self, column: Column, cell: str) -> str | None:
        if len(cell) > TEXT_MAX[column]:
            raise RowError(
                "imports.too_long", column, cell, f"At most {TEXT_MAX[column]} characters fit."
            )
        if not cell.isprintable() or REPLACED in cell:
            cell = " ".join(cell.split())  # Line breaks and hard spaces are fine, as spaces.
            if not cell.isprintable() or REPLACED in cell:
                raise RowError("imports.not_text", column, cell, "It holds bytes that are no text.")
        return cell or None

    def _amount(self, column: Column, cell: str) -> Decimal:
        if not cell:
            raise RowError("imports.required", column, "", f"The {column} is missing.")
        value = read_number(cell, self._layout.decimal_mark)
        if value is None:
            mark = "point" if self._layout.decimal_mark == "." else "comma"
            raise RowError(
                "imports.bad_number", column, cell, f"It is no number with a decimal {mark}."
            )
        if not is_amount(value):
            reason = f"At most 15 digits before the mark fit, and {DECIMALS_MAX} after it."
            raise RowError("imports.bad_number", column, cell, reason)
        return value

    def _tax_rate(self, cell: str) -> Decimal:
        figure = cell.removesuffix("%").rstrip()
        value = read_number(figure, self._layout.decimal_mark) if figure else Decimal(0)
        if value is None or not (is_amount(value) and 0 <= value <= 100):  # noqa: PLR2004 - per cent.
            raise RowError("imports.bad_tax_rate", "tax_rate", cell, "It is no rate of 0 to 100 %.")
        return value

    def _date(self, cell: str) -> date:
        if not cell:
            raise RowError("imports.required", "date", "", "The date is missing.")
        found = read_date(cell, month_first=self._month_first)
        if found is None:
            order = "month/day/year" if self._month_first else "day/month/year"
            reason = f"There is no such date (year-month-day or {order})."
            raise RowError("imports.bad_date", "date", cell, reason)
        return found

    def _currency(self, cell: str) -> str | None:
        code = cell.upper()
        if code and not re.fullmatch("[A-Z]{3}", code):
            raise RowError(
                "imports.bad_currency", "currency", cell, "It is no ISO 4217 code, such as EUR."
            )
        return code or None

    def _kind(self, cell: str) -> Kind | None:
        if not cell:
            return None
        kind = KINDS.get(cell.lower().replace("é", "e"))
        if kind is None:
            reason = "It is neither invoice nor credit note."
            raise RowError("imports.bad_kind", "kind", cell, reason)
        return kind

    def _by_prefix(self, number: str) -> Kind | None:
        cancels = self._layout.cancellation_prefix and self._prefix.match(number)
        return "credit_note" if cancels else None


def code_of(cell: str) -> str:
    """Read a code that a spreadsheet may have made a float of: ``17850.0`` is 17850."""
    found = FLOAT_CODE.fullmatch(cell)
    return found[1] if found else cell


def read_number(cell: str, mark: DecimalMark) -> Decimal | None:
    """Read a number with or without thousands; None where it is none."""
    if mark == ".":
        return Decimal(cell.replace(",", "")) if POINT.fullmatch(cell) else None
    return Decimal(cell.replace(".", "").replace(",", ".")) if COMMA.fullmatch(cell) else None


def read_date(cell: str, *, month_first: bool) -> date | None:
    """Read a date, ISO 8601 or local, a time of day after it being dropped."""
    if found := ISO_DATE.fullmatch(cell):
        year, month, day = found[1], found[2], found[3]
    elif found := LOCAL_DATE.fullmatch(cell):
        day, month, year = found[1], found[2], found[3]
        if month_first:
            day, month = month, day
    else:
        return None
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def decimal_mark_of(cells: Iterable[str], delimiter: str) -> DecimalMark:
    """Decide between point and comma by the cells that can be only one of them."""
    point = comma = 0
    for cell in cells:
        is_point, is_comma = bool(POINT.fullmatch(cell)), bool(COMMA.fullmatch(cell))
        point += is_point and not is_comma
        comma += is_comma and not is_point
    if point == comma:
        # A list separator of ; is what spreadsheets use where the comma is the decimal mark.
        return "," if delimiter == ";" else "."
    return "," if comma > point else "."


def date_order_of(cells: Iterable[str]) -> DateOrder:
    """Decide by the dates that can be only one; day first where none can."""
    first = second = 0
    for cell in cells:
        if found := LOCAL_DATE.fullmatch(cell):
            first += int(found[1]) > MONTHS
            second += int(found[2]) > MONTHS
    return "month-day" if second > first else "day-month"
