"""The sample is counted a second time, from its text alone, and both counts agree."""

import csv
import gzip
from collections import defaultdict
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path

import pytest

from adapters.cli.sample_invoices import HEADER, RejectedRow, Sample, write_sample

COLUMNS = (
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
)
Records = list[tuple[int, dict[str, str]]]


def read(path: Path) -> Records:
    """Read records with the line that each starts on."""
    records: Records = []
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.reader(stream)
        assert tuple(next(reader)) == HEADER
        start = reader.line_num + 1
        for cells in reader:
            if cells:
                records.append((start, dict(zip(COLUMNS, cells, strict=True))))
            start = reader.line_num + 1
    return records


def unreadable(record: dict[str, str]) -> str | None:
    if not record["number"].strip():
        return "number"
    try:
        datetime.fromisoformat(record["date"])
    except ValueError:
        return "date"
    for column in ("quantity", "unit_price", "tax_rate"):
        try:
            Decimal(record[column])
        except InvalidOperation:
            return column
    return None


def count(records: Records) -> Sample:
    rejected: list[RejectedRow] = []
    bad_numbers: set[str] = set()
    documents: dict[str, list[dict[str, str]]] = defaultdict(list)
    for line, record in records:
        number = record["number"].strip()
        if column := unreadable(record):
            rejected.append(RejectedRow(line=line, column=column, value=record[column]))
            bad_numbers.add(number)
        else:
            documents[number].append(record)
    held = sum(len(documents.pop(number, [])) for number in bad_numbers)
    nets = {
        number: sum(
            (Decimal(r["quantity"]) * Decimal(r["unit_price"]) for r in rows), Decimal()
        ).quantize(Decimal("0.01"), ROUND_HALF_UP)
        for number, rows in documents.items()
    }
    return Sample(
        rows=len(records),
        invoices=len(documents),
        credit_notes=sum(net < 0 or number.startswith("C") for number, net in nets.items()),
        rejected=tuple(rejected),
        held=held,
        net=sum(nets.values(), Decimal()),
    )


@pytest.mark.parametrize("seed", [1, 7, 2026])
@pytest.mark.parametrize("rows", [100, 3000])
def test_what_is_expected_is_what_the_file_holds(tmp_path: Path, rows: int, seed: int) -> None:
    path = tmp_path / "sample.csv"
    sample = write_sample(path, rows=rows, seed=seed)
    assert count(read(path)) == sample
    assert sample.rows == rows


def test_the_same_seed_gives_the_same_bytes_also_compressed(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.csv.gz", "b.csv.gz")]
    first, second = (write_sample(path) for path in files)
    assert first == second
    assert files[0].read_bytes() == files[1].read_bytes()


def test_another_seed_gives_another_file(tmp_path: Path) -> None:
    write_sample(tmp_path / "a.csv", seed=1)
    write_sample(tmp_path / "b.csv", seed=2)
    assert (tmp_path / "a.csv").read_bytes() != (tmp_path / "b.csv").read_bytes()


def test_a_compressed_sample_holds_what_the_plain_one_holds(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.csv", tmp_path / "a.csv.gz"
    write_sample(plain)
    write_sample(packed)
    assert gzip.decompress(packed.read_bytes()) == plain.read_bytes()


def test_each_kind_of_bad_value_is_there_once(tmp_path: Path) -> None:
    sample = write_sample(tmp_path / "a.csv")
    assert sorted((row.column, row.value) for row in sample.rejected) == [
        ("date", "31/02/2010"),
        ("number", ""),
        ("quantity", "doce"),
        ("tax_rate", "veintiuno"),
        ("unit_price", "1.234,5x"),
    ]
    assert sample.held > 0


def test_a_clean_sample_is_taken_whole(tmp_path: Path) -> None:
    sample = write_sample(tmp_path / "a.csv", clean=True)
    assert sample.rejected == ()
    assert sample.held == 0
    assert count(read(tmp_path / "a.csv")) == sample
    assert "\n\n" not in (tmp_path / "a.csv").read_text("utf-8")


def test_the_dirt_of_life_is_in_the_file(tmp_path: Path) -> None:
    write_sample(tmp_path / "a.csv")
    records = [record for _, record in read(tmp_path / "a.csv")]
    numbers = [record["number"].strip() for record in records]
    runs = sum(a != b for a, b in zip(numbers, ["", *numbers], strict=False))
    assert runs > len(set(numbers)), "an invoice's rows are not all together"
    assert "\n\n" in (tmp_path / "a.csv").read_text("utf-8"), "blank lines"
    assert any("\n" in record["description"] for record in records)
    assert any('"' in record["description"] for record in records)
    assert any("ñ" in record["description"] for record in records)
    assert any(record["number"].endswith(" ") for record in records)
    assert any(not record["customer_code"] for record in records)
    assert any(record["unit_price"] == "0" for record in records)
    assert any(
        record["quantity"].startswith("-") and not number.startswith("C")
        for number, record in zip(numbers, records, strict=True)
    )


def test_a_sample_too_small_for_its_dirt_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="100 rows or more"):
        write_sample(tmp_path / "a.csv", rows=99)
