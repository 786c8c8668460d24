"""Where Redis is away, jobs wait in the log, and all that needs no queue goes on."""

import pytest

from adapters.embedded.processes import free_port
from adapters.postgres.projecting.projector import Projector
from adapters.redis.broker import make_broker
from adapters.runtime import Runtime
from adapters.worker.queue import CONSUMER, JobReaction, enqueue
from application.errors import Unavailable
from domain.ids import SYSTEM_TENANT, JobId
from tests.projecting.office import Office

JOB = JobId("waits")


async def test_a_projector_waits_for_the_queue_and_folds_rows_all_the_same(
    runtime: Runtime,
) -> None:
    office = Office(runtime)
    await office.queue(JOB)
    await office.draft("one")
    nowhere = JobReaction(make_broker(f"redis://127.0.0.1:{free_port()}/0"))
    with pytest.raises(Unavailable) as unavailable:
        await Projector(runtime.pool, runtime.vault, [nowhere]).catch_up()
    assert unavailable.value.code == "queue.unavailable"
    assert office.invoices() == ["one"]
    assert (await office.progress(CONSUMER)).status == "behind"
    there = JobReaction(make_broker(runtime.settings.redis_url or ""))
    await Projector(runtime.pool, runtime.vault, [there]).catch_up()
    assert (await office.progress(CONSUMER)).status == "current"


def test_who_queues_a_job_is_told_that_redis_is_away() -> None:
    nowhere = make_broker(f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(Unavailable):
        enqueue(nowhere, SYSTEM_TENANT, JOB, "tests.none", "")
