"""`asiento health`: whether every server answers, and whether everything keeps up."""

from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import Final
from urllib.parse import urlsplit

from redis import Redis
from redis.exceptions import RedisError

from adapters.cli.failures import FAILED, UNREACHABLE
from adapters.cli.output import Result, Table
from adapters.cli.projection_states import failed_in, list_progress
from adapters.cli.reaching import unreached
from adapters.cli.session import open_and, prepare
from adapters.embedded.instance import attached, running_instance
from adapters.health import OK, STOPS, status_of
from adapters.postgres.migrate import migrate
from adapters.postgres.projecting.standing import look
from adapters.runtime import Runtime
from adapters.settings import Settings
from adapters.worker.readers import reader_names
from application.errors import ApplicationError, Unavailable

ANSWER_SECONDS_MAX: Final = 5.0
NOT_RUNNING: Final = "not running"
UNREACHED: Final = "unreachable"


def health() -> Result:
    """Ask every server, and compare every projection with its log. Nothing is started for it."""
    settings = prepare()
    instance = running_instance(settings)
    if instance is None and not (settings.database_url and settings.redis_url):
        return _result({"instance": NOT_RUNNING})
    checks: dict[str, Callable[[Settings], str]] = {
        "database": _database,
        "redis": _redis,
        STOPS: _projections,
    }
    with attached(settings) as named:
        found = {name: _told(check, named) for name, check in checks.items()}
    if instance is not None:
        found["api"] = _api(instance.url)
    return _result(found)


def _result(checks: dict[str, str]) -> Result:
    away = any(found == NOT_RUNNING or found.startswith(UNREACHED) for found in checks.values())
    status = status_of(checks)
    return Result(
        document={"status": status, "checks": checks},
        people=(Table(("CHECK", "FOUND"), list(checks.items())), f"Status: {status}"),
        code=UNREACHABLE if away else 0 if status == OK else FAILED,
    )


def _told(check: Callable[[Settings], str], settings: Settings) -> str:
    try:
        return check(settings)
    except (Unavailable, RedisError, OSError) as error:
        named = unreached() if isinstance(error, Unavailable) else []
        return f"{UNREACHED} ({', '.join(named) or type(error).__name__})"
    except ApplicationError as error:
        return error.message


def _database(settings: Settings) -> str:
    """Connect, and see that every migration was run."""
    pending = migrate(settings.owner_url, settings.database_url or "", check=True).pending
    return f"migrations are pending: {', '.join(pending)}" if pending else OK


def _redis(settings: Settings) -> str:
    with Redis.from_url(settings.redis_url or "", socket_timeout=ANSWER_SECONDS_MAX) as redis:
        redis.ping()
    return OK


def _projections(settings: Settings) -> str:
    """Look for what stands still at an event; being behind for a while is what they do."""

    async def work(runtime: Runtime) -> list[str]:
        standing = await look(runtime.pool, reader_names())
        # Who it is costs a list of everything, which nobody needs where all goes on.
        return failed_in(await list_progress(runtime)) if standing.stopped else []

    stopped = open_and(settings, work)
    return f"stopped: {', '.join(stopped)}" if stopped else OK


def _api(url: str) -> str:
    """Ask the API itself; no proxy of the environment stands between."""
    link = HTTPConnection(urlsplit(url).netloc, timeout=ANSWER_SECONDS_MAX)
    try:
        link.request("GET", "/ready")
        status = link.getresponse().status
    except (OSError, HTTPException) as error:
        return f"{UNREACHED} ({type(error).__name__})"
    else:
        return OK if status == HTTPStatus.OK else f"answers with {status}"
    finally:
        link.close()
