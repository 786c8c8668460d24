"""A process like the API's: one event loop, many callers, one store. ``load`` starts it.

It reads a ``Load`` from its first line of input, prepares and says ready, does the work at the
next line and says what it did; it stays until its input ends, so that its backends can be
looked at.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from time import perf_counter, process_time

import msgspec
import uvloop

from adapters.logging import configure_logging
from adapters.runtime import Runtime, open_runtime
from adapters.settings import Settings
from application.ports import EventStore
from benchmarks.appending.issuing import prepare_issuing
from benchmarks.appending.load import Did, Load, did
from benchmarks.appending.work import appends, tenants
from domain.ids import TenantId

Latencies = list[float]


async def main() -> None:
    load = msgspec.json.decode(sys.stdin.readline(), type=Load)
    settings = Settings(
        database_url=load.database_url,
        redis_url=load.redis_url,
        asiento_data=Path(load.folder),
        log_level="warning",
    )
    configure_logging(settings, "bench")  # To stderr: stdout is for what was done.
    async with open_runtime(settings) as runtime:
        work = await _prepared(runtime, load)
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        done = await _timed(work, events=load.events)
        print(msgspec.json.encode(done).decode(), flush=True)
        await asyncio.to_thread(sys.stdin.read)


async def _prepared(runtime: Runtime, load: Load) -> Callable[[], Awaitable[Latencies]]:
    if load.kind != "append":
        return await prepare_issuing(runtime.bus, load)
    await _meet_every_tenant(runtime.store, load)
    await _append_for(runtime.store, load, load.warm_up_seconds)
    return lambda: _append_for(runtime.store, load, load.seconds)


async def _timed(work: Callable[[], Awaitable[Latencies]], *, events: int) -> Did:
    begun, cpu = perf_counter(), process_time()
    latencies = await work()
    seconds, cpu = perf_counter() - begun, process_time() - cpu
    return did(latencies, seconds=seconds, cpu_seconds=cpu, events=events)


async def _meet_every_tenant(store: EventStore, load: Load) -> None:
    """Begin every log, so that the measured appends lock heads that are there."""
    waiting, making = iter(tenants(load.tenants)), appends(load.events)

    async def client() -> None:
        for tenant in waiting:
            await store.append(tenant, next(making))

    await asyncio.gather(*(client() for _ in range(load.clients)))


async def _append_for(store: EventStore, load: Load, seconds: float) -> Latencies:
    """Append with every client, each to a tenant by chance, one after the other."""
    latencies: Latencies = []
    choose = Random(load.tenants).choice  # noqa: S311 - nothing to keep secret.
    known: list[TenantId] = tenants(load.tenants)
    making = appends(load.events)
    deadline = perf_counter() + seconds

    async def client() -> None:
        while (begun := perf_counter()) < deadline:
            await store.append(choose(known), next(making))
            latencies.append(perf_counter() - begun)

    await asyncio.gather(*(client() for _ in range(load.clients)))
    return latencies


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
