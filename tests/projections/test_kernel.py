"""A read model is a fold: it says which rows an event touches, and a row may go and come back."""

import pytest

from domain.kernel import Command
from projections.balances import CustomerBalances
from projections.invoices import InvoiceRow, Invoices
from projections.kernel import fold, gathers, project
from projections.vat_book import VatBook
from tests.invoicing.examples import ONE, TWO, drafted, issued, line, recorded
from tests.projections.kinds import Drafts


def test_a_fold_says_which_row_an_event_touched() -> None:
    rows: dict[str, InvoiceRow] = {}
    assert fold(Invoices, rows, drafted(TWO)) == (TWO,)
    assert set(rows) == {TWO}


def test_a_fold_may_touch_several_rows_or_none() -> None:
    lines = (line("1", "1", "21"), line("1", "1", "10"))
    touched = fold(VatBook, {}, recorded(lines=lines))
    assert touched == ("2026-05:21:EUR", "2026-05:10:EUR")
    assert fold(CustomerBalances, {}, recorded()) == ()


def test_a_model_gathers_where_it_says_itself_which_rows_an_event_touches() -> None:
    assert [gathers(model) for model in (Invoices, CustomerBalances, VatBook)] == [
        False,
        True,
        True,
    ]


def test_a_row_that_an_event_ends_is_gone() -> None:
    assert set(project(Drafts, [drafted(), drafted(TWO), issued()])) == {TWO}
    assert project(Drafts, [recorded()]) == {}


def test_a_row_may_come_back() -> None:
    assert set(project(Drafts, [drafted(), issued(), drafted()])) == {ONE}


def test_a_command_must_name_its_boundary() -> None:
    with pytest.raises(NotImplementedError):
        Command().boundary()
