"""The embedded PostgreSQL: made once, whole or not at all, then started and waited for."""

import secrets
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from adapters.embedded.credentials import Credentials
from adapters.embedded.files import private_folder, write_private
from adapters.embedded.places import Places
from adapters.embedded.processes import (
    POLL_SECONDS,
    SERVER_ENVIRONMENT,
    Popen,
    Program,
    all_pids,
    command_line,
    free_port,
    kill_group,
    spawn,
    stop_leftover,
    working_folder,
)
from application.errors import Unavailable

# Recovery after a crash replays up to max_wal_size; on a slow disk that takes its time.
START_SECONDS_MAX: Final = 300.0
# A port may be taken meanwhile, and a killed server's memory is held until its last child ends.
START_ATTEMPTS_MAX: Final = 40
START_PAUSE_SECONDS: Final = 0.25
# A fast shutdown of a leftover writes out what it holds in memory.
FORMER_SECONDS: Final = 30.0
DRAFT: Final = ".postgres."
BUILTIN_LOCALE_SINCE: Final = 17

# Rewritten at each start; what an operator sets with ALTER SYSTEM goes before it.
# Logged errors leave out statements and details: both hold what customers entered.
CONFIGURATION: Final = """\
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
shared_buffers = '256MB'
max_wal_size = '2GB'
wal_level = replica
fsync = on
synchronous_commit = on
password_encryption = 'scram-sha-256'
timezone = 'UTC'
log_timezone = 'UTC'
jit = off
logging_collector = on
log_directory = 'log'
log_filename = 'postgresql-%a.log'
log_rotation_age = '1d'
log_rotation_size = 0
log_truncate_on_rotation = on
log_line_prefix = '%m [%p] %q%u@%d '
log_min_error_statement = panic
log_error_verbosity = terse
"""


