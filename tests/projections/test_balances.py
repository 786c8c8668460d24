"""What customers were invoiced: in which account a document is, and with which sign."""

from datetime import date
from decimal import Decimal
from typing import Any

from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.invoicing import CustomerCode, InvoiceRecorded
from domain.kernel import Event
from domain.money import total
from projections.balances import NOTHING, CustomerBalanceRow, CustomerBalances
from projections.invoices import Invoices
from projections.kernel import project
from tests.invoicing.examples import (
    MAY_1,
    MAY_2,
    ONE,
    RETURNED,
    TWO,
    drafted,
    issued,
    line,
    recorded,
)
from tests.projections.histories import histories

C7, C8 = CustomerCode("C7"), CustomerCode("C:8")


def balances(*history: Event) -> dict[str, CustomerBalanceRow]:
    return project(CustomerBalances, history)


def of(code: CustomerCode | None, number: str, **given: Any) -> InvoiceRecorded:  # noqa: ANN401 - of several types.
    return replace(recorded(number=number, **given), customer_code=code)


def test_a_draft_and_a_sale_to_nobody_are_in_no_account() -> None:
    assert balances(drafted(), of(None, "1")) == {}


def test_invoices_of_a_customer_add_up() -> None:
    (row,) = balances(drafted(), issued(), issued(TWO, 2, MAY_2), of(C7, "3")).values()
    assert (row.account, row.customer_code, row.currency) == ("C7:EUR", "C7", "EUR")
    assert (row.invoiced, row.credited, row.due) == (Decimal("16.35"), NOTHING, Decimal("16.35"))
    assert (row.documents, row.last_issued_on) == (3, MAY_2)


def test_a_currency_has_an_account_of_its_own() -> None:
    rows = balances(issued(ONE), of(C7, "2", currency="USD"), of(C8, "3"))
    assert list(rows) == ["C7:EUR", "C7:USD", "C:8:EUR"]
    assert CustomerBalances.tags("C:8:EUR") == ("customer_code:C:8",)


def test_a_credit_note_takes_back_what_it_says() -> None:
    credit = of(C7, "2", lines=RETURNED, kind="credit_note")
    (row,) = balances(issued(), credit).values()
    assert (row.invoiced, row.credited, row.due) == (Decimal("5.45"), Decimal("5.45"), NOTHING)
    assert row.documents == 2


def test_a_credit_note_above_zero_raises_what_is_due_as_its_row_does() -> None:
    (row,) = balances(of(C7, "C1", kind="credit_note")).values()
    assert (row.invoiced, row.credited, row.due) == (NOTHING, Decimal("-5.45"), Decimal("5.45"))


def test_the_last_day_of_issue_is_the_latest_whatever_came_last() -> None:
    older = replace(of(C7, "2"), issued_on=date(2020, 1, 1))
    (row,) = balances(issued(), older).values()
    assert row.last_issued_on == MAY_2 > MAY_1


def test_the_largest_amounts_are_exact() -> None:
    most = line("999999999999999.99", "999999999999999.99")
    (row,) = balances(of(C7, "1", lines=(most,)), of(C7, "2")).values()
    assert row.due == Decimal("999999999999999980000000000005.45")


@settings(max_examples=60)
@for_all(histories(CustomerBalances), st.sampled_from([C7, C8]))
def test_an_account_holds_what_the_invoices_say_that_is_due(
    history: list[Event], code: CustomerCode
) -> None:
    """Each document is taken as one of its own, whatever its id."""
    due: dict[str, list[Decimal]] = {}
    for event in history:
        (row,) = project(Invoices, [event]).values()
        if row.customer_code == code:
            due.setdefault(f"{code}:{row.currency}", []).append(row.due)
    rows = {key: row for key, row in balances(*history).items() if row.customer_code == code}
    assert {key: row.due for key, row in rows.items()} == {k: total(v) for k, v in due.items()}
    assert {key: row.documents for key, row in rows.items()} == {k: len(v) for k, v in due.items()}
