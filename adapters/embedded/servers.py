"""The servers of an instance: those that the settings don't name are started, and stopped."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from adapters.embedded.binaries import postgres_folder, valkey_server
from adapters.embedded.credentials import credentials
from adapters.embedded.lock import WAIT_SECONDS, hold
from adapters.embedded.places import find_places, make_data_folder, remove_instance
from adapters.embedded.postgres import Postgres
from adapters.embedded.processes import Popen, Program, stop
from adapters.embedded.record import end_former
from adapters.embedded.urls import Urls
from adapters.embedded.valkey import Valkey
from adapters.settings import Settings

__all__ = ["Servers", "Urls", "embedded_servers", "remove_instance"]

# A shutdown writes out up to shared_buffers; on a slow disk that takes its time.
STOP_SECONDS_MAX: Final = 60.0


class Servers:
    """The servers that this process runs. Both start at once; the lock must be held."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.running: list[Valkey | Postgres] = []
        self._valkey: Valkey | None = None
        self._postgres: Postgres | None = None

    def start(self) -> None:
        """Start what the settings don't name, without waiting for it."""
        settings = self._settings
        if settings.database_url and settings.redis_url:
            return
        places = find_places(settings)
        passwords = credentials(places)
        if settings.redis_url is None:
            binary = valkey_server(settings, places.user)
            self._valkey = Valkey(places, binary, passwords)
            self.running.append(self._valkey)
        if settings.database_url is None:
            folder = postgres_folder(settings, places.user)
            self._postgres = Postgres(places, folder, passwords)
            self.running.append(self._postgres)
        for server in self.running:
            server.start()

    def wait_ready(self) -> Urls:
        """Return the URLs when every server answers."""
        for server in self.running:
            server.wait_ready()
        given = self._settings
        if self._postgres:
            database_url, admin_url = self._postgres.url, self._postgres.admin_url
        else:
            database_url, admin_url = given.database_url or "", given.owner_url
        redis_url = self._valkey.url if self._valkey else given.redis_url or ""
        return Urls(database_url=database_url, admin_database_url=admin_url, redis_url=redis_url)

    def hand_over(self) -> list[tuple[Program, Popen]]:
        """Leave the servers to the caller, Valkey first, as it is the first to stop."""
        started = [(each.program, each.process) for each in self.running if each.process]
        self.running.clear()
        return started

    def stop(self, seconds: float = STOP_SECONDS_MAX) -> None:
        """Stop Valkey and PostgreSQL, unless they were handed over."""
        stop(self.hand_over(), seconds)


@contextmanager
def embedded_servers(settings: Settings, wait_seconds: float = WAIT_SECONDS) -> Iterator[Urls]:
    """Run the servers that the settings don't name, for as long as the block lasts.

    Raises:
        Unavailable: Somebody else runs this instance, or a server doesn't start.

    """
    with hold(make_data_folder(settings), wait_seconds):
        end_former(settings.data)
        servers = Servers(settings)
        try:
            servers.start()
            yield servers.wait_ready()
        finally:
            servers.stop()
