"""Jobs that go on: a process like a worker's, which tells how far they are, some times a second.

It reads a ``Publish`` from its first line of input, queues and starts the jobs, names them, and
ticks one after the other until its input ends.
"""

import asyncio
import sys
from itertools import count
from pathlib import Path
from time import perf_counter_ns
from typing import Final

import msgspec
import uvloop
from msgspec import Struct

from adapters.logging import configure_logging
from adapters.runtime import Runtime, open_runtime
from adapters.settings import Settings
from application.codec import encode
from application.kernel import new_id
from application.ports import Append
from benchmarks.appending.work import ACTOR, CORRELATION
from benchmarks.serving.listeners import DIGITS, STAMP
from domain.ids import JobId, TenantId
from domain.jobs import JobQueued, JobStarted

TOTAL: Final = 1_000_000


class Publish(Struct, frozen=True, kw_only=True):
    """How many jobs go on in whose log, and how often any of them says so; 0: never."""

    database_url: str
    redis_url: str
    folder: str
    tenant: TenantId
    jobs: int
    per_second: float


async def main() -> None:
    publish = msgspec.json.decode(sys.stdin.readline(), type=Publish)
    settings = Settings(
        database_url=publish.database_url,
        redis_url=publish.redis_url,
        asiento_data=Path(publish.folder),
        log_level="warning",
    )
    configure_logging(settings, "bench")  # To stderr: stdout is for the jobs.
    async with open_runtime(settings) as runtime:
        jobs = [await _started(runtime, publish.tenant) for _ in range(publish.jobs)]
        print(msgspec.json.encode(jobs).decode(), flush=True)
        ended = asyncio.Event()
        ticking = asyncio.create_task(_tick(runtime, publish, jobs, ended))
        await asyncio.to_thread(sys.stdin.read)
        ended.set()
        await ticking


async def _started(runtime: Runtime, tenant: TenantId) -> JobId:
    job = JobId(new_id(runtime.clock.now()))
    events = (JobQueued(job=job, kind="bench.work", subject="s"), JobStarted(job=job))
    written = tuple(
        encode(event, actor=ACTOR, correlation_id=CORRELATION, causation_id="") for event in events
    )
    await runtime.store.append(tenant, Append(events=written))
    return job


async def _tick(
    runtime: Runtime, publish: Publish, jobs: list[JobId], ended: asyncio.Event
) -> None:
    if not publish.per_second:
        return
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for number in count():
        await asyncio.sleep(begun + number / publish.per_second - loop.time())
        if ended.is_set():
            return
        message = f"{STAMP.decode()}{perf_counter_ns():0{DIGITS}d}"
        await runtime.hub.tick(
            publish.tenant, jobs[number % len(jobs)], done=number, total=TOTAL, message=message
        )


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
