"""How the process is: alive, ready to be sent requests, and what it has done so far."""

import asyncio
import time
from collections.abc import Awaitable, Iterator
from typing import Any, Final, LiteralString

from litestar import Request, Response, get, head
from litestar.datastructures import State
from msgspec import Struct
from redis.exceptions import RedisError

from adapters.postgres.connections import tenant_transaction
from adapters.postgres.migrate import revisions_after
from adapters.postgres.projector import consumer_names
from adapters.postgres.tables import shape_of
from adapters.rest.edge import Counts
from adapters.runtime import Runtime
from application.errors import ApplicationError
from domain.ids import SYSTEM_TENANT
from projections.kernel import read_models

CHECK_SECONDS_MAX: Final = 2.0
STALLED_SECONDS: Final = 30.0
"""Behind is what projections often are; not to have moved for so long is a fault."""

LAGGING_MAX: Final = 1_000
PROMETHEUS: Final = "text/plain; version=0.0.4"

DECLARED: LiteralString = "SELECT name, version, shape FROM projection"
LAGGING: LiteralString = """
SELECT tenant_id::text, consumer, position, head FROM lagging_v1(%s, %s, %s)
"""


class Health(Struct, frozen=True, kw_only=True):
    """Ok or failing, and what each check found."""

    status: str
    checks: dict[str, str]


class Lag(Struct, frozen=True):
    """How far a consumer of one log is behind it, in events."""

    tenant: str
    consumer: str
    position: int
    head: int


class Stall:
    """Tells a projector that is behind from one that stands still."""

    def __init__(self) -> None:
        self._seen: list[Lag] = []
        self._since = 0.0

    def seconds(self, lags: list[Lag], now: float) -> float:
        """Return for how long nothing moved, though there was work."""
        at = {(lag.tenant, lag.consumer): lag.position for lag in lags}
        before = {(lag.tenant, lag.consumer): lag.position for lag in self._seen}
        stuck = at.keys() & before.keys() and all(
            at[each] == before[each] for each in at.keys() & before.keys()
        )
        self._seen = lags
        if not stuck:
            self._since = now
        return now - self._since


@get("/health", summary="Is it alive?", tags=["operations"])
async def health() -> Health:
    return Health(status="ok", checks={})


@get("/healthz", include_in_schema=False)
async def healthz() -> Health:
    return Health(status="ok", checks={})


@head(["/health", "/healthz"], include_in_schema=False)
async def health_head() -> None:
    return None


@get("/ready", summary="Can it be sent requests?", tags=["operations"])
async def ready(request: Request[Any, Any, State]) -> Response[Health]:
    runtime: Runtime = request.app.state.runtime
    stall: Stall = request.app.state.stall
    checks = {
        "database": _database(runtime),
        "redis": _redis(runtime),
        "migrations": _migrations(runtime),
        "projector": _projector(runtime, stall),
    }
    found = await asyncio.gather(*(_told(check) for check in checks.values()))
    failing = any(each != "ok" for each in found)
    answer = Health(
        status="failing" if failing else "ok", checks=dict(zip(checks, found, strict=True))
    )
    return Response(answer, status_code=503 if failing else 200)


@get("/metrics", summary="Counts for Prometheus", tags=["operations"])
async def metrics(request: Request[Any, Any, State]) -> Response[str]:
    counts: Counts = request.app.state.counts
    runtime: Runtime = request.app.state.runtime
    try:
        lags = await _lags(runtime)
    except ApplicationError:
        lags = []  # What is known without the database is told without it.
    text = "".join(f"{line}\n" for line in (*_of_requests(counts), *_of_lags(lags)))
    return Response(text, media_type=PROMETHEUS)


async def _told(check: Awaitable[str]) -> str:
    try:
        async with asyncio.timeout(CHECK_SECONDS_MAX):
            return await check
    except TimeoutError:
        return f"no answer within {CHECK_SECONDS_MAX:.0f} s"
    except (ApplicationError, RedisError, OSError) as error:
        return f"unreachable ({type(error).__name__})"


async def _database(runtime: Runtime) -> str:
    async with tenant_transaction(runtime.pool, SYSTEM_TENANT) as connection:
        await connection.execute("SELECT")
    return "ok"


async def _redis(runtime: Runtime) -> str:
    await runtime.redis.ping()
    return "ok"


async def _migrations(runtime: Runtime) -> str:
    async with tenant_transaction(runtime.pool, SYSTEM_TENANT) as connection:
        row = await (await connection.execute("SELECT version_num FROM schema_version")).fetchone()
        found = await connection.execute(DECLARED)
        known = {name: (version, shape) for name, version, shape in await found.fetchall()}
    pending = revisions_after(row[0] if row else "") + [
        name
        for name, model in read_models().items()
        if known.get(name) != (model.version, shape_of(model))
    ]
    return f"pending: {', '.join(pending)}" if pending else "ok"


async def _projector(runtime: Runtime, stall: Stall) -> str:
    lags = await _lags(runtime)
    seconds = stall.seconds(lags, time.monotonic())
    if seconds < STALLED_SECONDS:
        return "ok"
    return (
        f"stands still for {seconds:.0f} s, {sum(lag.head - lag.position for lag in lags)} behind"
    )


async def _lags(runtime: Runtime) -> list[Lag]:
    tenants, system = consumer_names()
    async with tenant_transaction(runtime.pool, SYSTEM_TENANT) as connection:
        asked = (tenants, system, LAGGING_MAX)
        found = await connection.execute(LAGGING, asked)
        return [Lag(*record) for record in await found.fetchall()]


def _of_requests(counts: Counts) -> Iterator[str]:
    yield "# TYPE asiento_requests_total counter"
    for (method, route, status), many in sorted(counts.requests.items()):
        labels = f'method="{method}",route="{route}",status="{status}"'
        yield f"asiento_requests_total{{{labels}}} {many}"
    yield "# TYPE asiento_request_seconds_total counter"
    for (method, route), seconds in sorted(counts.seconds.items()):
        yield f'asiento_request_seconds_total{{method="{method}",route="{route}"}} {seconds:.6f}'


def _of_lags(lags: list[Lag]) -> Iterator[str]:
    """Tell the furthest behind and the sum of each consumer; whose log it is stays unsaid."""
    behind: dict[str, list[int]] = {name: [0] for each in consumer_names() for name in each}
    for lag in lags:
        behind[lag.consumer].append(lag.head - lag.position)
    yield "# TYPE asiento_projection_lag_events gauge"
    for consumer, events in sorted(behind.items()):
        yield f'asiento_projection_lag_events{{projection="{consumer}"}} {sum(events)}'
    yield "# TYPE asiento_projection_lag_events_max gauge"
    for consumer, events in sorted(behind.items()):
        yield f'asiento_projection_lag_events_max{{projection="{consumer}"}} {max(events)}'
