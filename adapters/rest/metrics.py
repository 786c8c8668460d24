"""`/metrics`: what this API answered, how all logs are folded, and what other processes count."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import structlog
from litestar import MediaType, Request, Response, get
from litestar.datastructures import State
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector
from psycopg.errors import UndefinedFunction, UndefinedTable
from redis.exceptions import RedisError

from adapters.credentials.figures import credential_figures
from adapters.metrics.requests import request_figures
from adapters.metrics.security import security_figures
from adapters.metrics.shared import told_figures
from adapters.metrics.standing import Overlook, standing_figures
from adapters.rest.edge import Counts
from adapters.runtime import Runtime
from adapters.security.notes import notes_of
from application.errors import ApplicationError

SECONDS_MAX: Final = 2.0
log = structlog.get_logger()


class _Found(Collector):
    """Figures that were found for one scrape."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


@get(
    "/metrics",
    operation_id="GetMetrics",
    summary="Counts for Prometheus",
    tags=["operations"],
    security=[],
    media_type=MediaType.TEXT,
)
async def metrics(request: Request[Any, Any, State]) -> Response[bytes]:
    """Tell what can be told: where a server is away, its figures are missing and no others."""
    counts: Counts = request.app.state.counts
    runtime: Runtime = request.app.state.runtime
    overlook: Overlook = request.app.state.overlook

    async def standing() -> Iterable[Metric]:
        look = await overlook.standing(runtime.pool)
        return standing_figures(look, overlook.consumers)

    of_logs, of_others, of_secrets = await asyncio.gather(
        or_none(standing),
        or_none(lambda: told_figures(runtime.redis)),
        or_none(lambda: credential_figures(runtime.pool, runtime.settings.credential_warn_days)),
    )
    registry = CollectorRegistry(auto_describe=False)
    noted = security_figures(notes_of(runtime).counts)
    registry.register(_Found([*request_figures(counts), *noted, *of_logs, *of_others, *of_secrets]))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)


async def or_none(find: Callable[[], Awaitable[Iterable[Metric]]]) -> Iterable[Metric]:
    """Find figures, or none where a server is away or slow."""
    try:
        async with asyncio.timeout(SECONDS_MAX):
            return await find()
    except (
        ApplicationError,
        UndefinedTable,
        UndefinedFunction,
        RedisError,
        OSError,
        TimeoutError,
    ) as error:
        log.warning("metrics.incomplete", reason=type(error).__name__)
        return ()
