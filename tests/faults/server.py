"""A PostgreSQL of the harness's own, made to be hurt."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import conninfo

from adapters.embedded.binaries import postgres_folder
from adapters.embedded.credentials import credentials
from adapters.embedded.places import find_places, remove_instance
from adapters.embedded.postgres import Postgres
from adapters.embedded.processes import stop
from adapters.embedded.users import User
from adapters.postgres.migrate import migrate
from adapters.settings import Settings

STOP_SECONDS: Final = 10.0
PRLIMIT: Final = shutil.which("prlimit") or "prlimit"
# The one place where the log takes the time; a jump is added to what the server's clock says.
CLOCK_READERS: Final = """
SELECT pg_get_functiondef(oid) FROM pg_proc
WHERE pronamespace = 'public'::regnamespace AND prosrc LIKE '%clock_timestamp()%'
"""
CLOCK: Final = """
CREATE TABLE fault_clock (jump interval NOT NULL);
INSERT INTO fault_clock VALUES ('0');
GRANT SELECT ON fault_clock TO PUBLIC
"""
JUMPING: Final = "(clock_timestamp() + (SELECT jump FROM public.fault_clock))"


class Server:
    """A cluster with our schema; killed and started as one likes."""

    def __init__(self, postgres: Postgres, user: User | None) -> None:
        self._postgres = postgres
        self._user = user

    @property
    def url(self) -> str:
        """The run-time role's."""
        return self._postgres.url

    @property
    def admin_url(self) -> str:
        return self._postgres.admin_url

    @property
    def port(self) -> int:
        return self._postgres.port

    def through(self, port: int) -> str:
        """Return the run-time role's URL by way of a proxy."""
        return conninfo.make_conninfo(self.url, port=port)

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        self._postgres.start()
        self._postgres.wait_ready()

    def stop(self) -> None:
        if self._postgres.process:
            stop([(self._postgres.program, self._postgres.process)], STOP_SECONDS)

    def kill(self) -> None:
        """Kill the postmaster as the system would: it says and writes nothing more."""
        assert self._postgres.process
        self._postgres.process.send_signal(signal.SIGKILL)
        self._postgres.process.wait()

    def ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:  # Any: any rows.
        """Run a statement as the superuser."""
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            found = connection.execute(statement.encode(), values or None)
            return found.fetchall() if found.description else []

    def is_running(self) -> bool:
        """Tell whether the postmaster lives; it gives up where recovery fails."""
        return self._postgres.process is not None and self._postgres.process.poll() is None

    def limit_files(self, size_bytes: int | None) -> None:
        """Let no process of the server write past *size_bytes* of a file, as a full disk would."""
        limit = "unlimited" if size_bytes is None else str(size_bytes)
        for pid in self.processes():
            # Only its own user may: root in a container often may not.
            subprocess.run(
                [PRLIMIT, f"--pid={pid}", f"--fsize={limit}:"],
                user=None if self._user is None else self._user.uid,
                group=None if self._user is None else self._user.gid,
                stderr=subprocess.DEVNULL,
                check=False,  # A backend may have ended meanwhile.
            )

    def make_clock_jump(self, by: str) -> None:
        """Set the server's clock *by* an interval, where our functions read it."""
        if not self.ask("SELECT to_regclass('fault_clock') IS NOT NULL")[0][0]:
            readers = [row[0] for row in self.ask(CLOCK_READERS)]
            jumping = [reader.replace("clock_timestamp()", JUMPING) for reader in readers]
            self.ask(";".join((CLOCK, *jumping)))  # One transaction: all of it or nothing.
        self.ask("UPDATE fault_clock SET jump = %s::interval", by)

    def processes(self) -> list[int]:
        """Return the postmaster and its children; none where it is dead."""
        assert self._postgres.process
        postmaster = self._postgres.process.pid
        try:
            children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text()
        except FileNotFoundError:
            return []
        return [postmaster, *map(int, children.split())]


@contextmanager
def server(folder: Path) -> Iterator[Server]:
    """Run a migrated PostgreSQL for the block; nothing of it is left behind."""
    settings = Settings(asiento_data=folder)
    folder.mkdir(exist_ok=True)
    if os.geteuid() == 0:
        folder.chmod(0o711)
    places = find_places(settings)
    binaries = postgres_folder(settings, places.user)
    made = Server(Postgres(places, binaries, credentials(places)), places.user)
    try:
        made.start()
        migrate(made.admin_url, made.url)
        yield made
    finally:
        made.stop()
        remove_instance(settings)
