"""Words find rows whatever their case and accents, and nothing of a pattern is understood."""

import pytest

from adapters.postgres.models.search import TEXT_LENGTH_MAX, folded, patterns, search_text
from projections.invoices import Invoices
from projections.kernel import ReadModel, Row, project
from tests.invoicing.examples import recorded
from tests.projections.kinds import Bill, BuyerRow, Buyers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("García", "garcia"),
        ("PEÑA Muñoz", "pena munoz"),
        ("Pen\u0303a", "pena"),
        ("  a\t b\n\u00a0c ", "a b c"),
        ("STRASSE", "strasse"),
        ("straße", "strasse"),
        ("İstanbul", "istanbul"),
        ("Nº ①", "no 1"),
        ("\uff21\uff22", "ab"),
        ("a\x00b", "ab"),
        ("\u0301", ""),
        ("", ""),
    ],
)
def test_case_and_accents_and_spaces_do_not_matter(text: str, expected: str) -> None:
    assert folded(text) == expected
    assert folded(folded(text)) == expected


def test_each_word_is_looked_for_once_and_literally() -> None:
    assert patterns("Ana 2026 ANA") == ["%ana%", "%2026%"]
    assert patterns(r"50% a_b c\d") == [r"%50\%%", r"%a\_b%", r"%c\\d%"]
    assert patterns(" \t ") == []


def test_a_row_has_the_words_of_its_columns_and_of_lists_in_them() -> None:
    bills = (Bill(number="A-1", name=None), Bill(number="Ñ-2", name=None))
    row = BuyerRow(customer_code="C7", name="José Núñez", bills=bills)
    assert search_text(Buyers, row) == "jose nunez c7 a-1 n-2"
    assert search_text(Buyers, BuyerRow(customer_code="C8", name=None)) == "c8"


def test_what_is_not_there_has_no_words() -> None:
    (row,) = project(Invoices, [recorded()]).values()
    assert row.customer is None
    assert search_text(Invoices, row) == "536365"


def test_each_of_a_list_of_words_is_one() -> None:
    class Named(Row):
        names: tuple[str, ...]

    class Names(ReadModel[Named]):
        search = ("names",)

    assert search_text(Names, Named(names=("Ana", "Núñez Gil"))) == "ana nunez gil"


def test_a_search_text_has_an_end() -> None:
    row = BuyerRow(customer_code="C7", name="x " * TEXT_LENGTH_MAX)
    assert len(search_text(Buyers, row)) == TEXT_LENGTH_MAX
