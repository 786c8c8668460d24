"""`/metrics`, `/health` and `/ready` tell what goes on, and what stands still, from each other."""

import asyncio
from collections.abc import AsyncIterator
from typing import LiteralString
from uuid import uuid4

import httpx
import psycopg
import pytest
from prometheus_client import CollectorRegistry, Counter, Metric
from prometheus_client.parser import text_string_to_metric_families
from psycopg import conninfo

from adapters.embedded.servers import Urls
from adapters.metrics.shared import FIGURES, PROCESSES, tell_once, told_figures
from adapters.metrics.standing import LOOK_SECONDS
from adapters.postgres.models.versions import consumer_of
from adapters.rest.metrics import or_none
from adapters.runtime import Runtime
from adapters.settings import Settings
from application.errors import Unavailable
from projections.balances import CustomerBalances
from projections.kernel import read_models
from tests.projecting.office import Office
from tests.rest.api import Tenant, until_projected
from tests.rest.test_commands import drafted

UNREADABLE = '{"nothing":"of the kind"}'
NOT_BUILT: LiteralString = "UPDATE read_model SET built_at = NULL WHERE name = 'invoices'"
BUILT: LiteralString = "UPDATE read_model SET built_at = now() WHERE name = 'invoices'"
REWIND: LiteralString = (
    "UPDATE projection_cursor SET position = 0 WHERE tenant_id = %s AND projection = %s"
)
Samples = dict[tuple[str, ...], float]


async def scrape(client: httpx.AsyncClient) -> Samples:
    """Read all figures, by name and labels."""
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    families = list(text_string_to_metric_families(answer.text))
    names = [family.name for family in families]
    assert len(names) == len(set(names)), "A name stands once."
    return {
        (sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items()))): (
            sample.value
        )
        for family in families
        for sample in family.samples
    }


async def test_every_projection_has_its_totals(client: httpx.AsyncClient) -> None:
    await drafted(client)
    found = await scrape(client)
    for name in read_models():
        assert ("asiento_projection_lag_events", f"projection={name}") in found
        assert ("asiento_projection_lag_seconds_max", f"projection={name}") in found
        assert ("asiento_webhooks", "status=failing") in found
        for status in ("behind", "failed", "waiting"):
            labels = (f"projection={name}", f"status={status}")
            assert ("asiento_projection_logs", *labels) in found


@pytest.fixture
async def failed(runtime: Runtime, tenant: Tenant, urls: Urls) -> AsyncIterator[Office]:
    """A tenant of which one read model stands still."""
    name = conninfo.conninfo_to_dict(runtime.settings.database_url or "")["dbname"]
    admin_url = conninfo.make_conninfo(urls.admin_database_url, dbname=name)
    office = Office(runtime, tenant.id, admin_url)
    await office.record("M-1")
    await until_projected(runtime, tenant.id, 1)
    readable = office.data_of(1)
    office.change(1, data=UNREADABLE)
    office.do(REWIND, tenant.id, consumer_of(CustomerBalances))
    await office.draft("one")
    await office.until(CustomerBalances.name, "failed")
    yield office
    office.change(1, data=readable)
    await office.retry(CustomerBalances.name)
    await office.draft("two")
    await office.until(CustomerBalances.name, "current")


async def test_what_failed_is_told_and_keeps_no_request_away(
    failed: Office, stranger: httpx.AsyncClient
) -> None:
    await asyncio.sleep(LOOK_SECONDS)
    health = await stranger.get("/health")
    assert health.status_code == 200
    told = health.json()
    assert told["status"] == "degraded"
    assert told["checks"].pop("projections") == "customer_balances failed in 1 log"
    assert set(told["checks"].values()) == {"ok"}
    assert (await stranger.get("/healthz")).json() == {"status": "ok", "checks": {}}
    ready = await stranger.get("/ready")
    assert (ready.status_code, ready.json()["checks"]["projections"]) == (200, "ok")
    found = await scrape(stranger)
    assert found["asiento_events_appended_total",] >= 2
    labels = ("projection=customer_balances", "status=failed")
    assert found["asiento_projection_logs", *labels] == 1
    of_tenant = ("projection=customer_balances", f"tenant={failed.tenant}")
    assert found["asiento_projection_tenant_lag_events", *of_tenant] == 2
    assert found["asiento_projection_tenant_lag_seconds", *of_tenant] > 0


async def test_a_model_that_is_built_for_the_first_time_keeps_requests_away(
    settings: Settings, stranger: httpx.AsyncClient, tenant: Tenant
) -> None:
    assert tenant.id
    with psycopg.connect(settings.database_url or "", autocommit=True) as admin:
        admin.execute("SET ROLE asiento_app")
        admin.execute(NOT_BUILT)
        answer = await stranger.get("/ready")
        admin.execute(BUILT)
    assert answer.status_code == 503
    assert answer.json()["checks"]["projections"].startswith("building: invoices ")
    assert answer.json()["checks"]["database"] == "ok"
    assert (await stranger.get("/ready")).status_code == 200


async def test_processes_that_serve_nothing_tell_their_figures_through_redis(
    runtime: Runtime, client: httpx.AsyncClient
) -> None:
    registry, process = CollectorRegistry(), f"projector@test:{uuid4().hex}"
    done = Counter("asiento_things", "Things.", ["kind"], registry=registry)
    done.labels("odd").inc(3)
    await tell_once(runtime.redis, process, registry)
    await tell_once(runtime.redis, "projector@here:1")
    found = await scrape(client)
    count = ("asiento_projection_fold_seconds_count", "process=projector@here:1")
    assert found[*count, "projection=invoices"] > 0
    assert found["asiento_things_total", "kind=odd", f"process={process}"] == 3
    await runtime.redis.delete(FIGURES + process)
    assert all(
        process not in sample.labels.values()
        for metric in await told_figures(runtime.redis)
        for sample in metric.samples
    )
    assert not await runtime.redis.sismember(PROCESSES, process)


async def test_figures_that_can_not_be_had_leave_the_others_alone() -> None:
    async def away() -> list[Metric]:
        raise Unavailable("database.unavailable", "It is away.", hint="Ask again.")

    async def slow() -> list[Metric]:
        raise TimeoutError

    assert list(await or_none(away)) == []
    assert list(await or_none(slow)) == []
