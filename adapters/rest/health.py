"""How the process is: whether it lives, and whether it can be sent requests.

A process that lives is not to be restarted, whatever is wrong around it. What stands still is
told there too, for people; requests are kept away by what is not ready.
"""

import asyncio
import time
from collections.abc import Awaitable
from typing import Any, Final, LiteralString

from litestar import Request, Response, get, head
from litestar.datastructures import State
from msgspec import Struct
from psycopg.errors import UndefinedFunction, UndefinedTable
from redis.exceptions import RedisError

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
OK: Final = "ok"

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
async def health(request: Request[Any, Any, State]) -> Health:
    found = await _told(_stopped(request.app.state))
    return Health(
        status="ok" if found == OK else "degraded",
        checks={} if found == OK else {"projections": found},
    )


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
        "projections": _projections(runtime),
        "projector": _projector(runtime, stall),
    }
    found = await asyncio.gather(*(_told(check) for check in checks.values()))
    failing = any(each != OK for each in found)
    answer = Health(
        status="failing" if failing else "ok", checks=dict(zip(checks, found, strict=True))
    )
    return Response(answer, status_code=503 if failing else 200)


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
    lags = await _lags(runtime)
    seconds = stall.seconds(lags, time.monotonic())
    if seconds < STALLED_SECONDS:
        return OK
    return (
        f"stands still for {seconds:.0f} s, {sum(lag.head - lag.position for lag in lags)} behind"
    )


async def _lags(runtime: Runtime) -> list[Lag]:
    tenants, system = consumer_names()
    async with tenant_transaction(runtime.pool, SYSTEM_TENANT) as connection:
        asked = (tenants, system, LAGGING_MAX)
        found = await connection.execute(LAGGING, asked)
        return [Lag(*record) for record in await found.fetchall()]
