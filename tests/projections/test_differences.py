"""What changed between two moments: each row that did, once, and nothing that did not."""

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as for_all
from hypothesis import strategies as st

from adapters.postgres.models.differences import ChangedRow, Span, differences
from adapters.postgres.models.shown import shown
from adapters.runtime import Runtime
from application.codec import UnknownEvent
from application.history import changes
from domain.invoicing import DraftInvoice, InvoiceId
from projections.balances import CustomerBalances
from projections.invoices import Invoices
from projections.kernel import ReadModel, project, read_models
from projections.vat_book import VatBook
from tests.invoicing.examples import LINES
from tests.privacy.conftest import Desk
from tests.projections.conftest import append, append_raw, log_of
from tests.projections.histories import histories
from tests.projections.kinds import KINDS

Model = type[ReadModel[Any]]
MODELS = [*read_models().values(), *KINDS]


async def walk(desk: Desk, model: Model, span: Span, first: int) -> list[ChangedRow]:
    """Follow the pages to the end."""
    found: list[ChangedRow] = []
    behind: int | None = 0
    while behind is not None:
        page = await differences(log_of(desk), model, span, first=first, behind=behind)
        found += page.rows
        assert page.next is None or page.next > behind
        behind = page.next
    return found


@pytest.mark.parametrize("model", MODELS, ids=[model.name for model in MODELS])
@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@for_all(data=st.data())
async def test_differences_are_those_of_two_independent_folds(
    runtime: Runtime, model: Model, data: st.DataObject
) -> None:
    desk = Desk(runtime)
    history = data.draw(histories(model))
    await append(desk, history)
    before = data.draw(st.integers(0, len(history)))
    after = data.draw(st.integers(before, len(history)))
    was, is_ = project(model, history[:before]), project(model, history[:after])
    expected = {
        key: changed
        for key in {*was, *is_}
        if (changed := changes(*(shown(rows[key]) if key in rows else None for rows in (was, is_))))
    }
    found = await walk(desk, model, Span(before, after), data.draw(st.integers(1, 4)))
    assert {row.id: row.changes for row in found} == expected
    assert len(found) == len(expected)


async def test_rows_come_in_the_order_in_which_they_were_touched(desk: Desk) -> None:
    for number, code in (("1", "C7"), ("2", "C8"), ("3", "C7"), ("4", "C9")):
        await desk.record(number, code)
    found = await walk(desk, CustomerBalances, Span(1, 4), 100)
    assert [row.id for row in found] == ["C8:EUR", "C7:EUR", "C9:EUR"]
    fields = {change.field: (change.before, change.after) for change in found[1].changes}
    assert fields == {"invoiced": ("5.45", "10.90"), "documents": (1, 2), "due": ("5.45", "10.90")}
    (line,) = await walk(desk, VatBook, Span(3, 4), 100)
    assert {change.field for change in line.changes} == {"base", "tax", "documents"}


async def test_a_row_that_became_what_it_was_did_not_change(desk: Desk) -> None:
    for lines in (LINES, LINES * 2, LINES):
        command = DraftInvoice(invoice=InvoiceId("d1"), lines=lines)
        await desk.runtime.bus.execute(command, desk.context)
    assert len(await walk(desk, Invoices, Span(1, 2), 100)) == 1
    assert await walk(desk, Invoices, Span(1, 3), 100) == []
    assert await walk(desk, Invoices, Span(3, 3), 100) == []


async def test_an_event_of_a_newer_version_is_named(desk: Desk) -> None:
    await desk.record("1")
    await append_raw(desk, "CustomerMerged", "{}", "customer_code:C7")
    with pytest.raises(UnknownEvent):
        await walk(desk, CustomerBalances, Span(0, 2), 100)
    assert len(await walk(desk, CustomerBalances, Span(0, 1), 100)) == 1
