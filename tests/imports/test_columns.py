"""Headers are found by their many names, and a header that lacks what is needed is refused."""

import pytest

from domain.imports.columns import ALIASES, REQUIRED, Column, check_header, match_header, normalised
from domain.kernel import Refused

ONLINE_RETAIL = [
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
]


@pytest.mark.parametrize(
    ("header", "plain"),
    [
        ("N.º Factura", "nofactura"),
        ("  Fecha de Emisión ", "fechadeemision"),
        ("CÓDIGO_CLIENTE", "codigocliente"),
        ("unit-price", "unitprice"),
        ("% IVA", "iva"),
        ("Año", "ano"),
        ("***", ""),
    ],
)
def test_case_accents_and_signs_do_not_matter(header: str, plain: str) -> None:
    assert normalised(header) == plain


def test_the_headers_of_a_known_shop_are_found() -> None:
    assert match_header(ONLINE_RETAIL, {}) == {
        "number": 0,
        "item_code": 1,
        "description": 2,
        "quantity": 3,
        "date": 4,
        "unit_price": 5,
        "customer_code": 6,
        "country": 7,
    }


@pytest.mark.parametrize("column", ALIASES)
def test_every_column_has_a_name_in_both_languages(column: Column) -> None:
    for alias in (*ALIASES[column], column, column.upper()):
        assert match_header([alias], {}) == {column: 0}


def test_no_name_means_two_columns() -> None:
    names = [normalised(alias) for aliases in ALIASES.values() for alias in set(aliases)]
    by_column = {column: {normalised(a) for a in aliases} for column, aliases in ALIASES.items()}
    assert len(set(names)) == sum(map(len, by_column.values()))


def test_the_first_header_that_means_a_column_holds_it() -> None:
    assert match_header(["Fecha", "Invoice Date"], {}) == {"date": 0}


def test_what_a_tenant_taught_goes_before_what_is_built_in() -> None:
    learned: dict[str, Column] = {"precio": "description", "pvp": "unit_price"}
    assert match_header(["Precio", "P.V.P."], learned) == {"description": 0, "unit_price": 1}


def test_headers_that_mean_nothing_are_left_alone() -> None:
    assert match_header(["", "Observaciones", "***"], {}) == {}


def test_a_header_with_what_is_needed_passes() -> None:
    places: dict[Column, int] = {column: n for n, column in enumerate(REQUIRED)}
    check_header(list(REQUIRED), places, "may.csv, line 1")
    assert set(places) == set(REQUIRED)


def test_a_header_that_lacks_columns_is_refused_by_name() -> None:
    with pytest.raises(Refused) as refusal:
        check_header(["Factura", "Precio"], {"number": 0, "unit_price": 1}, "may.csv, line 1")
    assert refusal.value.code == "imports.no_header"
    assert refusal.value.message == (
        "File may.csv, line 1: the header ('Factura', 'Precio') has no column for date, quantity."
    )
    assert "fecha" in refusal.value.hint
    assert "cantidad" in refusal.value.hint


def test_an_absent_header_is_refused_too() -> None:
    with pytest.raises(Refused, match="nothing"):
        check_header([], {}, "may.csv, line 1")
