"""How a command finds its servers: those that run, those it is given, or its own for a while."""

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Final

from msgspec.structs import replace

from adapters.embedded.applications import APPLICATIONS, application, with_urls
from adapters.embedded.lock import holder
from adapters.embedded.places import not_yours
from adapters.embedded.processes import Popen, Program, spawn, stop
from adapters.embedded.record import Instance, read_record
from adapters.embedded.urls import Urls
from adapters.settings import Settings
from application.errors import Conflict

# Another command may have started the servers for its own while.
WAIT_SECONDS_MAX: Final = 60.0
POLL_SECONDS: Final = 0.1
STOP_SECONDS_MAX: Final = 5.0


def running_instance(settings: Settings) -> Instance | None:
    """Return the instance of ASIENTO_DATA if its supervisor lives.

    Raises:
        Unavailable: It belongs to another user.

    """
    try:
        pid = holder(settings.data)
        record = read_record(settings.data)
    except PermissionError:
        raise not_yours(settings.data) from None
    return record if pid is not None and record and record.supervisor == pid else None


@contextmanager
def attached(settings: Settings, processes: Collection[str] = ()) -> Iterator[Settings]:
    """Yield settings that name every server.

    The running instance's, unless the settings name others; where none runs and the settings
    leave one open, servers are started and migrated, with the named processes, for the block.

    Raises:
        Conflict: An instance runs, and the settings name another server and leave one open.
        Unavailable: The servers can't be had.

    """
    if named := _named(settings):
        yield named
        return
    # Starting servers is slow, and seldom needed; so is importing what starts them.
    from adapters.embedded.servers import embedded_servers  # noqa: PLC0415

    with (
        embedded_servers(settings, WAIT_SECONDS_MAX) as urls,
        _applications(settings, urls, processes),
    ):
        yield with_urls(settings, urls)


def _named(settings: Settings) -> Settings | None:
    """Return the servers that are there; wait for an instance that is just starting."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while True:
        instance = running_instance(settings)
        if instance and _agree(settings, instance):
            return with_urls(settings, _urls(instance))
        if settings.database_url and settings.redis_url:
            return replace(settings, database_admin_url=settings.owner_url)
        if instance:
            raise _of_others(settings)
        if holder(settings.data) is None or time.monotonic() > deadline:
            return None
        time.sleep(POLL_SECONDS)


def _urls(instance: Instance) -> Urls:
    return Urls(
        database_url=instance.database_url,
        admin_database_url=instance.admin_database_url,
        redis_url=instance.redis_url,
    )


def _of_others(settings: Settings) -> Conflict:
    """Say that one server is named, and that the instance here runs on another."""
    names = ["DATABASE_URL", "REDIS_URL"]
    named, other = names if settings.database_url else reversed(names)
    return Conflict(
        "instance.other_servers",
        f"{named} names another server than the instance in {settings.data} runs on,"
        f" and {other} is not set.",
        hint=f"Set {other} too, or unset {named}.",
    )


def _agree(settings: Settings, instance: Instance) -> bool:
    return settings.database_url in {None, instance.database_url} and settings.redis_url in {
        None,
        instance.redis_url,
    }


@contextmanager
def _applications(settings: Settings, urls: Urls, names: Collection[str]) -> Iterator[None]:
    from adapters.postgres.migrate import migrate  # noqa: PLC0415 - slow, and seldom needed.

    migrate(urls.admin_database_url, urls.database_url)
    started: list[tuple[Program, Popen]] = []
    try:
        for name in names:
            program = application(name, APPLICATIONS[name], settings, urls)
            # The terminal is the command's; its helpers write into files.
            program = replace(program, output=settings.data / f"{name}.log")
            started.append((program, spawn(program)))
        yield
    finally:
        stop(started, STOP_SECONDS_MAX)
