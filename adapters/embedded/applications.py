"""The processes of an instance besides its servers, and what they are told."""

import os
import sys
from collections.abc import Mapping
from typing import Final

import msgspec

from adapters.embedded.processes import Program
from adapters.embedded.record import MARK, MODULE
from adapters.embedded.urls import Urls
from adapters.settings import Settings

# In the order in which they are stopped: first those that bring new work.
APPLICATIONS: Final[Mapping[str, tuple[str, ...]]] = {
    name: (sys.executable, "-m", MODULE, name)
    for name in ("api", "scheduler", "worker", "projector")
}
ADMIN: Final = "DATABASE_ADMIN_URL"


def with_urls(settings: Settings, urls: Urls) -> Settings:
    """Return the settings of a process that migrates, too."""
    return msgspec.structs.replace(
        settings,
        database_url=urls.database_url,
        database_admin_url=urls.admin_database_url,
        redis_url=urls.redis_url,
    )


def application(name: str, argv: tuple[str, ...], settings: Settings, urls: Urls) -> Program:
    """Describe one process, whose settings are exactly ours but for the administrator's."""
    return Program(name=name, argv=argv, environment=_environment(settings, urls))


def _environment(settings: Settings, urls: Urls) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if name != ADMIN}
    given = {
        field.upper(): str(value)
        for field, value in msgspec.structs.asdict(settings).items()
        if value is not None and field.upper() != ADMIN
    }
    if settings.database_admin_url and ADMIN not in os.environ:
        # It stands in .env, which the process reads too; what the environment says goes first.
        given[ADMIN] = urls.database_url
    return {
        **own,
        **given,
        "DATABASE_URL": urls.database_url,
        "REDIS_URL": urls.redis_url,
        "ASIENTO_DATA": str(settings.data),
        "PYTHONUNBUFFERED": "1",
        MARK: str(settings.data),
    }
