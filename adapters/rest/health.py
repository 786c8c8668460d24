"""How the process is: whether it lives, and whether it can be sent requests.

A process that lives is not to be restarted, whatever is wrong around it. What stands still is
told there too, for people; requests are kept away by what is not ready.
"""

import asyncio
import time
from collections.abc import Awaitable, Mapping
from typing import Any, Final, LiteralString

from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.openapi.datastructures import ResponseSpec
from msgspec import Struct
from psycopg.errors import UndefinedFunction, UndefinedTable
from redis.exceptions import RedisError

from adapters.health import DEGRADED, FAILING, OK
from adapters.metrics.standing import Overlook
from adapters.postgres.connections import tenant_transaction
from adapters.postgres.migrate import revisions_after
from adapters.postgres.projecting.consumers import consumer_names
from adapters.postgres.projecting.standing import being_built, undeclared
from adapters.runtime import Runtime
from application.errors import ApplicationError
from domain.ids import SYSTEM_TENANT

CHECK_SECONDS_MAX: Final = 2.0
STALLED_SECONDS: Final = 30.0
"""Behind is what projections often are; not to have moved for so long is a fault."""

LAGGING_MAX: Final = 1_000

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

    @property
    def events(self) -> int:
        return self.head - self.position


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


@get(
    "/healthz",
    operation_id="IsAlive",
    summary="Is it alive?",
    description="Looks at this process alone, so that what restarts one that hangs can ask here.",
    tags=["operations"],
    security=[],
)
async def healthz() -> Health:
    return Health(status=OK, checks={})


@get(
    "/ready",
    operation_id="IsReady",
    summary="Can it be sent requests?",
    description="503 names what it lacks.",
    tags=["operations"],
    security=[],
    responses={503: ResponseSpec(Health, description="Not now.", generate_examples=False)},
)
async def ready(request: Request[Any, Any, State]) -> Response[Health]:
    checks = await _checked(_readiness(request.app.state))
    failing = set(checks.values()) != {OK}
    answer = Health(status=FAILING if failing else OK, checks=checks)
    return Response(answer, status_code=503 if failing else 200)


@get(
    "/health",
    operation_id="GetHealth",
    summary="How is everything?",
    description="All there is to know, for people: what keeps requests away (failing), and what"
    " stands still in some log (degraded). Always 200, as a restart mends none of it.",
    tags=["operations"],
    security=[],
)
async def health(request: Request[Any, Any, State]) -> Health:
    state = request.app.state
    checks, stopped = await asyncio.gather(_checked(_readiness(state)), _told(_stopped(state)))
    failing = set(checks.values()) != {OK}
    if checks["projections"] == OK:
        checks["projections"] = stopped
    degraded = OK if stopped == OK else DEGRADED
    return Health(status=FAILING if failing else degraded, checks=checks)


def _readiness(state: State) -> dict[str, Awaitable[str]]:
    """Name what it takes to be sent requests."""
    runtime: Runtime = state.runtime
    return {
        "database": _database(runtime),
        "redis": _redis(runtime),
        "migrations": _migrations(runtime),
        "projections": _projections(runtime),
        "projector": _projector(runtime, state.stall),
    }


async def _checked(checks: Mapping[str, Awaitable[str]]) -> dict[str, str]:
    found = await asyncio.gather(*map(_told, checks.values()))
    return dict(zip(checks, found, strict=True))


async def _told(check: Awaitable[str]) -> str:
    try:
        async with asyncio.timeout(CHECK_SECONDS_MAX):
            return await check
    except TimeoutError:
        return f"no answer within {CHECK_SECONDS_MAX:.0f} s"
    except (UndefinedTable, UndefinedFunction):
        return "not migrated"
    except (ApplicationError, RedisError, OSError) as error:
        return f"unreachable ({type(error).__name__})"


async def _stopped(state: State) -> str:
    """Name what failed or waits for a newer version, in whatever log."""
    overlook: Overlook = state.overlook
    return (await overlook.standing(state.runtime.pool)).stopped or OK


async def _database(runtime: Runtime) -> str:
    async with tenant_transaction(runtime.pool, SYSTEM_TENANT) as connection:
        await connection.execute("SELECT")
    return OK


async def _redis(runtime: Runtime) -> str:
    await runtime.redis.ping()
    return OK


async def _migrations(runtime: Runtime) -> str:
    async with tenant_transaction(runtime.pool, SYSTEM_TENANT) as connection:
        row = await (await connection.execute("SELECT version_num FROM schema_version")).fetchone()
    pending = revisions_after(row[0] if row else "") or await undeclared(runtime.pool)
    return f"pending: {', '.join(pending)}" if pending else OK


async def _projections(runtime: Runtime) -> str:
    """Tell what is built for the first time, so that nobody can be served from it."""
    building = await being_built(runtime.pool)
    return f"building: {', '.join(map(str, building))}" if building else OK


async def _projector(runtime: Runtime, stall: Stall) -> str:
    lags, events_max = await _lags(runtime), runtime.settings.ready_lag_events_max
    seconds = stall.seconds(lags, time.monotonic())
    if seconds >= STALLED_SECONDS:
        behind = sum(lag.events for lag in lags)
        return f"stands still for {seconds:.0f} s, {behind} behind"
    return too_far(lags, events_max) or OK


def too_far(lags: list[Lag], events_max: int) -> str | None:
    """Name the consumer that is furthest behind, where that is too far; 0: it never is."""
    furthest = max(lags, key=lambda lag: lag.events, default=None)
    if furthest is None or not events_max or furthest.events <= events_max:
        return None
    return f"{furthest.consumer} is {furthest.events} events behind, {events_max} at most"


async def _lags(runtime: Runtime) -> list[Lag]:
    tenants, system = consumer_names()
    async with tenant_transaction(runtime.pool, SYSTEM_TENANT) as connection:
        asked = (tenants, system, LAGGING_MAX)
        found = await connection.execute(LAGGING, asked)
        return [Lag(*record) for record in await found.fetchall()]
