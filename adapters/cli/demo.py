"""`asiento demo`: a walk through what Asiento does, on generated invoices, ending by itself."""

import asyncio
import re
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from rich.progress import Progress

from adapters.audit.log import verify
from adapters.cli.demo_client import DemoClient
from adapters.cli.demo_file import read_demo
from adapters.cli.demo_instance import demo_instance
from adapters.cli.demo_proof import checksum, tamper
from adapters.cli.demo_tenant import ensure_demo_tenant
from adapters.cli.failures import FAILED
from adapters.cli.output import Story, Table, progress
from adapters.cli.sample_invoices import Sample, write_sample
from adapters.cli.session import find_tenant, open_and, operator, prepare
from adapters.cli.watch import watch_projection
from adapters.keyring import open_keyring
from adapters.postgres.models.versions import consumer_of
from adapters.postgres.projecting.building.rebuild import rebuild
from adapters.runtime import Runtime
from adapters.settings import Settings
from application.errors import ApplicationError
from application.kernel import build
from domain.ids import TenantId
from domain.imports import IngestRows
from projections.invoices import Invoices

ROWS: Final = 3_000
SEED: Final = 2026
CLIENTS: Final = 32
SERIES: Final = "DEMO"

OPEN: Final = """mutation { openImportBatch(input: {origin: "demo"}) { batch } }"""
VALIDATE: Final = "mutation ($batch: ID!) { validateImportBatch(input: {batch: $batch}) { job } }"
PROMOTE: Final = "mutation ($batch: ID!) { promoteImportBatch(input: {batch: $batch}) { job } }"
WATCH: Final = "subscription ($job: ID!) { jobProgress(job: $job) { status done total message } }"
BATCH: Final = """query ($batch: ID!, $at: Position) { importBatch(id: $batch, atLeast: $at) {
  rows accepted rejected held invoices creditNotes existing } }"""
DRAFT: Final = """mutation { draftInvoice(input: {lines: [
  {description: "Bolt", quantity: "2", unitPrice: "1.50", taxRate: "21"}]}) { invoice } }"""
ISSUE: Final = """mutation ($invoice: ID!, $series: String!) {
  issueInvoice(input: {invoice: $invoice, series: $series}) { position } }"""
NUMBERS: Final = """query ($ids: [ID!], $at: Position) {
  invoices(first: 100, filter: {id: {in: $ids}}, orderBy: NUMBER_ASC, atLeast: $at) {
    nodes { number total } } }"""
LATEST: Final = """query ($at: Position) {
  invoices(first: 5, filter: {status: {eq: "issued"}}, orderBy: ISSUED_ON_DESC, atLeast: $at) {
    totalCount nodes { number kind issuedOn customer { name } net total } } }"""


class Stage(Struct, frozen=True, kw_only=True):
    """What the acts play on."""

    story: Story
    client: DemoClient
    runtime: Runtime
    tenant: TenantId


class DemoFailed(ApplicationError):
    """The demo did not see what it is there to show."""


def demo() -> int:
    """Import generated invoices, watch, query and issue by GraphQL, and verify the log."""
    with demo_instance(prepare()) as settings:
        return open_and(settings, lambda runtime: _play(runtime, settings))


async def _play(runtime: Runtime, settings: Settings) -> int:
    await asyncio.to_thread(ensure_demo_tenant, settings)
    known = read_demo(settings)
    if known is None:
        return FAILED
    story = Story()
    stage = Stage(
        story=story,
        client=DemoClient(known),
        runtime=runtime,
        tenant=await find_tenant(runtime, known.tenant),
    )
    story.tell(f"The instance serves at {known.url}; the tenant is {known.tenant}.")
    for act in (_import, _query, _issue, _verify, _tamper, _rebuild):
        await act(stage)
    story.heading("Done")
    story.tell(f"Documentation: {known.url}/docs. What was imported stays in the tenant demo.")
    return 0


