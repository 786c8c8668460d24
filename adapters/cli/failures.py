"""Exit codes: 1 refused or failed, 2 wrong usage, 3 a server can't be reached."""

from typing import Final

import psycopg
from cyclopts import CycloptsError, UnknownCommandError
from redis.exceptions import ConnectionError as RedisAway

from adapters.cli.output import MISUSED, Failure
from adapters.postgres.connections import unavailable
from application.errors import ApplicationError, Malformed
from domain.kernel import Refused

FAILED: Final = 1
UNREACHABLE: Final = 3
AWAY: Final = frozenset(
    {
        "database.unavailable",
        "demo.not_started",
        "instance.not_ready",
        "postgres.not_started",
        "queue.unavailable",
        "redis.unavailable",
        "store.outcome_unknown",
        "valkey.not_started",
    }
)
"""Of what is unavailable, the servers; a full disk or a closed folder is no server."""

ROLE: Final = 'role "asiento_'
NOT_MIGRATED: Final = Failure(
    code="database.not_migrated",
    message="This database lacks the tables or functions of this version.",
    hint="Run `asiento migrate`.",
    exit_code=FAILED,
)


def failure_of(error: Exception) -> Failure | None:
    """Say what went wrong and who can mend it; None: it is a bug, and should be seen whole."""
    match error:
        case Refused() | ApplicationError():
            failure = Failure(
                code=error.code,
                message=error.message,
                hint=error.hint,
                exit_code=_exit_code(error),
            )
        case CycloptsError():
            failure = _misused(error)
        case psycopg.errors.UndefinedTable() | psycopg.errors.UndefinedFunction():
            failure = NOT_MIGRATED
        case psycopg.errors.InvalidParameterValue() if ROLE in str(error):
            failure = NOT_MIGRATED  # Migrations make the roles that connections take on.
        case psycopg.OperationalError():
            return failure_of(unavailable(error))
        case RedisAway():
            failure = Failure(
                code="redis.unavailable",
                message=f"Redis can't be reached or broke off ({type(error).__name__}).",
                hint="Nothing acknowledged was lost. Ask again when it is back.",
                exit_code=UNREACHABLE,
            )
        case _:
            return None
    return failure


def _misused(error: CycloptsError) -> Failure:
    message = str(error) if not isinstance(error, UnknownCommandError) else _unknown(error)
    hint = "`asiento --help` lists the commands, and a command's --help its options."
    return Failure(code="usage", message=message, hint=hint, exit_code=MISUSED)


def _unknown(error: UnknownCommandError) -> str:
    """Name the command; the library would import every other one to name those as well."""
    return f"There is no command {(error.unused_tokens or [''])[0]}."


def _exit_code(error: Refused | ApplicationError) -> int:
    if error.code in AWAY:
        return UNREACHABLE
    return MISUSED if isinstance(error, Malformed) else FAILED
