"""The servers of a soak: PostgreSQL and Valkey of its own, which stand still when told to."""

import asyncio
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec import Struct

from adapters.embedded.binaries import valkey_server
from adapters.embedded.credentials import credentials
from adapters.embedded.places import find_places
from adapters.embedded.processes import stop
from adapters.embedded.valkey import Valkey
from adapters.settings import Settings
from tests.faults.server import STOP_SECONDS, Server, server


class Servers(Struct, frozen=True):
    """Both servers, and the settings of whoever works on them."""

    postgres: Server
    valkey: Valkey
    settings: Settings

    def kill_valkey(self) -> None:
        """Kill it as the system would, and start it again on the same port and the same file."""
        assert self.valkey.process
        self.valkey.process.send_signal(signal.SIGKILL)
        self.valkey.process.wait()
        self.valkey.start()
        self.valkey.wait_ready()

    def kill_postgres(self) -> None:
        """Kill the postmaster, and start it again; it recovers what was flushed."""
        self.postgres.kill()
        self.postgres.start()

    def valkey_processes(self) -> list[int]:
        return [self.valkey.process.pid] if self.valkey.process else []


@contextmanager
def servers(folder: Path) -> Iterator[Servers]:
    """Run both for the block; nothing of them is left behind."""
    with server(folder) as postgres:
        places = find_places(Settings(asiento_data=folder))
        binary = valkey_server(Settings(asiento_data=folder), places.user)
        valkey = Valkey(places, binary, credentials(places))
        try:
            valkey.start()
            valkey.wait_ready()
            settings = Settings(
                database_url=postgres.url,
                database_admin_url=postgres.admin_url,
                redis_url=valkey.url,
                asiento_data=folder,
                log_level="warning",
                webhook_allow_http=True,
                webhook_allow_private=True,
                webhook_seconds_max=1.0,
                webhook_retry_seconds="0.1,0.1,0.2,0.2,0.5,0.5,1,1,2,2,5,5",
            )
            yield Servers(postgres, valkey, settings)
        finally:
            if valkey.process:
                stop([(valkey.program, valkey.process)], STOP_SECONDS)


async def stand_still(pids: Sequence[int], seconds: float) -> None:
    """Stop processes where they are, the first one first, and let them go on later."""
    try:
        _signal(pids, signal.SIGSTOP)
        await asyncio.sleep(seconds)
    finally:
        _signal(pids, signal.SIGCONT)


def _signal(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):  # A backend may have ended meanwhile.
            os.kill(pid, number)
