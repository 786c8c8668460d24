"""The instance that the demo runs on: the one that runs, or one of its own for a while."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from msgspec.structs import replace

from adapters.cli.output import note
from adapters.embedded.instance import running_instance
from adapters.embedded.record import MODULE, Instance
from adapters.settings import Settings
from application.errors import Unavailable

START_SECONDS_MAX: Final = 180.0
"""The first start unpacks the servers and makes a database."""

STOP_SECONDS_MAX: Final = 15.0
POLL_SECONDS: Final = 0.2
LOG: Final = "demo.log"


@contextmanager
def demo_instance(settings: Settings) -> Iterator[Settings]:
    """Yield settings with the URLs of an instance that serves.

    Raises:
        Unavailable: None runs, and none can be started.

    """
    instance = running_instance(settings)
    if instance is not None:
        yield _attached(settings, instance)
        return
    note("No instance runs: one is started for the demo.")
    settings.data.mkdir(parents=True, exist_ok=True)
    port = _free_port(settings)
    with (settings.data / LOG).open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command.
            [sys.executable, "-m", MODULE, "up"],
            env={**os.environ, "PORT": str(port)},
            stdout=log,
            stderr=log,
        )
    try:
        yield _attached(settings, _started(settings, process))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_SECONDS_MAX)


def _started(settings: Settings, process: "subprocess.Popen[bytes]") -> Instance:
    deadline = time.monotonic() + START_SECONDS_MAX
    while process.poll() is None and time.monotonic() < deadline:
        instance = running_instance(settings)
        if instance is not None and _is_ready(instance.url):
            return instance
        time.sleep(POLL_SECONDS)
    raise Unavailable(
        "demo.not_started",
        "The demo's instance did not become ready.",
        hint=f"Its log says why: {settings.data / LOG}.",
    )


def _is_ready(url: str) -> bool:
    link = HTTPConnection(urlsplit(url).netloc, timeout=POLL_SECONDS * 10)
    try:
        link.request("GET", "/ready")
        return link.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        link.close()


def _free_port(settings: Settings) -> int:
    """Return the port that is set, or any other where that one is taken."""
    for port in (settings.port, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.asiento_host, port))
            except OSError:
                continue
            taken: int = probe.getsockname()[1]
            return taken
    return settings.port


def _attached(settings: Settings, instance: Instance) -> Settings:
    # It may have been started with another PORT than this command knows of.
    serves = urlsplit(instance.url)
    return replace(
        settings,
        asiento_host=serves.hostname or settings.asiento_host,
        port=serves.port or settings.port,
        database_url=instance.database_url,
        database_admin_url=instance.admin_database_url,
        redis_url=instance.redis_url,
        asiento_data=Path(settings.data),
    )
