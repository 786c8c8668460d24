"""Which of the databases that the settings name can't be reached: an operator has to know."""

from typing import Final

import psycopg
from msgspec.structs import replace

from adapters.cli.output import Failure
from adapters.settings import load_settings

AWAY: Final = frozenset({"database.unavailable", "database.login_refused"})
NAMED: Final = ("database_url", "read_database_url", "database_admin_url")
ANSWER_SECONDS: Final = 3


def unreached() -> list[str]:
    """Name the settings whose database lets nobody in by now; those of an instance have none."""
    settings = load_settings()
    named = {name.upper(): getattr(settings, name) for name in NAMED}
    return [name for name, url in named.items() if url and not _answers(url)]


def with_names(failure: Failure) -> Failure:
    """Say which database it was, where it is one of several."""
    if failure.code not in AWAY:
        return failure
    names = unreached()
    if not names:
        return failure  # It is back, or the instance's own.
    return replace(failure, message=f"{failure.message} It is that of {' and '.join(names)}.")


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=ANSWER_SECONDS).close()
    except psycopg.OperationalError:
        return False
    return True
