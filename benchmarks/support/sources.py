"""The files that are imported: a real one where it is at hand, else a generated one."""

import csv
import gzip
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from adapters.cli.sample_invoices import write_sample
from benchmarks.support.report import CHECKOUT

DECEMBER: Final = CHECKOUT.parent / "shared/data/online-retail/online-retail-2010-12.csv.gz"
GENERATED_ROWS: Final = 42_000

# What each header of the two files holds. The peers are told; ours finds out by itself.
FIELDS: Final = {
    "InvoiceNo": "number",
    "StockCode": "item_code",
    "Description": "description",
    "Quantity": "quantity",
    "InvoiceDate": "date",
    "UnitPrice": "unit_price",
    "CustomerID": "customer_code",
    "Country": "country",
    "Número": "number",
    "FECHA": "date",
    "Cliente": "customer_code",
    "Nombre": "customer_name",
    "País": "country",
    "Artículo": "item_code",
    "descripción": "description",
    "Cantidad": "quantity",
    "Precio unitario": "unit_price",
    "IVA": "tax_rate",
    "Moneda": "currency",
}


class Source(Struct, frozen=True, kw_only=True):
    """A file and what must be visible once it is imported."""

    name: str
    path: Path
    rows: int
    invoices: int


def december_or_generated(folder: Path) -> Source:
    """Return the December file, or say that it is absent and generate one of its size."""
    if DECEMBER.exists():
        with rows_of(DECEMBER) as (_, rows):
            numbers = [row[0] for row in rows]
        invoices = len(set(numbers))
        return Source(name="December file", path=DECEMBER, rows=len(numbers), invoices=invoices)
    print(
        f"{DECEMBER.name} is not in ../shared/data/online-retail: measuring with"
        f" {GENERATED_ROWS} generated rows instead. Compare no figures across the two.",
        file=sys.stderr,
    )
    path = folder / "generated.csv.gz"
    sample = write_sample(path, rows=GENERATED_ROWS, clean=True)
    return Source(name="generated file", path=path, rows=sample.rows, invoices=sample.invoices)


def repeated(source: Source, times: int, folder: Path) -> Source:
    """Write the file so many times into one, the numbers of each repetition made new."""
    path = folder / f"repeated-{times}.csv.gz"
    with gzip.open(path, "wt", compresslevel=1, encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        for repetition in range(times):
            with rows_of(source.path) as (header, rows):
                if repetition == 0:
                    writer.writerow(header)
                writer.writerows([f"{row[0].strip()}-{repetition}", *row[1:]] for row in rows)
    return Source(
        name=f"{source.name} x {times}",
        path=path,
        rows=source.rows * times,
        invoices=source.invoices * times,
    )


@contextmanager
def rows_of(path: Path) -> Iterator[tuple[list[str], Iterator[list[str]]]]:
    """Open a packed CSV and give its header and its rows. The number is the first column."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        reader = csv.reader(stream)
        header = next(reader)
        if FIELDS[header[0]] != "number":
            raise ValueError(f"{path.name} doesn't begin with the invoice's number.")
        yield header, reader


def fields_of(path: Path) -> dict[str, str]:
    """Name the field that each header of the file holds, in the file's order."""
    with rows_of(path) as (header, _):
        return {name: FIELDS[name] for name in header}
