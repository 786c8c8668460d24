"""The embedded Valkey: jobs, limits and hints, kept in an append-only file."""

import signal
import socket
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
    command_line,
    free_port,
    spawn,
    stop_leftover,
)
from application.errors import Unavailable

START_SECONDS_MAX: Final = 60.0
START_ATTEMPTS_MAX: Final = 20
START_PAUSE_SECONDS: Final = 0.1
ANSWER_SECONDS_MAX: Final = 1.0
ANSWER_BYTES_MAX: Final = 1_000

# set-proc-title would hide the configuration's path, by which a leftover is known as ours.
CONFIGURATION: Final = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir "{folder}"
pidfile "{folder}/valkey.pid"
daemonize no
set-proc-title no
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
loglevel warning
"""


class Valkey:
    """One server and its folder."""

    name: Final = "valkey"

    def __init__(self, places: Places, binary: Path, credentials: Credentials) -> None:
        self._folder = places.valkey
        self._configuration = places.valkey / "valkey.conf"
        self._user = places.user
        self._binary = binary
        self._password = credentials.valkey
        self.port = free_port()
        self.process: Popen | None = None

    @property
    def url(self) -> str:
        """Where clients connect to."""
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    @property
    def program(self) -> Program:
        """How the server is started, again too."""
        return Program(
            name=self.name,
            argv=(str(self._binary), str(self._configuration)),
            environment=SERVER_ENVIRONMENT,
            user=self._user,
            folder=self._folder,
            output=self._folder / "start.log",
        )

    def start(self) -> None:
        """End a former server of this folder, and start ours."""
        private_folder(self._folder, self._user)
        self._stop_former()
        self._spawn()

    def wait_ready(self) -> None:
        """Return when it answers.

        Raises:
            Unavailable: It ended again and again, or took too long.

        """
        deadline = time.monotonic() + START_SECONDS_MAX
        attempts = 1
        while not self._answers():
            if self.process is None or self.process.poll() is not None:
                if attempts == START_ATTEMPTS_MAX:
                    raise self._failed()
                attempts += 1
                time.sleep(START_PAUSE_SECONDS)
                self.port = free_port()
                self._spawn()
            if time.monotonic() > deadline:
                raise self._failed()
            time.sleep(POLL_SECONDS)

    def _spawn(self) -> None:
        text = CONFIGURATION.format(port=self.port, password=self._password, folder=self._folder)
        write_private(self._configuration, text.encode(), self._user)
        self.process = spawn(self.program)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), ANSWER_SECONDS_MAX) as link:
                link.sendall(f"AUTH {self._password}\r\nPING\r\nQUIT\r\n".encode())
                answer = b"".join(iter(lambda: link.recv(ANSWER_BYTES_MAX), b""))
        except OSError:
            return False
        return b"+PONG" in answer

    def _stop_former(self) -> None:
        try:
            pid = int((self._folder / "valkey.pid").read_text())
        except (FileNotFoundError, ValueError):
            return
        stop_leftover(pid, self._is_ours, (signal.SIGTERM,), 5.0)

    def _is_ours(self, pid: int) -> bool:
        return str(self._configuration) in command_line(pid)

    def _failed(self) -> Unavailable:
        written = (self._folder / "start.log").read_text(errors="replace").strip()
        return Unavailable(
            "valkey.not_started",
            f"Valkey did not start. {written[-500:]}".strip(),
            hint=f"Its files are in {self._folder}.",
        )
