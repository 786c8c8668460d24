"""How far projections are behind, as figures: totals for all, and tenants for the worst few.

All logs are looked over at most every few seconds, however many ask.
"""

import asyncio
from collections.abc import Iterator
from time import monotonic
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from adapters.postgres.connections import Pool
from adapters.postgres.models.versions import read_consumer
from adapters.postgres.projecting.standing import Behind, Standing, Webhooks, look

LOOK_SECONDS: Final = 5.0
Consumers = tuple[list[str], list[str]]


class Overlook:
    """The last look at all logs. Who comes while one is under way gets the same."""

    def __init__(self, consumers: Consumers) -> None:
        self.consumers = consumers
        self._last: Standing | None = None
        self._at = float("-inf")
        self._looking: asyncio.Task[Standing] | None = None

    async def standing(self, pool: Pool) -> Standing:
        """Return a look that is a few seconds old at most.

        Raises:
            Unavailable: PostgreSQL does not answer.

        """
        if self._last is not None and monotonic() - self._at < LOOK_SECONDS:
            return self._last
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(look(pool, self.consumers, self._last))
        # One that asks no longer takes nothing from the others.
        standing = await asyncio.shield(self._looking)
        self._last, self._at = standing, monotonic()
        return standing


def standing_figures(standing: Standing, consumers: Consumers) -> Iterator[Metric]:
    """Write a look as gauges. Every projection has its totals, those that are current too."""
    names = sorted({read_consumer(name)[0] for each in consumers for name in each})
    found = {each.name: each for each in standing.totals}
    yield CounterMetricFamily(
        "asiento_events_appended", "Events of all logs.", value=standing.events
    )
    yield from _totals(names, found)
    yield from _tenants(standing.furthest)
    yield from _dead_letters(standing)
    yield from _webhooks(standing.webhooks)


def _totals(names: list[str], found: dict[str, Behind]) -> Iterator[Metric]:
    events = _gauge("lag_events", "Events that a projection is behind, all logs together.")
    events_max = _gauge("lag_events_max", "Events that it is behind in its furthest log.")
    seconds = _gauge("lag_seconds_max", "Age of the oldest event that it has not taken.")
    logs = GaugeMetricFamily(
        "asiento_projection_logs",
        "Logs in which it is behind, failed at an event, or waits for a version that knows one.",
        labels=["projection", "status"],
    )
    for name in names:
        each = found.get(name)
        events.add_metric([name], each.events if each else 0)
        events_max.add_metric([name], each.events_max if each else 0)
        seconds.add_metric([name], each.seconds if each else 0)
        behind, failed, waiting = (each.logs, each.failed, each.waiting) if each else (0, 0, 0)
        logs.add_metric([name, "behind"], behind - failed - waiting)
        logs.add_metric([name, "failed"], failed)
        logs.add_metric([name, "waiting"], waiting)
    yield from (events, events_max, seconds, logs)


def _tenants(furthest: tuple[Behind, ...]) -> Iterator[Metric]:
    labels = ["projection", "tenant"]
    events = _gauge("tenant_lag_events", "The same in one log, of those behind longest.", labels)
    seconds = _gauge("tenant_lag_seconds", "The same in one log, of those behind longest.", labels)
    for each in furthest:
        events.add_metric([each.name, each.tenant or ""], each.events)
        seconds.add_metric([each.name, each.tenant or ""], each.seconds)
    yield from (events, seconds)


def _dead_letters(standing: Standing) -> Iterator[Metric]:
    letters = GaugeMetricFamily(
        "asiento_reaction_dead_letters",
        "Events whose reaction was refused and not replayed.",
        labels=["reaction"],
    )
    for name, many in standing.dead_letters.items():
        letters.add_metric([name], many)
    yield letters


def _webhooks(webhooks: Webhooks) -> Iterator[Metric]:
    states = GaugeMetricFamily(
        "asiento_webhooks",
        "Endpoints that are sent to, by whether they took what was sent last.",
        labels=["status"],
    )
    states.add_metric(["ok"], webhooks.active - webhooks.failing)
    states.add_metric(["failing"], webhooks.failing)
    yield states
    yield GaugeMetricFamily(
        "asiento_webhook_dead_letters",
        "Events that an endpoint never took.",
        value=webhooks.dead_letters,
    )


def _gauge(name: str, meaning: str, labels: list[str] | None = None) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"asiento_projection_{name}", meaning, labels=labels or ["projection"])