class Postgres:
    """One cluster and its server."""

    name: Final = "postgres"

    def __init__(self, places: Places, binaries: Path, credentials: Credentials) -> None:
        self._folder = places.postgres
        self._user = places.user
        self._binaries = binaries
        self._credentials = credentials
        self.port = free_port()
        self.process: Popen | None = None

    @property
    def url(self) -> str:
        """For run time: a role that owns nothing."""
        return f"postgresql://asiento:{self._credentials.asiento}@127.0.0.1:{self.port}/asiento"

    @property
    def admin_url(self) -> str:
        """For migrations: the superuser."""
        return f"postgresql://postgres:{self._credentials.postgres}@127.0.0.1:{self.port}/asiento"

    @property
    def program(self) -> Program:
        """How the server is started, again too."""
        return Program(
            name=self.name,
            argv=(
                str(self._binaries / "postgres"),
                "-D",
                str(self._folder),
                "-p",
                str(self.port),
            ),
            environment=SERVER_ENVIRONMENT,
            user=self._user,
            folder=self._folder,
            output=self._folder / "start.log",
            end=signal.SIGINT,
            end_hard=signal.SIGQUIT,
            clear=self._stop_former,
        )

    def start(self) -> None:
        """Make the cluster if it is missing, end a former server of it, and start ours."""
        if not self._folder.exists():
            self._make()
        self._stop_former()
        self._write_configuration(self._folder)
        self.process = spawn(self.program)

    def wait_ready(self) -> None:
        """Return when it takes connections.

        Raises:
            Unavailable: It ended again and again, or took too long.

        """
        deadline = time.monotonic() + START_SECONDS_MAX
        attempts = 1
        while not self._is_ready():
            if self.process is None or self.process.poll() is not None:
                if attempts == START_ATTEMPTS_MAX:
                    raise self._failed()
                attempts += 1
                time.sleep(START_PAUSE_SECONDS)
                self.port = free_port()
                self.process = spawn(self.program)
            if time.monotonic() > deadline:
                raise self._failed()
            time.sleep(POLL_SECONDS)

    def _is_ready(self) -> bool:
        """Read what the server says of itself: line 1 is its pid, line 8 its state."""
        lines = self._pid_file_lines()
        return (
            self.process is not None
            and lines[:1] == [str(self.process.pid)]
            and [line.strip() for line in lines[7:8]] == ["ready"]
        )

    def _pid_file_lines(self) -> list[str]:
        try:
            return (self._folder / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _stop_former(self) -> None:
        """End what a killed supervisor left, and drop a pid file that names a stranger.

        Pids come round again, and PostgreSQL takes any live process under the old one for itself.
        A busy backend outlives a killed postmaster, and keeps the next one from its memory.
        """
        lines = self._pid_file_lines()
        if not lines or not lines[0].isdigit():
            return
        pid = int(lines[0])
        stop_leftover(pid, self._is_ours, (signal.SIGINT, signal.SIGQUIT), FORMER_SECONDS)
        for backend in all_pids():
            stop_leftover(backend, self._works_here, (), FORMER_SECONDS)
        if command_line(pid):
            (self._folder / "postmaster.pid").unlink(missing_ok=True)

    def _is_ours(self, pid: int) -> bool:
        return f"-D {self._folder} " in command_line(pid)

    def _works_here(self, pid: int) -> bool:
        """Tell by its working folder, as a backend's command line does not name the cluster."""
        return "postgres" in command_line(pid) and working_folder(pid) == self._folder

    def _make(self) -> None:
        """Make the cluster beside its place, and move it there when it is whole."""
        for abandoned in self._folder.parent.glob(f"{DRAFT}*"):
            shutil.rmtree(abandoned) if abandoned.is_dir() else abandoned.unlink()
        draft = self._folder.with_name(f"{DRAFT}{secrets.token_hex(4)}")
        password = draft.with_name(f"{draft.name}.password")
        try:
            private_folder(draft, self._user)
            write_private(password, self._credentials.postgres.encode(), self._user)
            self._run(*self._initdb(draft, password))
            with (draft / "postgresql.conf").open("a") as file:
                file.write("include 'asiento.conf'\n")
            self._write_configuration(draft)
            self._provision(draft)
            draft.rename(self._folder)
        finally:
            password.unlink(missing_ok=True)
            shutil.rmtree(draft, ignore_errors=True)

    def _initdb(self, folder: Path, password: Path) -> tuple[str, ...]:
        return (
            str(self._binaries / "initdb"),
            f"--pgdata={folder}",
            "--username=postgres",
            f"--pwfile={password}",
            "--auth=scram-sha-256",
            "--data-checksums",
            "--encoding=UTF8",
            *self._locale(),
        )

    def _locale(self) -> tuple[str, ...]:
        """Choose UTF-8 letters in code point order, which no system's update ever changes."""
        words = self._run(str(self._binaries / "postgres"), "--version").split()
        if int(words[2].partition(".")[0]) >= BUILTIN_LOCALE_SINCE:
            return ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        return ("--locale=C.UTF-8" if sys.platform == "linux" else "--locale=C",)

    def _provision(self, folder: Path) -> None:
        """Add the database and the run-time role, by PostgreSQL's single-user mode."""
        statements = (
            "CREATE DATABASE asiento OWNER postgres ENCODING 'UTF8' TEMPLATE template0;\n"
            "CREATE ROLE asiento LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION"
            f" NOBYPASSRLS PASSWORD '{self._credentials.asiento}';\n"
        )
        postgres = str(self._binaries / "postgres")
        output = self._run(postgres, "--single", "-D", str(folder), "postgres", given=statements)
        if "ERROR" in output or "FATAL" in output:
            raise _unmade(output)

    def _run(self, *argv: str, given: str = "") -> str:
        process = subprocess.Popen(  # noqa: S603 - argv is our own.
            argv,
            env=SERVER_ENVIRONMENT,
            cwd=self._folder.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=None if self._user is None else self._user.uid,
            group=None if self._user is None else self._user.gid,
            extra_groups=None if self._user is None else [],
            text=True,
        )
        try:
            output, _ = process.communicate(given)
        finally:
            kill_group(process.pid)  # A Ctrl-C in the middle must not leave it writing.
            process.wait()
        if process.returncode != 0:
            raise _unmade(output)
        return output

    def _write_configuration(self, folder: Path) -> None:
        write_private(folder / "asiento.conf", CONFIGURATION.encode(), self._user)

    def _failed(self) -> Unavailable:
        written = (self._folder / "start.log").read_text(errors="replace").strip()
        return Unavailable(
            "postgres.not_started",
            f"PostgreSQL did not start. {written[-500:]}".strip(),
            hint=f"Its log is in {self._folder / 'log'}.",
        )


def _unmade(output: str) -> Unavailable:
    return Unavailable(
        "postgres.not_made",
        f"The database could not be made: {output.strip()[-500:]}",
        hint="Is the disk full, or closed to us? Mend it and start again: nothing is left half.",
    )
