"""A read model is a fold: how the events come in batches changes nothing, and a row may go."""

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st
from msgspec import json

from domain.invoicing import InvoiceDrafted, InvoiceEvent
from domain.kernel import Command, Event
from projections.invoices import InvoiceRow, Invoices
from projections.kernel import fold, project
from tests.invoicing.examples import ONE, RETURNED, TWO, drafted, issued, recorded

events = st.sampled_from(
    [
        drafted(),
        drafted(TWO),
        drafted(lines=RETURNED),
        issued(),
        issued(TWO, 2),
        recorded(),
        recorded(TWO, "A-7"),
    ]
)


class Drafts(Invoices):
    """What waits to be issued. It has no table: it is derived from a read model that has one."""

    @staticmethod
    def apply(row: InvoiceRow | None, event: InvoiceEvent) -> InvoiceRow | None:
        return Invoices.apply(row, event) if isinstance(event, InvoiceDrafted) else None


def stored(rows: dict[str, InvoiceRow]) -> dict[str, InvoiceRow]:
    """Write the rows and read them again, as a batch of the runtime does with its table."""
    return json.decode(json.encode(rows), type=dict[str, InvoiceRow])


@settings(max_examples=40)
@for_all(st.lists(events, max_size=20), st.lists(st.integers(1, 5), max_size=20))
def test_folding_in_batches_gives_what_folding_in_one_go_gives(
    history: list[Event], sizes: list[int]
) -> None:
    rows: dict[str, InvoiceRow] = {}
    left = list(history)
    for size in [*sizes, len(history)]:
        batch, left = left[:size], left[size:]
        for event in batch:
            fold(Invoices, rows, event)
        rows = stored(rows)
    assert rows == project(Invoices, history)


def test_a_fold_says_which_row_an_event_touched() -> None:
    rows: dict[str, InvoiceRow] = {}
    assert fold(Invoices, rows, drafted(TWO)) == TWO
    assert set(rows) == {TWO}


def test_a_row_that_an_event_ends_is_gone() -> None:
    assert set(project(Drafts, [drafted(), drafted(TWO), issued()])) == {TWO}
    assert project(Drafts, [recorded()]) == {}


def test_a_row_may_come_back() -> None:
    assert set(project(Drafts, [drafted(), issued(), drafted()])) == {ONE}


def test_a_command_must_name_its_boundary() -> None:
    with pytest.raises(NotImplementedError):
        Command().boundary()
