"""One instance for all documents, started as their readers do, in a folder of its own."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.embedded.servers import remove_instance
from adapters.settings import Settings
from tests.cli.conftest import Environment, command_line, shell
from tests.docs.documents import ROOT

READY_SECONDS_MAX = 60
STOP_SECONDS_MAX = 15


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that stands for the reader's checkout."""
    with tempfile.TemporaryDirectory(prefix="asiento-docs-") as name:
        (Path(name) / "docs").symlink_to(ROOT / "docs")
        yield Path(name)


@pytest.fixture(scope="module")
def environment(folder: Path) -> Environment:
    """A shell in which commands are found, and which asks for a port that is free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    data = folder / ".asiento"
    return shell(ASIENTO_DATA=str(data), PORT=str(port), PATH=path, COLUMNS="200", LC_ALL="C.UTF-8")


@pytest.fixture(scope="module")
def checkout(folder: Path, environment: Environment) -> Iterator[Path]:
    """A folder with a running instance in `.asiento`, as `make run` leaves it in a checkout."""
    log = folder / "up.log"
    with log.open("wb") as output:
        running = subprocess.Popen(
            command_line("up"), cwd=folder, env=environment, stdout=output, stderr=output
        )
    try:
        _wait_ready(running, log)
        yield folder
    finally:
        _stop(running)
        remove_instance(Settings(asiento_data=folder / ".asiento"))


def _wait_ready(running: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS_MAX
    while "Asiento is ready" not in (said := log.read_text()):
        assert running.poll() is None, said
        assert time.monotonic() < deadline, said
        time.sleep(0.1)


def _stop(running: "subprocess.Popen[bytes]") -> None:
    running.send_signal(signal.SIGTERM)
    try:
        running.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()
