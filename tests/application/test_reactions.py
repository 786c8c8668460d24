"""An event leads to a command, once; what a rule refuses is a dead letter, and nothing else is."""

import pytest
from msgspec.structs import replace

from application.bus import Bus
from application.errors import Unavailable
from application.reactions import Cause, DeadLetter, Reaction, react, reactions
from domain.access import KeyId, RevokeApiKey
from domain.ids import JobId
from domain.invoicing import InvoiceDrafted
from domain.jobs import JobStarted, ReportWaiting
from domain.kernel import Command
from tests.application.desk import TENANT, Store, issue
from tests.invoicing.examples import drafted


class Notes(Reaction):
    """A draft is noted; noted twice, it would stand there twice."""

    name = "tests.notes"

    @staticmethod
    def on(event: InvoiceDrafted) -> Command | None:
        if not event.lines:
            return None
        return ReportWaiting(job=JobId("notes"), reason=event.invoice)


class Issues(Notes):
    """Under the same name, code of another day: it issues what is not there."""

    @staticmethod
    def on(event: InvoiceDrafted) -> Command | None:
        assert event.invoice
        return issue("none")


class Revokes(Reaction):
    """A command of another log."""

    name = "tests.revokes"

    @staticmethod
    def on(event: InvoiceDrafted) -> Command | None:
        return RevokeApiKey(key=KeyId(event.invoice))


CAUSE = Cause(tenant=TENANT, position=1, correlation_id="request-1", event=drafted())


async def test_the_command_is_run_once_however_often_the_event_is_reacted_to(
    bus: Bus, store: Store
) -> None:
    for _ in range(3):
        assert await react(bus, Notes, CAUSE) is None
    assert len(await store.history()) == 1
    (stored,) = [each async for each in store.read(TENANT)]
    assert (stored.actor, stored.causation_id) == ("reaction:tests.notes", "1")
    assert stored.correlation_id == "request-1"


async def test_each_event_has_its_own_command(bus: Bus, store: Store) -> None:
    await react(bus, Notes, CAUSE)
    await react(bus, Notes, replace(CAUSE, position=2))
    assert len(await store.history()) == 2


async def test_what_leads_to_nothing_writes_nothing(bus: Bus, store: Store) -> None:
    empty = replace(CAUSE, event=drafted(lines=()))
    assert await react(bus, Notes, empty) is None
    assert store.appends == 0


async def test_a_refusal_is_a_dead_letter_that_says_why(bus: Bus, store: Store) -> None:
    letter = await react(bus, Issues, CAUSE)
    assert isinstance(letter, DeadLetter)
    assert (letter.position, letter.code) == (1, "invoicing.not_a_draft")
    assert await store.history() == []


async def test_a_refused_event_may_be_reacted_to_later(bus: Bus, store: Store) -> None:
    await react(bus, Issues, CAUSE)
    assert await react(bus, Notes, CAUSE) is None
    assert len(await store.history()) == 1


async def test_other_code_does_not_do_again_what_was_done(bus: Bus, store: Store) -> None:
    await react(bus, Notes, CAUSE)
    assert await react(bus, Issues, CAUSE) is None
    assert len(await store.history()) == 1


async def test_one_that_others_are_always_ahead_of_waits(store: Store) -> None:
    hurried = Bus(store, vault=store.vault, seconds_max=0.0)

    async def rival() -> None:
        await store.happened(JobStarted(job=JobId("notes")))

    store.rival, store.rival_comes_again = rival, True
    with pytest.raises(Unavailable) as waits:
        await react(hurried, Notes, CAUSE)
    assert waits.value.code == "command.conflict"


async def test_a_command_of_another_log_is_a_bug(bus: Bus) -> None:
    with pytest.raises(TypeError):
        await react(bus, Revokes, CAUSE)


def test_reactions_are_found_in_the_application_alone() -> None:
    assert all(each.__module__.startswith("application.") for each in reactions().values())
