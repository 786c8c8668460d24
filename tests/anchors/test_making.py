"""An anchor is made of every head at one moment, kept as a file, and noted in the log."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace

from adapters.anchors.checking import head_of, read_anchor
from adapters.anchors.folder import anchor_folder, timestamp_path
from adapters.anchors.listing import list_anchors
from adapters.anchors.making import LOCK, make, make_if_due, stamp_missing
from adapters.anchors.schedule import keep_anchoring
from adapters.anchors.signing_key import signing_key
from adapters.postgres.heads import PostgresHeads
from adapters.postgres.locks import held
from adapters.runtime import Runtime, open_runtime
from adapters.settings import Settings
from application.anchors import make_anchor
from application.errors import Unavailable
from domain.ids import SYSTEM_TENANT
from domain.kernel import Refused
from tests.anchors.authority import Authority
from tests.anchors.office import OPERATOR, draft, open_books


@pytest.fixture
async def runtime(settings: Settings, tmp_path: Path) -> AsyncIterator[Runtime]:
    """A process of an instance of its own: the log is shared, the folder is not."""
    async with open_runtime(replace(settings, asiento_data=tmp_path)) as opened:
        yield opened


async def test_an_instance_without_any_event_is_not_anchored(runtime: Runtime) -> None:
    assert await runtime.store.head(SYSTEM_TENANT) == 0
    assert await make_if_due(runtime, OPERATOR, 0) is None


async def test_an_anchor_holds_the_head_of_every_log(runtime: Runtime) -> None:
    acme = await open_books(runtime, "acme", invoices=3)
    system = await runtime.store.head(SYSTEM_TENANT)
    made = await make(runtime, OPERATOR)
    anchor = read_anchor(made.path, signing_key(runtime.settings).public_key)
    assert head_of(anchor, acme).position == 3
    assert head_of(anchor, SYSTEM_TENANT).position == system
    assert made.heads == len(anchor.heads)
    assert made.path.stat().st_mode & 0o777 == 0o600


async def test_the_log_keeps_what_tells_the_file_again(runtime: Runtime) -> None:
    before = await runtime.store.head(SYSTEM_TENANT)
    made = await make(runtime, OPERATOR)
    assert await runtime.store.head(SYSTEM_TENANT) == before + 1
    (listed,) = [each for each in await list_anchors(runtime) if each.digest == made.digest]
    assert (listed.status, listed.file, listed.heads) == ("kept", str(made.path), made.heads)
    assert listed.timestamp.status == "none"


async def test_anchors_form_a_chain(runtime: Runtime) -> None:
    made = [await make(runtime, OPERATOR) for _ in range(3)]
    key = signing_key(runtime.settings).public_key
    anchors = [read_anchor(each.path, key) for each in made]
    assert [b.number - a.number for a, b in pairwise(anchors)] == [1, 1]
    assert [a.previous for a in anchors[1:]] == [each.digest for each in made[:-1]]


async def test_anchors_that_are_made_at_once_take_turns(runtime: Runtime) -> None:
    made = await asyncio.gather(*(make(runtime, OPERATOR) for _ in range(4)))
    assert len({each.number for each in made}) == 4
    assert len({each.digest for each in made}) == 4


async def test_without_the_lock_one_of_two_anchors_is_refused(runtime: Runtime) -> None:
    parts = {
        "heads": PostgresHeads(runtime.pool),
        "signer": signing_key(runtime.settings),
        "keep": anchor_folder(runtime.settings),
        "clock": runtime.clock,
        "context": OPERATOR,
    }
    answers = await asyncio.gather(
        *(make_anchor(runtime.bus, **parts) for _ in range(2)),  # type: ignore[arg-type] # as above.
        return_exceptions=True,
    )
    refused = [answer for answer in answers if isinstance(answer, Refused)]
    assert [refusal.code for refusal in refused] == ["anchors.out_of_order"]
    listed = await list_anchors(runtime)
    assert [each.status for each in listed].count("not in the log") == 1


async def test_a_file_that_was_lost_is_missed(runtime: Runtime) -> None:
    made = await make(runtime, OPERATOR)
    made.path.unlink()
    (listed,) = [each for each in await list_anchors(runtime) if each.digest == made.digest]
    assert (listed.status, listed.file) == ("elsewhere", None)


async def test_a_closed_folder_stops_the_anchor_before_the_log_names_it(runtime: Runtime) -> None:
    (runtime.settings.data / "anchors").write_text("in the way")
    before = await runtime.store.head(SYSTEM_TENANT)
    with pytest.raises(Unavailable) as error:
        await make(runtime, OPERATOR)
    assert error.value.code == "anchors.not_kept"
    assert await runtime.store.head(SYSTEM_TENANT) == before


async def test_an_anchor_is_due_when_the_last_is_old_enough(runtime: Runtime) -> None:
    await make(runtime, OPERATOR)
    assert await make_if_due(runtime, OPERATOR, 3600) is None
    assert await make_if_due(runtime, OPERATOR, 0) is not None


async def test_a_due_anchor_is_left_to_the_process_that_is_at_it(runtime: Runtime) -> None:
    async with held(runtime.settings.database_url or "", LOCK, seconds_max=0) as mine:
        assert mine
        assert await make_if_due(runtime, OPERATOR, 0) is None


async def test_the_scheduler_anchors_again_and_again(runtime: Runtime) -> None:
    each_second = replace_settings(runtime, anchor_every_seconds=1)
    task = asyncio.create_task(keep_anchoring(each_second))
    try:
        async with asyncio.timeout(20):
            while [e.status for e in await list_anchors(runtime)].count("kept") < 2:  # noqa: ASYNC110 - none tells.
                await asyncio.sleep(0.1)
    finally:
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_anchors_on_demand_only_are_not_scheduled(runtime: Runtime) -> None:
    task = asyncio.create_task(keep_anchoring(replace_settings(runtime, anchor_every_seconds=0)))
    await asyncio.sleep(0.5)
    assert not task.done()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert not list(anchor_folder(runtime.settings).paths())


async def test_an_authority_that_fails_loses_no_anchor(
    runtime: Runtime, authority: Authority
) -> None:
    witnessed = replace_settings(
        runtime, tsa_url=authority.url, tsa_root_certificate=authority.root
    )
    authority.mood = "broken"
    made = await make(witnessed, OPERATOR)
    failed = await stamp_missing(witnessed)
    assert failed.failure is not None
    assert failed.done == ()
    assert made.path.exists()
    authority.mood = "good"
    assert (await stamp_missing(witnessed)).done == (made.path,)
    assert timestamp_path(made.path).exists()
    (listed,) = [each for each in await list_anchors(witnessed) if each.digest == made.digest]
    assert listed.timestamp.status == "verified"
    asked = authority.asked
    assert (await stamp_missing(witnessed)).done == ()
    assert authority.asked == asked


async def test_an_authority_that_fails_is_left_to_rest(
    runtime: Runtime, authority: Authority
) -> None:
    authority.mood = "garbage"
    hasty = replace_settings(runtime, tsa_url=authority.url, anchor_every_seconds=1)
    task = asyncio.create_task(keep_anchoring(hasty))
    await asyncio.sleep(3)
    assert not task.done()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert authority.asked == 1
    assert len(list(anchor_folder(runtime.settings).paths())) >= 1


async def test_a_log_that_grew_moves_its_head_in_the_next_anchor(runtime: Runtime) -> None:
    tenant = await open_books(runtime, "grew", invoices=1)
    key = signing_key(runtime.settings).public_key
    first = head_of(read_anchor((await make(runtime, OPERATOR)).path, key), tenant)
    await draft(runtime, tenant, 2)
    second = head_of(read_anchor((await make(runtime, OPERATOR)).path, key), tenant)
    assert (first.position, second.position) == (1, 3)
    assert first.hash != second.hash


def replace_settings(runtime: Runtime, **changed: object) -> Runtime:
    return replace(runtime, settings=replace(runtime.settings, **changed))
