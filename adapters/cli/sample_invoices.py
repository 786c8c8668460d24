"""Sample invoices: an export as it is met in life, dirt included, with its right answer.

The same seed gives the same bytes. What an import must find in them is counted while they
are made, apart from the import's own code, so that the one can be held against the other.
"""

import csv
import gzip
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from io import TextIOWrapper
from pathlib import Path
from random import Random
from typing import Final, Literal, NamedTuple, TypeAlias

from msgspec import Struct

HEADER: Final = (
    "Número",
    "FECHA",
    "Cliente",
    "Nombre",
    "País",
    "Artículo",
    "descripción",
    "Cantidad",
    "Precio unitario",
    "IVA",
    "Moneda",
)
# Below this there is no room for one of each kind of dirt.
ROWS_MIN: Final = 100
FIRST_DAY: Final = date(2026, 1, 1)
DOCUMENTS_A_DAY: Final = 40
CENT: Final = Decimal("0.01")

BAD_VALUES: Final = (
    ("date", "31/02/2010"),
    ("unit_price", "1.234,5x"),
    ("quantity", "doce"),
    ("tax_rate", "veintiuno"),
)

_Kind: TypeAlias = Literal["sale", "consumer", "cancellation", "refund", "correction"]
# One of each comes first, so that the smallest file has them all.
KINDS: Final[tuple[_Kind, ...]] = ("sale", "consumer", "cancellation", "refund", "correction")
KIND_WEIGHTS: Final = (68, 20, 6, 2, 4)

# How often each kind of dirt is met, of 1.
RETURNED_OR_FREE: Final = 0.1
SPACES_BEHIND: Final = 0.03
SPLIT: Final = 0.03
BLANK_LINE: Final = 0.005


class RejectedRow(Struct, frozen=True, kw_only=True):
    """A row that can't be read. The line is where the row starts, the header being line 1."""

    line: int
    column: str  # The canonical name.
    value: str


class Sample(Struct, frozen=True, kw_only=True):
    """What an import of the file must find.

    Rows are records: blank lines and the header are none. ``invoices`` counts every document
    that is taken, credit notes too. ``held`` counts the good rows of documents that have a
    rejected one: such a document waits whole until it is mended. ``net`` adds up what is
    taken, each document rounded on its own.
    """

    rows: int
    invoices: int
    credit_notes: int
    rejected: tuple[RejectedRow, ...]
    held: int
    net: Decimal


class _Item(NamedTuple):
    code: str
    description: str
    price: str
    tax_rate: str


class _Customer(NamedTuple):
    code: str
    name: str
    country: str


class _Row(Struct, kw_only=True):
    """A line of the file, in the order of its header."""

    number: str
    date: str
    customer_code: str
    customer_name: str
    country: str
    item_code: str
    description: str
    quantity: str
    unit_price: str
    tax_rate: str
    currency: str = "EUR"

    def cells(self) -> tuple[str, ...]:
        return tuple(getattr(self, name) for name in self.__struct_fields__)


class _Document(Struct, kw_only=True):
    rows: list[_Row]
    bad: tuple[int, str] | None = None  # Which row, and which column of it.

    @property
    def net(self) -> Decimal:
        exact = sum((Decimal(r.quantity) * Decimal(r.unit_price) for r in self.rows), Decimal())
        return exact.quantize(CENT, ROUND_HALF_UP)

    @property
    def is_credit_note(self) -> bool:
        return self.rows[0].number.startswith("C") or self.net < 0


