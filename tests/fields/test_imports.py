"""A file has columns for the fields that a company added: by their name, or what it calls them."""

from pathlib import Path

import pytest

from domain.fields import AddCustomField, EntityName
from domain.profiles import ChangeProfile
from tests.imports.office import Office

INVOICE = EntityName("invoicing.invoice")
FILE = """number;date;quantity;unit_price;Mesa;custom.guests;delivered;due;remark
A-1;01/05/2026;1;1,50;2;1.234,5;Sí;31/05/2026;nothing of ours
A-1;01/05/2026;2;1,50;1;;;;
A-2;02/05/2026;1;1,50;;;;;
A-3;03/05/2026;1;1,50;9;;;;
A-4;04/05/2026;1;1,50;;many;;;
A-5;05/05/2026;1;1,50;;;perhaps;;
A-6;06/05/2026;1;1,50;;;;31/02/2026;
"""


@pytest.fixture
async def office(tmp_path: Path) -> Office:
    office = Office(tmp_path)
    await office.open_books()
    return office


async def add(office: Office) -> None:
    for field, kind, label, choices in (
        ("table", "choice", "Mesa", ("1", "2")),
        ("guests", "number", "", ()),
        ("delivered", "boolean", "", ()),
        ("due", "date", "", ()),
    ):
        await office.execute(
            AddCustomField, entity=INVOICE, field=field, type=kind, label=label, choices=choices
        )


async def test_columns_of_a_file_fill_the_fields_of_the_company(office: Office) -> None:
    await add(office)
    await office.run_all(FILE)
    found = {number: row.custom for number, row in (await office.invoices()).items()}
    assert found == {
        "A-1": {"table": "2", "guests": "1234.5", "delivered": True, "due": "2026-05-31"},
        "A-2": None,
    }


async def test_a_cell_that_is_not_of_the_type_rejects_its_row(office: Office) -> None:
    await add(office)
    batch = await office.run_all(FILE)
    assert office.errors(batch) == {
        5: ("fields.bad_value", "custom.table", "9"),
        6: ("fields.bad_value", "custom.guests", "many"),
        7: ("fields.bad_value", "custom.delivered", "perhaps"),
        8: ("fields.bad_value", "custom.due", "31/02/2026"),
    }


async def test_where_a_company_added_nothing_such_columns_are_passed_over(office: Office) -> None:
    await office.run_all(FILE)
    found = await office.invoices()
    assert len(found) == 6
    assert {row.custom for row in found.values()} == {None}


async def test_amounts_are_in_the_currency_of_the_profile(office: Office) -> None:
    await office.execute(ChangeProfile, currency="GBP")
    await office.run_all(FILE)
    assert {row.currency for row in (await office.invoices()).values()} == {"GBP"}
