"""The history of a row: every event that touched it, whose it was, and nothing of others."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from adapters.history import read_history
from adapters.runtime import Runtime
from adapters.settings import Settings
from application.errors import Forbidden, Malformed, NotFound
from application.history import HistoryEntry
from application.kernel import Context, build
from application.ports import QueryItem
from domain.access import UserEnrolled
from domain.ids import SYSTEM_TENANT
from domain.invoicing import DraftInvoice, IssueInvoice, RecordInvoice
from domain.kernel import Command
from domain.privacy import ForgetSubject
from projections.invoices import Invoices
from tests.rest.api import Tenant, make_tenant, projecting

LINES = [{"description": "Bolt", "quantity": "3", "unit_price": "1.50", "tax_rate": "21"}]
CUSTOMER = {"code": "C7", "name": "Ana Torres"}
DAY = "2026-05-02"


@pytest_asyncio.fixture(scope="module")
async def projected(settings: Settings) -> AsyncIterator[Runtime]:
    """A process with a projector beside it."""
    async with projecting(settings) as runtime:
        yield runtime


@pytest_asyncio.fixture(scope="module")
async def acme(projected: Runtime) -> Tenant:
    return await make_tenant(projected)


@pytest_asyncio.fixture(scope="module")
async def other(projected: Runtime) -> Tenant:
    return await make_tenant(projected)


def acting(tenant: Tenant, actor: str = "system", *permissions: str) -> Context:
    return Context(
        tenant=tenant.id,
        actor=actor,
        permissions=frozenset(permissions or ("*",)),
        correlation_id="request-7",
    )


async def run(
    runtime: Runtime, context: Context, command: type[Command], **given: object
) -> dict[str, str]:
    done = await runtime.bus.execute(build(command, given, runtime.clock), context)
    return done.ids


async def drafted(runtime: Runtime, context: Context, **given: object) -> str:
    asked = {"lines": LINES, **given}
    return (await run(runtime, context, DraftInvoice, **asked))["invoice"]


async def told(runtime: Runtime, tenant: Tenant, key: str) -> tuple[HistoryEntry, ...]:
    return (await read_history(runtime, acting(tenant), "Invoice", key)).entries


async def test_each_event_of_an_invoice_says_what_it_changed(
    projected: Runtime, acme: Tenant
) -> None:
    context = acting(acme)
    invoice = await drafted(projected, context, customer=CUSTOMER)
    more = [{**LINES[0], "quantity": "5"}]
    await drafted(projected, context, invoice=invoice, lines=more, customer=CUSTOMER)
    await run(projected, context, IssueInvoice, invoice=invoice, series="A", issued_on=DAY)
    first, second, third = await told(projected, acme, invoice)
    assert [e.type for e in (first, second, third)] == [
        "InvoiceDrafted",
        "InvoiceDrafted",
        "InvoiceIssued",
    ]
    assert [e.command for e in (first, third)] == ["DraftInvoice", "IssueInvoice"]
    fields = {c.field: c.after for c in first.changes}
    assert all(change.before is None for change in first.changes)
    assert (fields["status"], fields["total"]) == ("draft", "5.45")
    assert fields["customer"] == {
        "id": "C7",
        "code": "C7",
        "name": "Ana Torres",
        "country": None,
        "tax_id": None,
    }
    totals = {c.field: (c.before, c.after) for c in second.changes}
    assert totals["total"] == ("5.45", "9.08")
    assert set(totals) == {"lines", "net", "tax", "total", "due"}
    issued = {c.field: (c.before, c.after) for c in third.changes}
    assert issued == {
        "status": ("draft", "issued"),
        "number": (None, "A-000001"),
        "series": (None, "A"),
        "issued_on": (None, DAY),
    }
    assert first.correlation_id == "request-7"
    assert first.position < second.position < third.position


async def test_who_did_it_is_named(projected: Runtime, acme: Tenant) -> None:
    query = [QueryItem(types=(UserEnrolled.__name__,), tags=(f"tenant:{acme.id}",))]
    (stored,) = [e async for e in projected.store.read(SYSTEM_TENANT, query)]
    (enrolled,) = await projected.vault.read(SYSTEM_TENANT, [stored])
    assert isinstance(enrolled, UserEnrolled)
    actors = [f"user:{enrolled.user}", f"key:{acme.key_id}", "cli:ana", "user:nobody", "system"]
    invoice = "named"
    for n, actor in enumerate(actors, 1):
        lines = [{**LINES[0], "quantity": str(n)}]
        await drafted(projected, acting(acme, actor), invoice=invoice, lines=lines)
    entries = await told(projected, acme, invoice)
    assert [e.actor for e in entries] == actors
    assert [e.actor_name for e in entries] == [acme.email, "test", None, None, None]


async def test_the_names_of_other_tenants_stay_theirs(
    projected: Runtime, acme: Tenant, other: Tenant
) -> None:
    invoice = await drafted(projected, acting(acme, f"key:{other.key_id}"))
    (entry,) = await told(projected, acme, invoice)
    assert (entry.actor, entry.actor_name) == (f"key:{other.key_id}", None)


async def test_a_history_comes_in_pages(projected: Runtime, acme: Tenant) -> None:
    for n in range(1, 6):
        lines = [{**LINES[0], "quantity": str(n)}]
        await drafted(projected, acting(acme), invoice="paged", lines=lines)
    whole = await told(projected, acme, "paged")
    found: list[HistoryEntry] = []
    after, more = 0, True
    while more:
        page = await read_history(
            projected, acting(acme), "invoices", "paged", first=2, after=after
        )
        found += page.entries
        after, more = page.entries[-1].position, page.has_next
    assert tuple(found) == whole
    assert len(whole) == 5
    last = await read_history(projected, acting(acme), "invoices", "paged", after=after)
    assert (last.entries, last.has_next) == ((), False)


@pytest.mark.parametrize("name", ["invoice", "Invoice", "invoices", "INVOICES"])
async def test_a_model_goes_by_its_name_or_its_singular(
    projected: Runtime, acme: Tenant, name: str
) -> None:
    invoice = await drafted(projected, acting(acme))
    assert (await read_history(projected, acting(acme), name, invoice)).entries


@pytest.mark.parametrize("name", ["", "users", "events", "x" * 999, "pg_user"])
async def test_an_unknown_model_is_answered_with_those_there_are(
    projected: Runtime, acme: Tenant, name: str
) -> None:
    with pytest.raises(NotFound) as error:
        await read_history(projected, acting(acme), name, "any")
    assert error.value.code == "history.unknown_model"
    assert " invoices" in error.value.hint
    assert "import_batches" in error.value.hint
    assert "users" not in error.value.hint


async def test_only_models_that_the_caller_may_read_are_explained(
    projected: Runtime, acme: Tenant
) -> None:
    invoice = await drafted(projected, acting(acme))
    jobs_only = acting(acme, "key:1", "jobs.job.read")
    with pytest.raises(Forbidden, match=Invoices.permission):
        await read_history(projected, jobs_only, "invoice", invoice)
    with pytest.raises(NotFound) as error:
        await read_history(projected, jobs_only, "nothing", invoice)
    assert error.value.hint == "Ask for one of jobs."


async def test_a_row_goes_by_what_tags_its_events_alone(projected: Runtime, acme: Tenant) -> None:
    ids = []
    for number in ("N-1", "N-2"):
        given = {"number": number, "issued_on": DAY, "lines": LINES, "customer": {"code": "C-n"}}
        ids.append((await run(projected, acting(acme), RecordInvoice, **given))["invoice"])
    page = await read_history(projected, acting(acme), "invoice", "N-2")
    assert (page.id, len(page.entries)) == (ids[1], 1)
    with pytest.raises(NotFound, match=r"^Several invoices go by C-n\.$") as error:
        await read_history(projected, acting(acme), "invoice", "C-n")
    assert "number" in error.value.hint


async def test_an_id_counts_before_a_number(projected: Runtime, acme: Tenant) -> None:
    by_id = await drafted(projected, acting(acme), invoice="I-1")
    given = {"number": "I-1", "issued_on": DAY, "lines": LINES}
    await run(projected, acting(acme), RecordInvoice, **given)
    assert (await read_history(projected, acting(acme), "invoice", "I-1")).id == by_id


async def test_the_short_name_of_another_tenant_leads_nowhere(
    projected: Runtime, acme: Tenant, other: Tenant
) -> None:
    (row,) = (await read_history(projected, acting(acme), "tenant", acme.id)).entries
    (slug,) = [str(c.after) for c in row.changes if c.field == "slug"]
    assert (await read_history(projected, acting(acme), "tenant", slug)).id == acme.id
    with pytest.raises(NotFound, match="There is no Tenant"):
        await read_history(projected, acting(other), "tenant", slug)


async def test_rows_of_other_tenants_have_no_history(
    projected: Runtime, acme: Tenant, other: Tenant
) -> None:
    invoice = await drafted(projected, acting(acme))
    for model, key in (("invoice", invoice), ("tenant", acme.id), ("invoice", "none")):
        with pytest.raises(NotFound) as error:
            await read_history(projected, acting(other), model, key)
        assert error.value.code == "query.absent"


async def test_a_tenant_reads_its_own_history(projected: Runtime, acme: Tenant) -> None:
    (entry,) = (await read_history(projected, acting(acme), "tenant", acme.id)).entries
    assert (entry.type, entry.command) == ("TenantCreated", "CreateTenant")


@pytest.mark.parametrize("key", ["a\x00b", "a\x1fb", "\ud800", "x" * 999, "a\nb"])
async def test_an_id_that_can_be_none_is_refused(
    projected: Runtime, acme: Tenant, key: str
) -> None:
    with pytest.raises(Malformed):
        await read_history(projected, acting(acme), "invoice", key)


async def test_a_batch_that_nobody_knows_is_told_without_its_file(
    projected: Runtime, acme: Tenant
) -> None:
    given = {"number": "X-1", "issued_on": DAY, "lines": LINES, "batch": "b-1"}
    invoice = (await run(projected, acting(acme), RecordInvoice, **given))["invoice"]
    (entry,) = await told(projected, acme, invoice)
    assert entry.source is not None
    assert (entry.source.batch, entry.source.file_name, entry.source.lines) == ("b-1", None, ())


async def test_what_is_forgotten_of_a_person_is_blank_in_every_step(
    projected: Runtime, acme: Tenant
) -> None:
    customer = {"code": "C-gone", "name": "Berta Ruiz"}
    invoice = await drafted(projected, acting(acme), customer=customer)
    await run(projected, acting(acme), IssueInvoice, invoice=invoice, series="G", issued_on=DAY)
    assert "Berta Ruiz" in repr(await told(projected, acme, invoice))
    given = {"kind": "customer_code", "value": "C-gone", "reason": "Asked for."}
    await run(projected, acting(acme), ForgetSubject, **given)
    async with asyncio.timeout(10):
        while "Berta" in repr(await told(projected, acme, invoice)):  # noqa: ASYNC110 - no event.
            await asyncio.sleep(0.1)
    first, *_ = await told(projected, acme, invoice)
    (customer_now,) = [c.after for c in first.changes if c.field == "customer"]
    assert isinstance(customer_now, dict)
    assert customer_now["name"] == "[forgotten]"
