"""Whatever is asked, in whatever order, the books stay right."""

from collections import defaultdict

from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from domain.invoicing import (
    DraftInvoice,
    InvoiceDrafted,
    InvoiceEvent,
    InvoiceIssued,
    InvoiceNumber,
    InvoiceRecorded,
    IssueInvoice,
    RecordInvoice,
)
from domain.kernel import Command, decide
from projections.invoices import Invoices
from projections.kernel import project
from tests.invoicing.examples import LINES, MAY_1, MAY_2, ONE, RETURNED, TWO, A, B, line
from tests.kernel import history_of

invoices = st.sampled_from([ONE, TWO, ONE + "-b", TWO + "-b"])
days = st.sampled_from([MAY_1, MAY_2])
lines = st.sampled_from([LINES, RETURNED, (line("1", "0"),)])
numbers = st.sampled_from([InvoiceNumber(n) for n in ("A-1", "A-000002", "A-9", "B-1", "77")])
records = st.builds(RecordInvoice, invoice=invoices, number=numbers, issued_on=days, lines=lines)
commands: st.SearchStrategy[Command] = st.one_of(
    st.builds(DraftInvoice, invoice=invoices, lines=lines),
    st.builds(IssueInvoice, invoice=invoices, series=st.sampled_from([A, B]), issued_on=days),
    records,
)
sequences = st.lists(commands, max_size=14)


@settings(max_examples=40)
@for_all(sequences)
def test_no_sequence_of_commands_leaves_a_gap_in_a_series(sequence: list[Command]) -> None:
    last: dict[str, int] = defaultdict(int)
    day: dict[str, object] = {}
    for event in history_of(sequence):
        if isinstance(event, InvoiceRecorded) and event.series and event.sequence:
            last[event.series] = max(last[event.series], event.sequence)
        if isinstance(event, InvoiceIssued):
            last[event.series] += 1
            assert event.sequence == last[event.series]
            assert event.number == f"{event.series}-{event.sequence:06}"
            assert str(day.get(event.series, "")) <= str(event.issued_on)
            day[event.series] = event.issued_on


@settings(max_examples=40)
@for_all(sequences)
def test_no_number_is_given_twice(sequence: list[Command]) -> None:
    given = [
        event.number
        for event in history_of(sequence)
        if isinstance(event, InvoiceIssued | InvoiceRecorded)
    ]
    assert len(given) == len(set(given))


@settings(max_examples=40)
@for_all(sequences)
def test_an_issued_invoice_stays_as_it_is_for_ever(sequence: list[Command]) -> None:
    issued: set[str] = set()
    for event in history_of(sequence):
        assert isinstance(event, InvoiceEvent)
        assert event.invoice not in issued
        if not isinstance(event, InvoiceDrafted):
            issued.add(event.invoice)


@settings(max_examples=40)
@for_all(sequences, records)
def test_recording_twice_is_quiet(sequence: list[Command], record: RecordInvoice) -> None:
    history = history_of([*sequence, record])
    holder = [e for e in history if isinstance(e, InvoiceRecorded) and e.number == record.number]
    if holder and holder[0].lines == record.lines and holder[0].issued_on == record.issued_on:
        assert decide(record, history) == ()


@settings(max_examples=40)
@for_all(sequences)
def test_the_list_of_invoices_shows_what_happened(sequence: list[Command]) -> None:
    history = history_of(sequence)
    rows = project(Invoices, history)
    final = {e.invoice: e for e in history if isinstance(e, InvoiceEvent)}
    assert rows.keys() == final.keys()
    for invoice, event in final.items():
        assert rows[invoice].number == getattr(event, "number", None)
        assert (rows[invoice].status == "draft") == isinstance(event, InvoiceDrafted)
