"""What every event store promises of snapshots, and that they change nothing but time."""

import psycopg
import pytest
from msgspec.structs import replace

from adapters.embedded.servers import Urls
from adapters.runtime import Runtime, open_runtime
from adapters.settings import Settings
from application import states
from application.kernel import EVERYTHING, Context
from application.ports import Append, BoundaryQuery, EventStore, Look, Snapshot
from domain.ids import TenantId
from domain.invoicing import DraftInvoice, InvoiceId, IssueInvoice, Series
from tests.contracts.events import BOLT, NUT, event
from tests.invoicing.examples import LINES, MAY_2, A

COUNT = Snapshot(state="Count", tag=BOLT, version="v1", position=3, data='{"count":3}')
ASKED = BoundaryQuery(tag=BOLT, types=("Counted",), state="Count", version="v1")


@pytest.fixture
async def counted(store: EventStore, tenant: TenantId) -> EventStore:
    """Hold five events of one tag."""
    await store.append(tenant, Append(events=tuple(event("Counted", BOLT) for _ in range(5))))
    return store


def seen(look: Look) -> tuple[list[Snapshot], list[int]]:
    return list(look.snapshots), [each.position for each in look.events]


async def test_a_look_brings_the_snapshot_and_what_it_lacks(
    counted: EventStore, tenant: TenantId
) -> None:
    await counted.save(tenant, COUNT)
    assert seen(await counted.look(tenant, [ASKED])) == ([COUNT], [4, 5])


@pytest.mark.parametrize(
    ("asked", "brought"),
    [
        (replace(ASKED, after=2), ([COUNT], [4, 5])),
        (replace(ASKED, after=3), ([], [4, 5])),
        (replace(ASKED, after=4), ([], [5])),
        (replace(ASKED, version="v2"), ([], [1, 2, 3, 4, 5])),
        (replace(ASKED, version=""), ([], [1, 2, 3, 4, 5])),
        (replace(ASKED, state="Other"), ([], [1, 2, 3, 4, 5])),
        (replace(ASKED, tag=NUT), ([], [])),
    ],
    ids=["older", "as-new", "newer", "other-code", "none-wanted", "other-state", "other-tag"],
)
async def test_a_snapshot_that_does_not_fit_is_not_brought(
    counted: EventStore,
    tenant: TenantId,
    asked: BoundaryQuery,
    brought: tuple[list[Snapshot], list[int]],
) -> None:
    await counted.save(tenant, COUNT)
    assert seen(await counted.look(tenant, [asked])) == brought


async def test_two_states_of_one_tag_have_a_snapshot_each(
    counted: EventStore, tenant: TenantId
) -> None:
    other = replace(COUNT, state="Other", position=1)
    await counted.save(tenant, COUNT)
    await counted.save(tenant, other)
    found, events = seen(await counted.look(tenant, [ASKED, replace(ASKED, state="Other")]))
    assert sorted(found, key=lambda each: each.position) == [other, COUNT]
    assert events == [2, 3, 4, 5]


async def test_the_newest_snapshot_stays(counted: EventStore, tenant: TenantId) -> None:
    for position in (3, 5, 4):
        await counted.save(tenant, replace(COUNT, position=position))
    assert seen(await counted.look(tenant, [ASKED])) == ([replace(COUNT, position=5)], [])


async def test_other_code_takes_the_place_over(counted: EventStore, tenant: TenantId) -> None:
    await counted.save(tenant, COUNT)
    other = replace(COUNT, version="v2", position=2)
    await counted.save(tenant, other)
    assert seen(await counted.look(tenant, [ASKED])) == ([], [1, 2, 3, 4, 5])
    assert seen(await counted.look(tenant, [replace(ASKED, version="v2")]))[0] == [other]


async def test_a_snapshot_ahead_of_the_log_is_not_even_kept(
    counted: EventStore, tenant: TenantId
) -> None:
    await counted.save(tenant, replace(COUNT, position=6))
    assert seen(await counted.look(tenant, [ASKED])) == ([], [1, 2, 3, 4, 5])
    await counted.append(tenant, Append(events=(event("Counted", BOLT),) * 2))
    assert seen(await counted.look(tenant, [ASKED]))[0] == []


async def test_another_tenant_has_its_own_snapshots(
    counted: EventStore, tenant: TenantId, other_tenant: TenantId
) -> None:
    await counted.append(other_tenant, Append(events=(event("Counted", BOLT),) * 4))
    await counted.save(tenant, COUNT)
    assert seen(await counted.look(other_tenant, [ASKED])) == ([], [1, 2, 3, 4])


async def test_a_snapshot_of_another_history_is_not_used_and_gives_way(
    runtime: Runtime, database: Urls, tenant: TenantId
) -> None:
    """As where an older backup was restored, and the log went on in another way."""
    store = runtime.store
    await store.append(tenant, Append(events=(event("Counted", BOLT),) * 5))
    await store.save(tenant, replace(COUNT, position=4))
    with psycopg.connect(database.admin_database_url) as admin:
        admin.execute(
            "UPDATE snapshot SET log_hash = sha256('another') WHERE tenant_id = %s", (tenant,)
        )
    assert seen(await store.look(tenant, [ASKED])) == ([], [1, 2, 3, 4, 5])
    await store.save(tenant, COUNT)
    assert seen(await store.look(tenant, [ASKED])) == ([COUNT], [4, 5])


async def test_a_process_that_starts_cold_decides_as_the_one_that_was_there(
    settings: Settings, database: Urls, tenant: TenantId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states, "SNAPSHOT_EVENTS", 5)
    for part in range(3):
        async with open_runtime(settings) as process:
            for number in range(8):
                await _invoice(process, tenant, f"i{part}-{number}")
        with psycopg.connect(database.admin_database_url) as admin:
            saved = admin.execute(
                "SELECT data FROM snapshot WHERE tenant_id = %s", (tenant,)
            ).fetchall()
            assert len(saved) == 1
            if part == 1:
                admin.execute("DELETE FROM snapshot WHERE tenant_id = %s", (tenant,))
    async with open_runtime(settings) as process:
        series = await process.bus.fold(tenant, Series.at(series=A))
    assert series == Series(last_sequence=24, last_issued_on=MAY_2, issued_here=True)


async def _invoice(process: Runtime, tenant: TenantId, invoice: str) -> None:
    context = Context(
        tenant=tenant, actor="system", permissions=frozenset({EVERYTHING}), correlation_id="c"
    )
    draft = DraftInvoice(invoice=InvoiceId(invoice), lines=LINES)
    await process.bus.execute(draft, context)
    issue = IssueInvoice(invoice=InvoiceId(invoice), series=A, issued_on=MAY_2)
    await process.bus.execute(issue, context)
