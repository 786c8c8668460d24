"""`asiento import`: a file goes through every step, with a projector and a worker that run."""

import csv
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.cli.sample_invoices import write_sample
from tests.cli.conftest import Asiento, Environment, command_line

STOP_SECONDS_MAX = 15


@pytest.fixture(scope="module", autouse=True)
def processes(environment: Environment) -> Iterator[None]:
    """A projector and a worker, as an instance has them."""
    started = [
        subprocess.Popen(command_line(name), env=environment, stderr=subprocess.DEVNULL)
        for name in ("projector", "worker")
    ]
    yield
    for process in started:
        process.terminate()
    assert [process.wait(STOP_SECONDS_MAX) for process in started] == [0, 0]


@pytest.fixture(scope="module")
def books(asiento: Asiento) -> str:
    assert asiento("tenant", "create", "books", "--name", "Books", "--country", "ES").code == 0
    return "books"


def test_good_rows_go_in_and_bad_ones_into_a_file(
    asiento: Asiento, books: str, tmp_path: Path
) -> None:
    file = tmp_path / "invoices.csv"
    sample = write_sample(file, rows=200, seed=7)
    call = ("import", str(file), "--tenant", books, "--type", "invoices", "--json")
    first = asiento(*call).json
    assert first["rows"] == sample.rows
    assert first["invoices"] == sample.invoices
    assert first["credit_notes"] == sample.credit_notes
    assert (first["rejected"], first["held"]) == (len(sample.rejected), sample.held)
    assert first["promoted"] == first["accepted"] == sample.rows - first["rejected"] - sample.held
    assert set(first["seconds"]) == {"ingest", "validate", "promote"}
    with Path(first["errors_file"]).open(encoding="utf-8", newline="") as bad:
        assert len(list(csv.DictReader(bad))) == first["rejected"] + first["held"]
    again = asiento(*call).json
    assert (again["invoices"], again["existing"]) == (0, sample.invoices)
    assert again["position"] > first["position"]


def test_without_promotion_nothing_enters_the_books(
    asiento: Asiento, books: str, tmp_path: Path
) -> None:
    file = tmp_path / "later.csv.gz"
    write_sample(file, rows=100, seed=8, clean=True)
    call = ("import", str(file), "--tenant", books, "--type", "invoices", "--no-promote")
    answer = asiento(*call, "--json").json
    assert answer["accepted"] == answer["rows"]
    assert (answer["promoted"], answer["invoices"]) == (0, 0)
    assert answer["errors_file"] is None


def test_a_file_that_can_not_be_read_says_where_and_exits_with_1(
    asiento: Asiento, books: str, tmp_path: Path
) -> None:
    file = tmp_path / "odd.csv"
    file.write_text("a,b\n1,2\n")
    answer = asiento("import", str(file), "--tenant", books, "--type", "invoices")
    assert answer.code == 1
    assert "File odd.csv, line 1" in answer.err


def test_a_mapping_names_the_columns(asiento: Asiento, books: str, tmp_path: Path) -> None:
    file, mapping = tmp_path / "mapped.csv", tmp_path / "mapping.json"
    file.write_text("n,d,q,p\nM-1,2026-03-01,2,1.50\n")
    mapping.write_text(
        '{"columns": {"n": "number", "d": "date", "q": "quantity", "p": "unit_price"}}'
    )
    call = ("import", str(file), "--tenant", books, "--type", "invoices", "--json")
    assert asiento(*call, "--mapping", str(mapping)).json["invoices"] == 1


@pytest.mark.parametrize(
    ("file", "options"),
    [(__file__, ("--type", "cows")), (__file__, ())],
    ids=["no such type", "no type"],
)
def test_wrong_usage_of_an_import_exits_with_2(
    asiento: Asiento, books: str, file: str, options: tuple[str, ...]
) -> None:
    answer = asiento("import", file, "--tenant", books, *options)
    assert answer.code == 2
    assert len(answer.err.splitlines()) == 1
