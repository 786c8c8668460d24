"""A command that is sent twice under one key happens once."""

import asyncio

import pytest

from application.asks import KEY_LENGTH_MAX
from application.bus import Bus
from application.errors import Malformed
from domain.kernel import Command, Refused
from tests.application.desk import TENANT, Store, context, draft, issue
from tests.invoicing.examples import TWO, drafted


async def test_the_same_key_gives_the_first_result(bus: Bus, store: Store) -> None:
    await store.happened(drafted(TWO))
    first = await bus.execute(draft("new"), context(), key="k")
    await bus.execute(draft("other"), context())
    # The id was filled in by us and is another one each time.
    assert await bus.execute(draft("newer"), context(), key="k") == first
    assert first.position == 2
    assert await store.head(TENANT) == 3


async def test_the_same_key_gives_the_first_result_in_another_process(store: Store) -> None:
    first = await Bus(store).execute(draft(), context(), key="k")
    assert await Bus(store).execute(draft(), context(), key="k") == first


async def test_the_same_key_at_the_same_time_gives_one_result(bus: Bus, store: Store) -> None:
    outcomes = await asyncio.gather(
        *(bus.execute(draft(f"i{n}"), context(), key="k") for n in range(9))
    )
    assert len({(o.position, o.ids["invoice"]) for o in outcomes}) == 1
    assert await store.head(TENANT) == 1


async def test_the_same_key_in_two_processes_at_once_gives_one_result(store: Store) -> None:
    outcomes = await asyncio.gather(
        *(Bus(store).execute(draft(f"i{n}"), context(), key="k") for n in range(9))
    )
    assert len({(o.position, o.ids["invoice"]) for o in outcomes}) == 1
    assert await store.head(TENANT) == 1


async def test_a_key_is_kept_where_nothing_changed(bus: Bus, store: Store) -> None:
    await bus.execute(draft(), context())
    quiet = await bus.execute(draft(), context(), key="k")
    await bus.execute(draft(returned=True), context())
    assert await bus.execute(draft(), context(), key="k") == quiet
    assert await store.head(TENANT) == 2


async def test_a_refused_command_does_not_use_its_key_up(bus: Bus) -> None:
    with pytest.raises(Refused):
        await bus.execute(issue(), context(), key="k")
    await bus.execute(draft(), context())
    assert (await bus.execute(issue(), context(), key="k")).position == 2


@pytest.mark.parametrize(
    ("other", "actor"),
    [(draft(returned=True), "user:ana"), (issue(), "user:ana"), (draft(), "user:eve")],
    ids=["fields", "command", "actor"],
)
async def test_a_key_stands_for_one_request(
    bus: Bus, store: Store, other: Command, actor: str
) -> None:
    await bus.execute(draft(), context(), key="k")
    with pytest.raises(Malformed) as malformed:
        await bus.execute(other, context(actor=actor), key="k")
    assert malformed.value.code == "idempotency.key_reused"
    assert store.appends == 1


@pytest.mark.parametrize("key", ["", "x" * (KEY_LENGTH_MAX + 1), "a\nb", "\x00"])
async def test_what_can_be_no_key_is_refused(bus: Bus, key: str) -> None:
    with pytest.raises(Malformed) as malformed:
        await bus.execute(draft(), context(), key=key)
    assert malformed.value.code == "idempotency.bad_key"
