"""Snapshots make a cold start short, and change nothing else."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st
from msgspec.structs import replace

from application import codec, ports, snapshots, states
from application.bus import Bus
from application.errors import Unavailable
from application.kernel import Outcome
from application.ports import BoundaryQuery, Look, Snapshot
from domain.ids import JobId, TenantId
from domain.invoicing import Series
from domain.jobs import CancelJob, ConfirmCancel, FinishJob, JobQueued, ReportProgress, StartJob
from domain.kernel import Command, Refused, State
from tests.application.desk import TENANT, Store, context, draft, issue
from tests.invoicing.examples import MAY_2, A

WITHOUT_SNAPSHOTS = {
    "domain.invoicing.Invoice",  # It holds the customer's name.
    "domain.invoicing.Number",  # As above, in one of two events that JSON can't tell apart.
}
WITH_SNAPSHOTS = {
    "domain.access.keys.ApiKey",
    "domain.access.people.EmailClaim",
    "domain.imports.batches.HeaderBook",
    "domain.imports.batches.ImportBatch",
    "domain.invoicing.Series",
    "domain.jobs.Job",
    "domain.tenants.SlugClaim",
    "domain.tenants.Tenant",
}
SERIES = (TENANT, "domain.invoicing.Series", "series:A")


class WatchedStore(Store):
    """Remembers how many events each look brought."""

    def __init__(self) -> None:
        super().__init__()
        self.brought: list[int] = []
        self.saving_fails = False

    async def look(
        self, tenant: TenantId, boundaries: Sequence[BoundaryQuery], keys: Sequence[str] = ()
    ) -> Look:
        look = await super().look(tenant, boundaries, keys)
        self.brought.append(len(look.events))
        return look

    async def save(self, tenant: TenantId, snapshot: Snapshot) -> None:
        if self.saving_fails:
            raise Unavailable("database.unavailable", "It is away.", hint="Wait.")
        await super().save(tenant, snapshot)


@pytest.fixture
def store() -> WatchedStore:
    return WatchedStore()


@pytest.fixture
async def long_series(store: WatchedStore, monkeypatch: pytest.MonkeyPatch) -> WatchedStore:
    """Hold a series of 25 invoices, with a snapshot as of the twentieth."""
    monkeypatch.setattr(states, "SNAPSHOT_EVENTS", 10)
    bus = Bus(store)
    for number in range(25):
        await bus.execute(draft(f"i{number}"), context())
        await bus.execute(issue(f"i{number}"), context())
    await bus.drain()
    return store


async def fold_series(store: Store) -> Series:
    """Fold the series in a process that starts cold."""
    bus = Bus(store)
    series = await bus.fold(TENANT, Series.at(series=A))
    await bus.drain()
    return series


AT_THE_END = Series(last_sequence=25, last_issued_on=MAY_2, issued_here=True)


def test_which_states_can_have_a_snapshot() -> None:
    codec.event_types()  # Imports every module of the rules.
    domain = {
        snapshots.name_of(state): bool(snapshots.version_of(state))
        for state in State.__subclasses__()
        if state.__module__.startswith("domain.")
    }
    assert {name for name in WITH_SNAPSHOTS if domain[name]} == WITH_SNAPSHOTS
    assert {name for name in WITHOUT_SNAPSHOTS if not domain[name]} == WITHOUT_SNAPSHOTS


def test_the_version_stands_for_the_code_of_the_fold_and_what_it_calls() -> None:
    assert snapshots.code_of(Series) == [
        "domain.ids",
        "domain.invoicing",
        "domain.kernel",
        "domain.money",
    ]
    assert snapshots.version_of(Series) != snapshots.version_of(ApiKeyLike)


async def test_a_cold_start_reads_what_the_snapshot_lacks(long_series: WatchedStore) -> None:
    assert long_series.snapshots[SERIES].position == 40
    assert await fold_series(long_series) == AT_THE_END
    assert long_series.brought[-1] == 5


async def test_deleting_snapshots_costs_time_and_nothing_else(long_series: WatchedStore) -> None:
    long_series.snapshots.clear()
    assert await fold_series(long_series) == AT_THE_END
    assert long_series.brought[-1] == 25
    assert long_series.snapshots[SERIES].position == 50
    assert await fold_series(long_series) == AT_THE_END
    assert long_series.brought[-1] == 0


async def test_what_is_too_much_to_hold_is_folded_as_a_stream(
    long_series: WatchedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    long_series.snapshots.clear()
    monkeypatch.setattr(ports, "LOOK_EVENTS_MAX", 7)
    monkeypatch.setattr(states, "CHUNK_EVENTS", 4)
    assert await fold_series(long_series) == AT_THE_END
    assert long_series.brought[-1] == 0
    assert long_series.snapshots[SERIES].position == 50


async def test_what_other_code_folded_is_not_used(long_series: WatchedStore) -> None:
    old = long_series.snapshots[SERIES]
    long_series.snapshots[SERIES] = replace(old, version="other", data='{"last_sequence":99}')
    assert await fold_series(long_series) == AT_THE_END
    assert long_series.snapshots[SERIES].version == old.version


@pytest.mark.parametrize("data", ["", "{", '{"last_sequence":"many"}', "[]", "null", "\x00"])
async def test_a_damaged_snapshot_is_folded_anew(long_series: WatchedStore, data: str) -> None:
    old = long_series.snapshots[SERIES]
    long_series.snapshots[SERIES] = replace(old, data=data)
    assert await fold_series(long_series) == AT_THE_END
    assert long_series.snapshots[SERIES].data == old.data.replace("20", "25", 1)


async def test_what_cannot_be_saved_harms_no_command(long_series: WatchedStore) -> None:
    long_series.snapshots.clear()
    long_series.saving_fails = True
    bus = Bus(long_series)
    await bus.execute(draft("new"), context())
    assert isinstance(await bus.execute(issue("new"), context()), Outcome)
    await bus.drain()
    assert long_series.snapshots == {}


async def test_a_process_that_never_starts_cold_saves_as_well(long_series: WatchedStore) -> None:
    bus = Bus(long_series)
    await bus.fold(TENANT, Series.at(series=A))
    for number in range(30, 38):
        await bus.execute_many([draft(f"i{number}"), issue(f"i{number}")], context())
    await bus.drain()
    assert long_series.snapshots[SERIES].position == 60


async def test_a_state_about_a_person_is_never_saved(
    store: WatchedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states, "SNAPSHOT_EVENTS", 1)
    bus = Bus(store)
    for _ in range(3):
        await bus.execute(draft(), context())
        await bus.execute(draft(returned=True), context())
    await bus.drain()
    assert store.snapshots == {}


async def test_states_ahead_of_a_database_that_was_taken_back_are_let_go(
    store: WatchedStore,
) -> None:
    bus = Bus(store)
    await bus.execute_many([draft(), issue(), draft("two")], context())
    store.take_back(TENANT, 1)
    assert await bus.fold(TENANT, Series.at(series=A)) == Series()
    await bus.execute(issue(), context())
    assert (await bus.fold(TENANT, Series.at(series=A))).last_sequence == 1


class ApiKeyLike(State):
    """A state of these tests."""

    def evolve(self, event: JobQueued) -> "ApiKeyLike":  # noqa: ARG002 - it has nothing to say.
        return self


JOB = JobId("j1")
invoices = st.sampled_from(["a", "b", "c"])
commands: st.SearchStrategy[Command] = st.one_of(
    st.builds(draft, invoices, returned=st.booleans()),
    st.builds(issue, invoices),
    st.just(StartJob(job=JOB)),
    st.builds(ReportProgress, job=st.just(JOB), done=st.integers(0, 3)),
    st.just(FinishJob(job=JOB, done=3)),
    st.just(CancelJob(job=JOB)),
    st.just(ConfirmCancel(job=JOB)),
)
steps = st.lists(st.tuples(commands, st.sets(st.integers(0, 3))), max_size=14)


@settings(max_examples=60, deadline=None)
@for_all(steps)
async def test_decisions_are_the_same_with_snapshots_and_without(
    sequence: list[tuple[Command, set[int]]],
) -> None:
    """Forced at every event, used by a process that starts cold each time, lost at random."""
    plain, saving = Store(), Store()
    for store in (plain, saving):
        await store.happened(JobQueued(job=JOB, kind="k", subject="s"))
    bus = Bus(plain)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(states, "SNAPSHOT_EVENTS", 1)
        patch.setattr(ports, "LOOK_EVENTS_MAX", 2)
        for command, lost in sequence:
            cold = Bus(saving)
            assert await answer(cold, command) == await answer(bus, command)
            await cold.drain()
            for number, place in enumerate(sorted(saving.snapshots)):
                if number in lost:
                    del saving.snapshots[place]
    assert await saving.history() == await plain.history()


async def answer(bus: Bus, command: Command) -> Outcome | str:
    try:
        return await bus.execute(command, context())
    except Refused as refusal:
        return refusal.code


async def test_what_waits_to_be_saved_is_bounded(
    store: WatchedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "WAITING_MAX", 3)
    saving = snapshots.Snapshots(store)
    await store.happened(JobQueued(job=JOB, kind="k", subject="s"))
    for number in range(9):
        saving.offer(TENANT, (Series, f"series:{number}"), Series(), 1)
    await asyncio.wait_for(saving.drain(), 5)
    assert len(store.snapshots) == 3
