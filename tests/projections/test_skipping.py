"""The rules of leaving an event out of a projection."""

from hypothesis import given as for_all
from hypothesis import strategies as st

from domain.ids import TenantId
from domain.projections import EventSkipped, ProjectionName, SkipEvent
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


SKIPPED = EventSkipped(
    tenant=TENANTS[0],
    projection=NAMES[0],
    version=2,
    position=7,
    event_type="InvoiceDrafted",
    reason="Why.",
)


def test_a_skip_says_what_was_left_out_of_what_and_why() -> None:
    given().when(skip()).then(SKIPPED)


def test_skipping_the_same_event_again_changes_nothing() -> None:
    given(SKIPPED).when(skip(reason="Another reason.")).then_nothing()


def test_one_skip_is_of_one_event_and_one_projection() -> None:
    assert len(history_of([skip(7), skip(8), skip(7, NAMES[1])])) == 3


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