ITEMS: Final = (
    _Item("T-0034", 'Tubo de cobre 3/4", rollo de 5 m', "41.90", "21"),
    _Item("T-0012", 'Codo 1/2" latón "macho-hembra"', "1.85", "21"),
    _Item("TOR-6", "Tornillería variada, M6 (bolsa)", "0.0375", "21"),
    _Item("PIÑ-01", "Piñón de 18 dientes", "12.40", "21"),
    _Item("CAÑ-22", "Caña de bambú, 2 m", "3.255", "21"),
    _Item("ACE-5L", "Aceite de oliva virgen extra\nGarrafa de 5 litros", "38.50", "4"),
    _Item("JAM-01", "Jamón ibérico de bellota, pieza de 7,5 kg", "289.00", "10"),
    _Item("PAN-03", "Pan de pueblo", "1.10", "4"),
    _Item("LIB-88", 'Libro "El ingenioso hidalgo", tapa dura', "24.95", "4"),
    _Item("SRV-H", "Hora de montaje; desplazamiento incluido", "36.00", "21"),
    _Item("ALQ-M", "Alquiler mensual\nNave 3, polígono Ñuñoa\nIncluye agua", "950.00", "21"),
    _Item("SEG-01", "Póliza de seguro (exenta)", "120.00", "0"),
    _Item("85123A", "  VELA AROMÁTICA  BLANCA", "2.55", "21"),
    _Item("PORTES", "Portes", "6.90", "21"),
)
REMARKS: Final = ("dañado", "recuento de almacén", "¿perdido?", "muestra, sin cargo", "")
COMPANIES: Final = ("Ferretería", "Peluquería", "Talleres", "Bodegas", "Muñoz, Peña y", "Café")
SURNAMES: Final = ("Ibáñez", "Núñez", "Güell", "Etxeberría", "O'Connor", "Castaño", "Zúñiga")
FORMS: Final = ("S.L.", "S.A.", 'C.B. "en liquidación"', "e Hijos, S.L.")
COUNTRIES: Final = ("España", "España", "España", "Ecuador", "Portugal", "France")


def write_sample(path: Path, *, rows: int = 3000, seed: int = 2026, clean: bool = False) -> Sample:
    """Write a CSV of so many rows, compressed if the name ends in ``.gz``.

    A clean one has neither bad rows nor blank lines, for readers that can't pass over them.

    Raises:
        ValueError: Fewer rows than one of each kind of dirt needs.

    """
    if rows < ROWS_MIN:
        raise ValueError(f"A sample has {ROWS_MIN} rows or more, not {rows}.")
    rng = Random(seed)  # noqa: S311 - Sample data; nothing here is a secret.
    documents = list(_documents(rng, rows))
    if not clean:
        _spoil(rng, documents)
    _soil(rng, documents)
    with _open(path) as stream:
        lines = _write(stream, _scattered(rng, documents), rng, 0 if clean else BLANK_LINE)
    return _expected(documents, lines)


def _documents(rng: Random, rows: int) -> Iterator[_Document]:
    """Make documents until the file is full; the last one takes what room is left."""
    customers = _customers(rng)
    made = sequence = 0
    while made < rows:
        kind = KINDS[sequence] if sequence < len(KINDS) else rng.choices(KINDS, KIND_WEIGHTS)[0]
        sequence += 1
        document = _document(rng, kind, sequence, rng.choice(customers))
        del document.rows[rows - made :]
        made += len(document.rows)
        yield document


def _customers(rng: Random) -> list[_Customer]:
    return [
        _Customer(
            code=f"{1000 + index}",
            name=f"{rng.choice(COMPANIES)} {rng.choice(SURNAMES)} {rng.choice(FORMS)}",
            country=rng.choice(COUNTRIES),
        )
        for index in range(240)
    ]


