"""The rules of leaving an event out of a projection, and of taking that back."""

from hypothesis import given as for_all
from hypothesis import strategies as st

from domain.ids import TenantId
from domain.projections import (
    EventSkipped,
    EventUnskipped,
    ProjectionName,
    SkipEvent,
    UnskipEvent,
)
from tests.kernel import given, history_of

TENANTS = [TenantId("t1"), TenantId("t2")]
NAMES = [ProjectionName("invoices"), ProjectionName("reaction:copies")]


def skip(position: int = 7, name: str = NAMES[0], reason: str = "Why.") -> SkipEvent:
    return SkipEvent(
        tenant=TENANTS[0],
        projection=ProjectionName(name),
        version=2,
        position=position,
        event_type="InvoiceDrafted",
        reason=reason,
    )


def unskip(position: int = 7, name: str = NAMES[0]) -> UnskipEvent:
    return UnskipEvent(
        tenant=TENANTS[0],
        projection=ProjectionName(name),
        version=3,
        position=position,
        event_type="InvoiceDrafted",
        reason="It can be read now.",
    )


SKIPPED = EventSkipped(
    tenant=TENANTS[0],
    projection=NAMES[0],
    version=2,
    position=7,
    event_type="InvoiceDrafted",
    reason="Why.",
)


UNSKIPPED = EventUnskipped(
    tenant=TENANTS[0],
    projection=NAMES[0],
    version=3,
    position=7,
    event_type="InvoiceDrafted",
    reason="It can be read now.",
)


def test_a_skip_says_what_was_left_out_of_what_and_why() -> None:
    given().when(skip()).then(SKIPPED)


def test_skipping_the_same_event_again_changes_nothing() -> None:
    given(SKIPPED).when(skip(reason="Another reason.")).then_nothing()


def test_one_skip_is_of_one_event_and_one_projection() -> None:
    assert len(history_of([skip(7), skip(8), skip(7, NAMES[1])])) == 3


def test_taking_a_skip_back_says_of_what_and_why() -> None:
    given(SKIPPED).when(unskip()).then(UNSKIPPED)


def test_what_is_not_skipped_is_not_taken_back() -> None:
    given().when(unskip()).then_nothing()
    given(SKIPPED).when(unskip(8)).then_nothing()
    given(SKIPPED).when(unskip(7, NAMES[1])).then_nothing()
    given(SKIPPED, UNSKIPPED).when(unskip()).then_nothing()


def test_what_was_taken_back_can_be_skipped_again() -> None:
    given(SKIPPED, UNSKIPPED).when(skip()).then(SKIPPED)


@for_all(st.lists(st.builds(lambda act, at: act(at), st.sampled_from([skip, unskip]), st.just(7))))
def test_whatever_is_asked_skips_and_their_ends_take_turns(
    commands: list[SkipEvent | UnskipEvent],
) -> None:
    happened = [type(event) for event in history_of(commands)]
    assert happened[::2] == [EventSkipped] * len(happened[::2])
    assert happened[1::2] == [EventUnskipped] * len(happened[1::2])


@for_all(
    st.lists(
        st.builds(
            SkipEvent,
            tenant=st.sampled_from(TENANTS),
            projection=st.sampled_from(NAMES),
            version=st.none(),
            position=st.integers(1, 3),
            event_type=st.just("InvoiceDrafted"),
            reason=st.just("Why."),
        )
    )
)
def test_whatever_is_asked_no_place_is_skipped_twice(commands: list[SkipEvent]) -> None:
    happened = [e for e in history_of(commands) if isinstance(e, EventSkipped)]
    places = [(e.tenant, e.projection, e.position) for e in happened]
    assert len(places) == len(set(places))
    assert set(places) == {(c.tenant, c.projection, c.position) for c in commands}
