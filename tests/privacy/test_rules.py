"""The rules of forgetting, and how invoices live with what was forgotten."""

from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.invoicing import DraftInvoice, RecordInvoice
from domain.kernel import FORGOTTEN
from domain.privacy import DataSubject, ForgetSubject, SubjectForgotten
from tests.invoicing.examples import ANA, LINES, MAY_1, ONE, RETURNED, drafted, recorded
from tests.kernel import given, history_of

REASON = "Asked for it."
forgotten = SubjectForgotten(kind="customer_code", value="C7", reason=REASON, generation=0)
of_ana = {
    "customer_code": ANA.code,
    "customer_name": ANA.name,
    "customer_country": ANA.country,
    "customer_tax_id": ANA.tax_id,
}
bare = {"customer_name": FORGOTTEN, "customer_tax_id": FORGOTTEN}


def forget(last_generation: int | None) -> ForgetSubject:
    return ForgetSubject(
        kind="customer_code", value="C7", reason=REASON, last_generation=last_generation
    )


def record(**changed: object) -> RecordInvoice:
    kept = recorded()
    command = RecordInvoice(
        invoice=ONE, number=kept.number, issued_on=MAY_1, lines=LINES, customer=ANA
    )
    return replace(command, **changed)


def test_somebody_is_forgotten() -> None:
    given().when(forget(0)).then(forgotten)


def test_who_is_forgotten_is_forgotten_already() -> None:
    given(forgotten).when(forget(0)).then_nothing()


def test_who_came_back_is_forgotten_again() -> None:
    given(forgotten).when(forget(1)).then(replace(forgotten, generation=1))


def test_of_whom_nothing_was_ever_sealed_nothing_is_forgotten() -> None:
    given().when(forget(None)).then_refused("privacy.subject_absent")


def test_a_forgetting_is_found_by_the_name_of_the_subject_and_among_all() -> None:
    assert forgotten.tags == {"customer_code:C7", "forgotten:subjects"}
    assert DataSubject.at(customer_code="C7").fold([forgotten]) == DataSubject(times=1)


def test_a_document_of_somebody_forgotten_is_still_the_same_document() -> None:
    held = replace(recorded(), **of_ana | bare)
    given(held).when(record()).then_nothing()
    given(held).when(record(customer=replace(ANA, name="Anna"))).then_nothing()


def test_what_was_not_forgotten_still_tells_documents_apart() -> None:
    held = replace(recorded(), **of_ana | bare)
    given(held).when(record(lines=RETURNED)).then_refused("invoicing.number_taken")
    of_another = replace(ANA, code="C8")
    given(held).when(record(customer=of_another)).then_refused("invoicing.number_taken")


def test_a_name_that_only_looks_forgotten_is_a_name() -> None:
    held = replace(recorded(), **of_ana | {"customer_name": FORGOTTEN.encode().decode()})
    assert held.customer_name == FORGOTTEN
    given(held).when(record()).then_refused("invoicing.number_taken")


def test_a_draft_of_somebody_forgotten_is_drafted_anew_with_their_name() -> None:
    held = replace(drafted(), **bare)
    asked = DraftInvoice(invoice=ONE, lines=LINES, customer=ANA)
    given(held).when(asked).then(drafted())


@settings(max_examples=60)
@for_all(st.lists(st.integers(0, 4), max_size=15))
def test_each_key_falls_once_and_in_order(generations: list[int]) -> None:
    history = history_of(forget(generation) for generation in generations)
    fallen = [event.generation for event in history if isinstance(event, SubjectForgotten)]
    assert fallen == list(range(len(fallen)))
