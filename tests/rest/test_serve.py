"""The process: it stops when told to, and says plainly why it did not start."""

import signal
import socket
from pathlib import Path

import msgspec

from adapters.settings import Settings
from tests.rest.api import api_process, free_port, start

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"


def test_a_signal_ends_it_cleanly(api: Settings, tmp_path: Path) -> None:
    another = msgspec.structs.replace(api, port=free_port())
    with api_process(another, tmp_path / "log") as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert "api.stopped" in (tmp_path / "log").read_text()


def test_a_taken_port_is_named(api: Settings, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = msgspec.structs.replace(api, port=port)
        assert start(settings, tmp_path / "log").wait(20) == 1
    told = (tmp_path / "log").read_text()
    assert told.startswith(f"127.0.0.1:{port} can't be listened on: Address already in use.")
    assert "Traceback" not in told


def test_an_absent_database_is_told_without_its_password(api: Settings, tmp_path: Path) -> None:
    url = NOWHERE.replace("nobody", "nobody:hidden")
    settings = msgspec.structs.replace(api, port=free_port(), database_url=url)
    assert start(settings, tmp_path / "log").wait(40) == 3
    told = (tmp_path / "log").read_text()
    assert "database.unavailable" in told
    assert "hidden" not in told
