"""The rules of anchors."""

from datetime import UTC, datetime, timedelta

from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from domain.anchors import HEADS, AnchorHeads, Anchors, HeadsAnchored
from tests.kernel import given, history_of

AT = datetime(2026, 5, 2, 9, 30, tzinfo=UTC)
FIRST, SECOND, THIRD = ("1" * 64, "2" * 64, "3" * 64)
KEY, SIGNATURE = "a" * 64, "b" * 128


def note(number: int, digest: str, previous: str | None) -> AnchorHeads:
    return AnchorHeads(
        number=number,
        made_at=AT + timedelta(days=number),
        digest=digest,
        previous=previous,
        heads=3,
        public_key=KEY,
        signature=SIGNATURE,
    )


def noted(number: int, digest: str, previous: str | None) -> HeadsAnchored:
    return HeadsAnchored(
        chain=HEADS,
        number=number,
        made_at=AT + timedelta(days=number),
        digest=digest,
        previous=previous,
        heads=3,
        public_key=KEY,
        signature=SIGNATURE,
    )


def test_the_first_anchor_follows_nothing() -> None:
    given().when(note(1, FIRST, None)).then(noted(1, FIRST, None))


def test_an_anchor_names_the_one_before_it() -> None:
    given(noted(1, FIRST, None)).when(note(2, SECOND, FIRST)).then(noted(2, SECOND, FIRST))


def test_an_anchor_that_was_noted_is_not_noted_again() -> None:
    given(noted(1, FIRST, None)).when(note(1, FIRST, None)).then_nothing()


def test_an_anchor_that_was_overtaken_is_refused() -> None:
    given(noted(1, FIRST, None), noted(2, SECOND, FIRST)).when(note(2, THIRD, FIRST)).then_refused(
        "anchors.out_of_order"
    )


def test_an_anchor_that_forgets_the_one_before_is_refused() -> None:
    given(noted(1, FIRST, None)).when(note(2, SECOND, None)).then_refused("anchors.out_of_order")


commands = st.builds(
    note,
    number=st.integers(1, 4),
    digest=st.sampled_from([FIRST, SECOND, THIRD]),
    previous=st.sampled_from([None, FIRST, SECOND, THIRD]),
)


@settings(max_examples=60)
@for_all(st.lists(commands, max_size=9))
def test_the_chain_has_no_gap_and_no_fork(sequence: list[AnchorHeads]) -> None:
    chain = [event for event in history_of(sequence) if isinstance(event, HeadsAnchored)]
    assert [event.number for event in chain] == list(range(1, len(chain) + 1))
    assert [event.previous for event in chain] == [None, *(e.digest for e in chain)][: len(chain)]
    last = Anchors.at(chain=HEADS).fold(chain)
    assert (last.number, last.digest) == (len(chain), chain[-1].digest if chain else None)
