"""Operators come and go; companies are told of what they did, and may let them look."""

from datetime import UTC, datetime, timedelta

from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from domain.operators import (
    Acts,
    AppointOperator,
    DismissOperator,
    Done,
    GrantSupport,
    NoteOperatorActs,
    OperatorActed,
    OperatorAppointed,
    OperatorDismissed,
    OperatorId,
    Operators,
    Support,
    SupportEnded,
    SupportGranted,
)
from tests.kernel import given, history_of

ANA, LUIS = OperatorId("u1"), OperatorId("u2")
NOON = datetime(2026, 5, 2, 12, tzinfo=UTC)
APPOINT, DISMISS = AppointOperator(operator=ANA, enrolled=True), DismissOperator(operator=ANA)
appointed, dismissed = OperatorAppointed(operator=ANA), OperatorDismissed(operator=ANA)
granted = SupportGranted(until=NOON + timedelta(hours=8))


def test_a_person_is_appointed_and_dismissed() -> None:
    given().when(APPOINT).then(appointed)
    given(appointed).when(DISMISS).then(dismissed)


def test_asked_twice_it_stays_quiet() -> None:
    given(appointed).when(APPOINT).then_nothing()
    given().when(DISMISS).then_nothing()
    given(appointed, dismissed).when(DISMISS).then_nothing()


def test_who_is_not_known_here_is_not_appointed() -> None:
    given().when(AppointOperator(operator=ANA)).then_refused("operators.no_person")


def test_a_company_is_told_once_of_each_act() -> None:
    suspended = Done(act="suspended", by="operator:u1", position=7, at=NOON, detail="Unpaid.")
    resumed = Done(act="resumed", by="cli:luis", position=9, at=NOON)
    told = OperatorActed(act="suspended", by="operator:u1", position=7, at=NOON, detail="Unpaid.")
    given().when(NoteOperatorActs(acts=(suspended,))).then(told)
    given(told).when(NoteOperatorActs(acts=(suspended,))).then_nothing()
    given(told).when(NoteOperatorActs(acts=(suspended, resumed))).then(
        OperatorActed(act="resumed", by="cli:luis", position=9, at=NOON)
    )
    assert Acts.own().fold([told]).noted == (NOON, 7)


def test_a_company_that_was_taken_over_is_told_of_acts_at_lower_positions() -> None:
    before = OperatorActed(act="renamed", by="cli:root", position=900, at=NOON)
    later = Done(act="resumed", by="cli:luis", position=9, at=NOON + timedelta(hours=1))
    given(before).when(NoteOperatorActs(acts=(later,))).then(
        OperatorActed(act="resumed", by="cli:luis", position=9, at=later.at)
    )


def test_support_looks_for_some_hours() -> None:
    given().when(GrantSupport(hours=8, now=NOON)).then(granted)
    assert Support.own().fold([granted]).until == NOON + timedelta(hours=8)


def test_support_is_ended_before_its_time_and_not_after_it() -> None:
    given(granted).when(GrantSupport(hours=0, now=NOON)).then(SupportEnded())
    given(granted).when(GrantSupport(hours=0, now=NOON + timedelta(hours=9))).then_nothing()
    given(granted, SupportEnded()).when(GrantSupport(hours=0, now=NOON)).then_nothing()


people = st.sampled_from([ANA, LUIS])
commands = st.one_of(
    st.builds(AppointOperator, operator=people, enrolled=st.just(value=True)),
    st.builds(DismissOperator, operator=people),
)


@settings(max_examples=30)
@for_all(st.lists(commands, max_size=9))
def test_operators_are_those_who_were_appointed_last(
    sequence: list[AppointOperator | DismissOperator],
) -> None:
    last = {each.operator: isinstance(each, AppointOperator) for each in sequence}
    found = Operators.all().fold(history_of(sequence))
    assert found.people == {each for each, is_one in last.items() if is_one}
