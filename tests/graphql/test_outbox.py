"""The outbox of a reader: in order whoever sends, bounded, and ended when told to."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from adapters.graphql.subscriptions.outbox import CHARACTERS_MAX, END, Outbox


class Reader:
    """Takes texts in as long as it is open."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.open = asyncio.Event()
        self.open.set()
        self.gone = False

    def take(self, text: str) -> bool:
        if self.gone:
            raise OSError
        if self.open.is_set():
            self.heard.append(text)
        return self.open.is_set()

    async def send(self, text: str) -> None:
        await self.open.wait()
        self.take(text)


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest_asyncio.fixture
async def reader(outbox: Outbox) -> AsyncIterator[Reader]:
    reader = Reader()
    passing_on = asyncio.create_task(outbox.pass_on(reader.send, reader.take))
    await asyncio.sleep(0)
    yield reader
    passing_on.cancel()
    await asyncio.gather(passing_on, return_exceptions=True)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_reader_that_waits_is_sent_a_text_at_once(outbox: Outbox, reader: Reader) -> None:
    outbox.put("a")
    assert reader.heard == ["a"]
    assert outbox.since is None


async def test_a_reader_that_can_only_be_waited_for_is_sent_all_in_order(outbox: Outbox) -> None:
    reader = Reader()
    passing_on = asyncio.create_task(outbox.pass_on(reader.send))
    await settle()
    for text in "abc":
        outbox.put(text)
    outbox.end()
    await asyncio.wait_for(passing_on, 1)
    assert reader.heard == [*"abc"]


async def test_what_a_slow_reader_was_begun_to_be_sent_is_sent_first(
    outbox: Outbox, reader: Reader
) -> None:
    reader.open.clear()
    for text in "abc":
        outbox.put(text)
    await settle()
    assert reader.heard == []
    assert outbox.since is not None
    reader.open.set()
    await settle()
    outbox.put("d")
    assert reader.heard == [*"abcd"]
    assert outbox.since is None


async def test_a_reader_that_is_gone_is_sent_no_more(outbox: Outbox, reader: Reader) -> None:
    reader.gone = True
    outbox.put("a")
    outbox.put("b")
    await settle()
    assert await outbox.take() is END


async def test_whoever_has_much_to_say_waits_for_room(outbox: Outbox) -> None:
    outbox.put("x" * CHARACTERS_MAX)
    assert outbox.full
    waiting = asyncio.create_task(outbox.room())
    await settle()
    assert not waiting.done()
    await outbox.take()
    await asyncio.wait_for(waiting, 1)


async def test_what_waits_is_still_taken_behind_the_end(outbox: Outbox) -> None:
    outbox.put("a")
    outbox.end()
    outbox.put("b")
    assert [await outbox.take(), await outbox.take()] == ["a", END]


async def test_what_is_dropped_is_not_taken(outbox: Outbox) -> None:
    outbox.put("a")
    outbox.drop()
    await asyncio.wait_for(outbox.room(), 1)
    assert await outbox.take() is END
