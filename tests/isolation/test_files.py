"""Files, jobs and webhooks: each tenant's own, though their names are the same."""

import asyncio
import json
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest

from adapters.blobs.folder import FolderBlobs
from adapters.postgres.locks import held, lock_of_job
from adapters.postgres.projecting.projector import Projector
from adapters.runtime import Runtime, reach_of
from adapters.webhooks.delivering import Deliverer
from adapters.webhooks.endpoints import Endpoints
from adapters.webhooks.sending import open_sender
from adapters.worker import sweeper
from adapters.worker.work import run_job
from application.errors import NotFound
from application.kernel import Context
from domain.ids import BatchId, JobId, TenantId
from domain.imports import IngestRows
from tests.isolation.twins import Stranger, Strangers, plain, told
from tests.rest.api import until_projected
from tests.webhooks.receiver import receiving

CSV: Final = "number,date,quantity,unit_price\nN-1,2026-01-31,1,2\n"
UPLOAD: Final = """
mutation U($input: UploadImportFileInput!) {
  uploadImportFile(input: $input) { position job events { type position } }
}
"""
Json = Any  # JSON of any shape.


def posted(path: str, given: Json) -> dict[str, Json]:
    return {"method": "POST", "url": f"/api/v1{path}", "json": given}


async def opened(strangers: Strangers, stranger: Stranger) -> str:
    answer = await strangers.ask(stranger, posted("/imports/batches", {}))
    batch: str = answer.json()["batch"]
    return batch


async def ended(strangers: Strangers, stranger: Stranger, job: str, kind: str, batch: str) -> Json:
    """Do a job, and tell how it ended."""
    runtime = strangers.runtime
    await run_job(runtime, stranger.id, JobId(job), kind, batch)
    head = await runtime.store.head(stranger.id)
    params = {"at_least": head}
    asked = {"method": "GET", "url": f"/api/v1/jobs/{job}", "params": params}
    return (await strangers.ask(stranger, asked)).json()


async def test_another_tenants_file_is_no_file(strangers: Strangers) -> None:
    """A hash is no secret, and is no key either."""
    kept, unknown = strangers.company.named["sha256"]
    ends = []
    for stranger, sha256 in zip(await strangers.pair(), (kept, unknown), strict=True):
        batch = await opened(strangers, stranger)
        job = str(uuid4())
        await _ingest(strangers.runtime, stranger, batch, job, sha256)
        row = await ended(strangers, stranger, job, "imports.ingest", batch)
        assert row["status"] == "failed", row
        ends.append(plain(json.dumps(row), stranger, {"sha256": sha256}))
    assert ends[0] == ends[1]
    assert strangers.company.traces(ends[0]) == []


@pytest.mark.parametrize("tenant", ["", ".", "..", "../..", "/", "%2e%2e"])
def test_a_file_is_found_in_its_tenants_folder_alone(
    runtime: Runtime, strangers: Strangers, tenant: str
) -> None:
    company = strangers.company
    sha256, _ = company.named["sha256"]
    blobs = FolderBlobs(runtime.settings.data / "blobs")
    assert blobs.path(company.tenant.id, sha256).exists()
    for name in (sha256, f"../{company.tenant.id}/{sha256}", f"{sha256}/../{sha256}"):
        for of in (tenant, str(uuid4())):
            with pytest.raises(NotFound):
                blobs.path(TenantId(of), name)


async def test_a_file_sent_to_another_tenants_batch_is_sent_to_none(strangers: Strangers) -> None:
    """By the form of REST, and by that of GraphQL; nor is it kept for anybody but its sender."""
    company, answers = strangers.company, []
    before = _files(strangers.runtime, company.tenant.id)
    pair = await strangers.pair()
    for stranger, batch in zip(pair, company.named["batch"], strict=True):
        asked = {
            "method": "POST",
            "url": f"/api/v1/imports/batches/{batch}/ingest",
            "files": {"file": ("rows.csv", CSV.encode(), "text/csv")},
        }
        operations = {"query": UPLOAD, "variables": {"input": {"batch": batch, "file": None}}}
        form = {"operations": json.dumps(operations), "map": '{"0": ["variables.input.file"]}'}
        upload = {
            "method": "POST",
            "url": "/graphql",
            "data": form,
            "files": {"0": ("rows.csv", CSV.encode(), "text/csv")},
            "headers": {"GraphQL-Require-Preflight": "1"},
        }
        sent = {"batch": batch}
        for request in (asked, upload):
            answer = await strangers.ask(stranger, request)
            strangers.untraced(answer, batch)
            answers.append(told(answer, stranger, sent))
    assert answers[:2] == answers[2:]
    assert "imports.no_batch" in answers[0].body
    assert "imports.no_batch" in answers[1].body
    assert _files(strangers.runtime, company.tenant.id) == before