async def _import(stage: Stage) -> None:
    stage.story.heading("Import a file, and watch it live")
    batch = (await _ask(stage, OPEN))["openImportBatch"]["batch"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "invoices.csv"
        sample = write_sample(path, rows=ROWS, seed=SEED)
        stage.story.tell(
            f"{sample.rows:,} rows of an export as it is met in life, {len(sample.rejected)} of"
            " them unreadable. Each step is a job; the bars are its GraphQL subscription."
        )
        job = await _send(stage, batch, path)
    with progress() as bars:
        await _watch(stage, bars, "ingest", job)
        for step, document in (("validate", VALIDATE), ("promote", PROMOTE)):
            (started,) = (await _ask(stage, document, {"batch": batch})).values()
            await _watch(stage, bars, step, started["job"])
    variables = {"batch": batch, "at": await _head(stage)}
    found = (await _ask(stage, BATCH, variables))["importBatch"]
    _tell_import(stage, sample, found)


async def _send(stage: Stage, batch: str, path: Path) -> str:
    """Keep the file and start the job that reads it, as `asiento import` does."""
    runtime = stage.runtime
    sha256 = await runtime.blobs.put(stage.tenant, path)
    size = runtime.blobs.path(stage.tenant, sha256).stat().st_size
    given = {"batch": batch, "sha256": sha256, "name": path.name, "size_bytes": size}
    command = build(IngestRows, given, runtime.clock)
    return (await runtime.bus.execute(command, operator(stage.tenant))).ids["job"]


async def _watch(stage: Stage, bars: Progress, step: str, job: str) -> None:
    """Draw what the subscription tells of a job, until the job ends."""
    bar = bars.add_task(step, total=None, said="")
    async for news in stage.client.watch(WATCH, {"job": job}):
        told = news["jobProgress"]
        total = told["done"] if told["status"] == "succeeded" else told["total"]
        bars.update(bar, completed=told["done"], total=total, said=told["message"])
        _expect(told["status"] != "failed", told["message"])


def _tell_import(stage: Stage, sample: Sample, found: dict[str, Any]) -> None:
    counts = {name: int(count) for name, count in found.items()}
    stage.story.table(Table(("WHAT", "HOW MANY"), list(counts.items())))
    if counts["existing"]:
        stage.story.tell(
            f"{counts['existing']:,} invoices were in the books already: nothing is made twice."
        )
    else:
        stage.story.tell(
            f"The file holds {sample.invoices:,} good invoices: all of them are in the books."
        )
    documents = counts["invoices"] + counts["existing"]
    _expect(documents == sample.invoices, f"{documents} of {sample.invoices} invoices are there.")


async def _query(stage: Stage) -> None:
    stage.story.heading("Query invoices by GraphQL")
    found = (await _ask(stage, LATEST, {"at": await _head(stage)}))["invoices"]
    rows = [
        (
            node["number"],
            node["kind"],
            node["issuedOn"],
            (node["customer"] or {}).get("name"),
            node["net"],
            node["total"],
        )
        for node in found["nodes"]
    ]
    columns = ("NUMBER", "KIND", "ISSUED ON", "CUSTOMER", "NET", "TOTAL")
    stage.story.table(Table(columns, rows))
    stage.story.tell(f"These are the latest of {found['totalCount']:,}.")


async def _issue(stage: Stage) -> None:
    stage.story.heading(f"Issue {CLIENTS} invoices at the same moment")
    drafts = await asyncio.gather(*(_ask(stage, DRAFT) for _ in range(CLIENTS)))
    ids = [each["draftInvoice"]["invoice"] for each in drafts]
    issued = await asyncio.gather(
        *(_ask(stage, ISSUE, {"invoice": each, "series": SERIES}) for each in ids)
    )
    last = max(int(each["issueInvoice"]["position"]) for each in issued)
    found = await _ask(stage, NUMBERS, {"ids": ids, "at": str(last)})
    numbers = sorted(int(re.sub(r"\D", "", node["number"])) for node in found["invoices"]["nodes"])
    total = sum(Decimal(node["total"]) for node in found["invoices"]["nodes"])
    gapless = numbers == list(range(numbers[0], numbers[0] + CLIENTS))
    _expect(gapless, f"The numbers are {numbers}.")
    stage.story.tell(
        f"Series {SERIES} gave the numbers {numbers[0]} to {numbers[-1]}: one each, no gap, no"
        f" repeat. Together they bill {total}."
    )


async def _verify(stage: Stage) -> None:
    stage.story.heading("Prove that no event was changed")
    url = stage.runtime.settings.database_url or ""
    verified = await asyncio.to_thread(verify, url, stage.tenant)
    _expect(verified.ok, f"Event {verified.first_bad}: {verified.reason}")
    stage.story.tell(f"{verified.events:,} events recomputed; the chain ends in {verified.head}.")


async def _tamper(stage: Stage) -> None:
    stage.story.heading("Change one byte behind its back")
    done = await tamper(stage.runtime, stage.tenant)
    found, at = done.found, done.position
    _expect(found.first_bad == at, f"The change of event {at} was not found.")
    stage.story.tell(
        f"A price of event {at} was changed in the database itself, in a transaction that is taken"
        f" back. The audit names it: event {found.first_bad}. {found.reason}"
    )
    _expect(done.after.ok, "The byte was put back, and the log does not verify.")
    stage.story.tell("The byte is back in its place, and the log verifies again.")


async def _rebuild(stage: Stage) -> None:
    stage.story.heading("Fold all invoices anew from their events")
    head = await stage.runtime.store.head(stage.tenant)
    await watch_projection(stage.runtime, stage.tenant, consumer_of(Invoices), head)
    before = await checksum(stage.runtime, stage.tenant)
    settings = stage.runtime.settings
    done = await rebuild(
        settings.database_admin_url or "", Invoices.name, keyring=open_keyring(settings)
    )
    after = await checksum(stage.runtime, stage.tenant)
    _expect(before == after, "The rebuilt rows are not the former ones.")
    stage.story.tell(
        f"{done.events:,} events in {done.seconds:.1f} s; {after[0]:,} rows of the demo, SHA-256"
        f" {after[1][:16]}… before and after."
    )


async def _ask(stage: Stage, document: str, variables: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - what the document asks for.
    return await asyncio.to_thread(stage.client.ask, document, variables)


async def _head(stage: Stage) -> str:
    return str(await stage.runtime.store.head(stage.tenant))


def _expect(holds: bool, message: str) -> None:  # noqa: FBT001 - it reads as a sentence.
    if not holds:
        raise DemoFailed("demo.failed", message, hint="This is a defect: please report it.")
