"""A command that says what its caller has seen happens only where that is still so."""

import asyncio

import pytest

from application.asks import Unchanged
from application.bus import Bus
from application.codec import stored_names
from application.errors import Changed
from application.kernel import Outcome
from domain.invoicing import InvoiceDrafted, InvoiceIssued
from tests.application.desk import Store, context, draft, issue
from tests.invoicing.examples import ONE, TWO, drafted, issued

TYPES = stored_names((InvoiceDrafted, InvoiceIssued))


def seen(*positions: int, invoice: str = ONE) -> Unchanged:
    return Unchanged(tag=f"invoice:{invoice}", types=TYPES, positions=frozenset(positions))


ANYWHERE = Unchanged(tag=f"invoice:{ONE}", types=TYPES, positions=None)


async def test_what_is_as_it_was_seen_is_changed(bus: Bus, store: Store) -> None:
    await store.happened(drafted(TWO), drafted(ONE))
    done = await bus.execute(issue(), context(), condition=seen(2))
    assert done.events == (("InvoiceIssued", 3),)


async def test_one_of_several_sights_is_enough(bus: Bus, store: Store) -> None:
    await store.happened(drafted(TWO), drafted(ONE))
    assert (await bus.execute(issue(), context(), condition=seen(1, 2))).events


@pytest.mark.parametrize("position", [0, 1, 3, 99])
async def test_what_was_seen_elsewhere_stays_as_it_is(
    bus: Bus, store: Store, position: int
) -> None:
    await store.happened(drafted(TWO), drafted(ONE))
    with pytest.raises(Changed) as changed:
        await bus.execute(issue(), context(), condition=seen(position))
    assert (changed.value.code, changed.value.position) == ("command.changed", 2)
    assert store.appends == 0


async def test_what_happens_elsewhere_is_no_change(bus: Bus, store: Store) -> None:
    await store.happened(drafted(ONE), drafted(TWO), issued(TWO, 1))
    assert (await bus.execute(issue(), context(), condition=seen(1))).events


async def test_what_is_somewhere_is_there(bus: Bus, store: Store) -> None:
    await store.happened(drafted(TWO), drafted(ONE))
    assert (await bus.execute(issue(), context(), condition=ANYWHERE)).events


async def test_what_never_was_is_nowhere(bus: Bus, store: Store) -> None:
    await store.happened(drafted(TWO))
    with pytest.raises(Changed) as changed:
        await bus.execute(draft(), context(), condition=ANYWHERE)
    assert changed.value.position == 0


async def test_a_rival_that_comes_between_is_seen(bus: Bus, store: Store) -> None:
    """No state of the command's is touched, so that the condition alone must find it out."""
    await store.happened(drafted(ONE), drafted(TWO))

    async def rival() -> None:
        await store.happened(drafted(TWO))

    store.rival = rival
    with pytest.raises(Changed) as changed:
        await bus.execute(issue(), context(), condition=seen(2, invoice=TWO))
    assert changed.value.position == 3


async def test_of_two_at_once_who_saw_the_same_one_is_first(bus: Bus, store: Store) -> None:
    await store.happened(drafted(ONE))
    answers = await asyncio.gather(
        *(bus.execute(draft(returned=way), context(), condition=seen(1)) for way in (True, False)),
        bus.execute(issue(), context(), condition=seen(1)),
        return_exceptions=True,
    )
    changed = [each for each in answers if isinstance(each, Outcome) and each.events]
    assert len(changed) == 1
    assert any(isinstance(each, Changed) for each in answers)


async def test_two_processes_at_once_who_saw_the_same_change_it_once(store: Store) -> None:
    await store.happened(drafted(ONE))
    answers = await asyncio.gather(
        *(
            Bus(store, vault=store.vault).execute(issue(), context(), condition=seen(1))
            for _ in range(8)
        ),
        return_exceptions=True,
    )
    assert [type(each) for each in answers].count(Outcome) == 1
    assert [type(each) for each in answers].count(Changed) == 7


async def test_a_repeated_request_gets_its_first_answer_though_it_changed_what_it_saw(
    bus: Bus, store: Store
) -> None:
    await store.happened(drafted(ONE))
    first = await bus.execute(issue(), context(), key="k", condition=seen(1))
    assert await bus.execute(issue(), context(), key="k", condition=seen(1)) == first


async def test_a_condition_that_fails_does_not_use_its_key_up(bus: Bus, store: Store) -> None:
    await store.happened(drafted(ONE))
    with pytest.raises(Changed):
        await bus.execute(issue(), context(), key="k", condition=seen(7))
    assert (await bus.execute(issue(), context(), key="k", condition=seen(1))).events