def _files(runtime: Runtime, tenant: TenantId) -> list[Path]:
    return sorted((runtime.settings.data / "blobs" / tenant).iterdir())


async def test_jobs_of_two_tenants_with_one_id_are_two_jobs(strangers: Strangers) -> None:
    """Who knows the id of another's job can neither stop it nor have it wait."""
    job, (left, right) = str(uuid4()), await strangers.pair()
    batches = [await opened(strangers, each) for each in (left, right)]
    for stranger, batch in zip((left, right), batches, strict=True):
        await _begin(strangers.runtime, stranger, batch, job)
    cancelled = await strangers.ask(left, posted(f"/jobs/{job}/cancel", None))
    assert cancelled.status_code == 202
    first, second = await asyncio.gather(
        ended(strangers, left, job, "imports.ingest", batches[0]),
        ended(strangers, right, job, "imports.ingest", batches[1]),
    )
    assert (first["status"], second["status"]) == ("cancelled", "succeeded")


async def test_whoever_holds_a_job_holds_up_no_other_tenants_of_its_id(
    strangers: Strangers,
) -> None:
    job, (left, right) = str(uuid4()), await strangers.pair()
    batch = await opened(strangers, right)
    await _begin(strangers.runtime, right, batch, job)
    url = strangers.runtime.settings.database_url or ""
    async with held(url, lock_of_job(left.id, JobId(job)), seconds_max=0) as mine:
        assert mine
        row = await ended(strangers, right, job, "imports.ingest", batch)
    assert row["status"] == "succeeded"


async def _begin(runtime: Runtime, stranger: Stranger, batch: str, job: str) -> None:
    """Take in a file of its own, by a job of a chosen id."""
    source = runtime.settings.data / f"{uuid4()}.csv"
    source.write_text(CSV)
    await _ingest(runtime, stranger, batch, job, await runtime.blobs.put(stranger.id, source))


async def _ingest(runtime: Runtime, stranger: Stranger, batch: str, job: str, sha256: str) -> None:
    command = IngestRows(
        batch=BatchId(batch), job=JobId(job), sha256=sha256, name="rows.csv", size_bytes=len(CSV)
    )
    owner = Context(
        tenant=stranger.id, actor="test", permissions=frozenset("*"), correlation_id="test"
    )
    done = await runtime.bus.execute(command, owner)
    await until_projected(runtime, stranger.id, done.position)


async def test_a_lost_job_is_queued_again_beside_another_tenants_of_its_id(
    strangers: Strangers,
) -> None:
    job, pair = str(uuid4()), await strangers.pair()
    for stranger in pair:
        batch = await opened(strangers, stranger)
        await _begin(strangers.runtime, stranger, batch, job)
    idle = await sweeper._idle_jobs(strangers.runtime)
    assert {(each.id, JobId(job)) for each in pair} <= idle.keys()


async def test_webhooks_are_sent_their_own_tenants_events_alone(strangers: Strangers) -> None:
    runtime, pair = strangers.runtime, await strangers.pair()
    async with receiving() as first, receiving() as second:
        receivers = (first, second)
        for stranger, receiver in zip(pair, receivers, strict=True):
            made = await strangers.ask(stranger, posted("/webhooks", {"url": receiver.url}))
            assert made.status_code == 201, made.text
            for n in range(3):
                line = {"description": f"of {stranger.slug}", "quantity": "1", "unit_price": "2"}
                given = {"number": f"N-{n}", "issued_on": "2026-01-31", "lines": [line]}
                await strangers.ask(stranger, posted("/invoices/recorded", given))
        await Projector(runtime.pool, runtime.vault, [Endpoints()]).catch_up()
        async with open_sender(reach_of(runtime.settings), 5.0) as sender:
            deliverer = Deliverer(runtime, sender)
            for _ in range(3):
                await deliverer.look([each.id for each in pair])
                await deliverer.settle()
        for stranger, other, receiver in zip(pair, pair[::-1], receivers, strict=True):
            said = "\n".join(each.body.decode() for each in receiver.heard)
            assert said.count(f"of {stranger.slug}") == 3
            assert other.slug not in said
            assert other.id not in said
            assert strangers.company.traces(said) == []
