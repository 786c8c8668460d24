"""Servers as they are measured: ours by its own command, each peer by uvicorn with one worker.

Each listens on a free port of this machine, and is ended with its case. What they print goes to a
file, which is shown where one doesn't start.
"""

import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from subprocess import STDOUT, Popen, TimeoutExpired
from time import monotonic, sleep
from typing import Final

from msgspec import Struct

from adapters.embedded.servers import Urls
from benchmarks.appending.server import Server
from benchmarks.projecting.processes import ASIENTO, environment
from benchmarks.support.report import CHECKOUT

START_SECONDS_MAX: Final = 60
STOP_SECONDS_MAX: Final = 10
POLL_SECONDS: Final = 0.05
SAID_BYTES_MAX: Final = 2_000

UVICORN: Final = (
    *(sys.executable, "-m", "uvicorn"),
    *("--loop", "uvloop", "--http", "httptools", "--workers", "1"),
    *("--no-access-log", "--log-level", "warning", "--host", "127.0.0.1"),
)


class Listening(Struct, frozen=True, kw_only=True):
    """A server that takes connections."""

    name: str
    pid: int
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def ours(server: Server, urls: Urls) -> Iterator[Listening]:
    """Start ``asiento api`` as it comes: with its log of every request."""
    known = dict(environment(server, urls))
    known.pop("LOG_LEVEL")
    with started(server, "Asiento", (*ASIENTO, "api"), known) as listening:
        yield listening


@contextmanager
def served(server: Server, urls: Urls, module: str, name: str) -> Iterator[Listening]:
    """Start a peer of this folder as the owner of the tables, whom row-level security spares."""
    command = (*UVICORN, f"benchmarks.{module}:app")
    known = {**os.environ, "DATABASE_URL": urls.admin_database_url}
    with started(server, name, command, known, port_option="--port") as listening:
        yield listening


@contextmanager
def started(
    server: Server,
    name: str,
    command: Sequence[str],
    environ: Mapping[str, str],
    *,
    port_option: str = "",
) -> Iterator[Listening]:
    """Start a command that listens on ``PORT``, or on what its option says, and end it.

    Raises:
        RuntimeError: It doesn't listen; what it said is in the message.

    """
    port = _free_port()
    options = [port_option, str(port)] if port_option else []
    said = server.folder / f"{name.split(maxsplit=1)[0].lower()}-{port}.log"
    with said.open("wb") as output:
        process = Popen(
            [*command, *options],
            cwd=CHECKOUT,
            env={**environ, "PORT": str(port)},
            stdout=output,
            stderr=STDOUT,
        )
    try:
        _wait(process, port, lambda: said.read_bytes()[-SAID_BYTES_MAX:])
        yield Listening(name=name, pid=process.pid, port=port)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS_MAX)
        except TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _wait(process: "Popen[bytes]", port: int, said: Callable[[], bytes]) -> None:
    deadline = monotonic() + START_SECONDS_MAX
    while process.poll() is None and monotonic() < deadline:
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        sleep(POLL_SECONDS)
    raise RuntimeError(f"It doesn't listen:\n{said().decode(errors='replace')}")
