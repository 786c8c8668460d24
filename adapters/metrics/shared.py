"""The figures of processes that no scraper reaches, kept in Redis for as long as they live.

Each tells its own every few seconds; who is silent for a while is forgotten.
"""

import asyncio
import os
import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

import msgspec
import structlog
from msgspec import Struct
from prometheus_client import CollectorRegistry, Metric
from redis.asyncio import Redis
from redis.exceptions import RedisError

from adapters.metrics.figures import REGISTRY

TELL_SECONDS: Final = 5.0
KEPT_SECONDS: Final = 30
PROCESSES: Final = "asiento:processes"
FIGURES: Final = "asiento:figures:"
PROCESS_LABEL: Final = "process"
CREATED: Final = "_created"
"""How the sample ends that says when a count began, which the text format has no word for."""

log = structlog.get_logger()


class _Sample(Struct, frozen=True, array_like=True):
    name: str
    labels: dict[str, str]
    value: float


class _Family(Struct, frozen=True, array_like=True):
    name: str
    help: str
    kind: str
    samples: list[_Sample]


_decoder = msgspec.json.Decoder(list[_Family])


async def tell_figures(redis: Redis, kind: str) -> None:
    """Tell the figures of this process, a *kind* such as ``projector``, until cancelled."""
    process = f"{kind}@{socket.gethostname()}:{os.getpid()}"
    while True:
        with suppress(RedisError, OSError):
            await tell_once(redis, process)
        await asyncio.sleep(TELL_SECONDS)


async def tell_once(redis: Redis, process: str, registry: CollectorRegistry = REGISTRY) -> None:
    """Keep the figures of a process for a while, those of what it does."""
    families = [
        _Family(metric.name, metric.documentation, metric.type, samples)
        for metric in registry.collect()
        if (samples := _counted(metric))
    ]
    async with redis.pipeline(transaction=False) as pipe:
        pipe.set(FIGURES + process, msgspec.json.encode(families), ex=KEPT_SECONDS)
        pipe.sadd(PROCESSES, process)
        await pipe.execute()


async def told_figures(redis: Redis) -> list[Metric]:
    """Return the figures of all processes that told theirs lately, each under its process."""
    told = await redis.smembers(PROCESSES)
    names = sorted(name.decode() if isinstance(name, bytes) else name for name in told)
    kept = await redis.mget([FIGURES + name for name in names]) if names else []
    gone = [name for name, text in zip(names, kept, strict=True) if text is None]
    if gone:
        await redis.srem(PROCESSES, *gone)
    merged: dict[str, Metric] = {}
    for name, text in zip(names, kept, strict=True):
        if text is not None:
            _merge(merged, name, _decoder.decode(text))
    return list(merged.values())


def _counted(metric: Metric) -> list[_Sample]:
    """Take the samples of a metric, none where nothing was counted."""
    found = [
        _Sample(each.name, each.labels, each.value)
        for each in metric.samples
        if not each.name.endswith(CREATED)
    ]
    return found if any(each.value for each in found) else []


def _merge(merged: dict[str, Metric], process: str, families: Iterable[_Family]) -> None:
    for family in families:
        metric = merged.setdefault(family.name, Metric(family.name, family.help, family.kind))
        for sample in family.samples:
            labels = {**sample.labels, PROCESS_LABEL: process}
            metric.add_sample(sample.name, labels, sample.value)