def _document(rng: Random, kind: _Kind, sequence: int, customer: _Customer) -> _Document:
    """Make one document. A customer who is not named is a final consumer."""
    if kind in ("consumer", "correction"):
        customer = _Customer(code="", name="", country="España")
    number = f"{'C' if kind == 'cancellation' else 'F'}26-{sequence:06}"
    # The time is there in some exports, and the date is all that counts.
    moment = rng.choice(("", "", " 08:26:00"))
    day = FIRST_DAY + timedelta(days=sequence // DOCUMENTS_A_DAY % 365)
    return _Document(
        rows=[
            _Row(
                number=number,
                date=f"{day}{moment}",
                customer_code=customer.code,
                customer_name=customer.name,
                country=customer.country,
                item_code=item.code,
                description=item.description,
                quantity=quantity,
                unit_price=item.price,
                tax_rate=item.tax_rate,
            )
            for item, quantity in _lines(rng, kind)
        ]
    )


def _lines(rng: Random, kind: _Kind) -> Iterator[tuple[_Item, str]]:
    """Give the items of a document and how many of each.

    Only what is sold has prices of more than two decimals and parts of a unit, so that
    no negative sum has to be rounded: laws differ about which way its half goes.
    """
    match kind:
        case "sale" | "consumer":
            yield rng.choice(ITEMS), str(rng.randint(2, 15))
            for _ in range(rng.randint(1, 7)):
                yield rng.choice(ITEMS), rng.choice(("1", "2", "5", "12", "0.5", "1.250"))
            yield from _returned_and_free(rng)
        case "cancellation" | "refund":
            whole_cents = [item for item in ITEMS if Decimal(item.price) % CENT == 0]
            for _ in range(rng.randint(1, 4)):
                yield rng.choice(whole_cents), str(-rng.randint(1, 12))
        case "correction":
            remark = rng.choice(REMARKS)
            yield _Item("85123A", remark, "0.0", "0"), str(-rng.randint(1, 60))


def _returned_and_free(rng: Random) -> Iterator[tuple[_Item, str]]:
    """Add, now and then, a cheap thing taken back on the same invoice, or a free one."""
    if rng.random() < RETURNED_OR_FREE:
        yield _Item("ENV-RET", "Envase retornado", "0.10", "21"), "-1"
    if rng.random() < RETURNED_OR_FREE:
        yield _Item("MUE-00", "Muestra, sin cargo", "0", "21"), "1"


def _spoil(rng: Random, documents: list[_Document]) -> None:
    """Break one row in each of a few documents, and take its number from a lone row."""
    several = [document for document in documents if len(document.rows) > 1]
    for (column, value), document in zip(
        BAD_VALUES, rng.sample(several, len(BAD_VALUES)), strict=True
    ):
        index = rng.randrange(len(document.rows))
        setattr(document.rows[index], column, value)
        document.bad = (index, column)
    lone = next(d for d in documents if len(d.rows) == 1 and d.bad is None)
    lone.rows[0].number = ""
    lone.bad = (0, "number")


def _soil(rng: Random, documents: list[_Document]) -> None:
    """Leave the spaces behind values that people and spreadsheets leave."""
    for document in documents:
        for row in document.rows:
            if row.number and rng.random() < SPACES_BEHIND:
                row.number += " "
                row.customer_name += "  "
                row.country += " "


def _scattered(rng: Random, documents: Iterable[_Document]) -> list[_Row]:
    """Put rows in the file's order: here and there an invoice's last row comes much later."""
    places: list[tuple[float, _Row]] = []
    for document in documents:
        moved = len(document.rows) > 1 and rng.random() < SPLIT
        for row in document.rows:
            is_last = row is document.rows[-1]
            away = rng.randint(20, 400) + 0.5 if moved and is_last else 0
            places.append((len(places) + away, row))
    return [row for _, row in sorted(places, key=lambda place: place[0])]


@contextmanager
def _open(path: Path) -> Iterator[TextIOWrapper]:
    """Open for UTF-8 text. Neither name nor time goes into the gzip: same seed, same bytes."""
    with path.open("wb") as raw:
        if path.suffix == ".gz":
            with (
                gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed,
                TextIOWrapper(packed, "utf-8", newline="") as text,
            ):
                yield text
        else:
            with TextIOWrapper(raw, "utf-8", newline="") as text:
                yield text


def _write(
    stream: TextIOWrapper, rows: Iterable[_Row], rng: Random, blank_line: float
) -> dict[int, int]:
    """Write header and rows, and return on which line each row starts, by its ``id()``."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(HEADER)
    line = 2
    starts: dict[int, int] = {}
    for row in rows:
        if rng.random() < blank_line:
            stream.write("\n")
            line += 1
        starts[id(row)] = line
        writer.writerow(row.cells())
        line += 1 + row.description.count("\n")
    return starts


def _expected(documents: Iterable[_Document], lines: dict[int, int]) -> Sample:
    taken: list[_Document] = []
    rejected: list[RejectedRow] = []
    held = 0
    for document in documents:
        if document.bad is None:
            taken.append(document)
            continue
        index, column = document.bad
        row = document.rows[index]
        rejected.append(RejectedRow(line=lines[id(row)], column=column, value=getattr(row, column)))
        held += len(document.rows) - 1
    return Sample(
        rows=len(lines),
        invoices=len(taken),
        credit_notes=sum(document.is_credit_note for document in taken),
        rejected=tuple(sorted(rejected, key=lambda row: row.line)),
        held=held,
        net=sum((document.net for document in taken), Decimal()),
    )
