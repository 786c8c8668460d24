"""The process: it stops when told to, and says plainly why it did not start."""

import signal
import socket
from pathlib import Path

import httpx
import msgspec

from adapters.settings import Settings
from tests.rest.api import api_process, free_port, start, url_of


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


def test_it_lives_without_its_servers_and_says_that_they_are_away(
    api: Settings, tmp_path: Path
) -> None:
    settings = msgspec.structs.replace(
        api,
        port=free_port(),
        database_url="postgresql://nobody:hidden@127.0.0.1:1/none",
        redis_url="redis://:hidden@127.0.0.1:1/0",
    )
    with api_process(settings, tmp_path / "log"):
        ready = httpx.get(f"{url_of(settings)}/ready", trust_env=False)
        lives = httpx.get(f"{url_of(settings)}/healthz", trust_env=False)
        health = httpx.get(f"{url_of(settings)}/health", trust_env=False)
        login = httpx.post(
            f"{url_of(settings)}/api/v1/login",
            json={"email": "a@b", "password": "c"},
            trust_env=False,
        )
    assert (ready.status_code, lives.status_code, health.status_code) == (503, 200, 200)
    assert (lives.json()["status"], health.json()["status"]) == ("ok", "failing")
    assert health.json()["checks"] == ready.json()["checks"]
    failing = [name for name, found in ready.json()["checks"].items() if found != "ok"]
    assert failing == ["database", "redis", "migrations", "projections", "projector"]
    assert (login.status_code, login.json()["code"]) == (503, "redis.unavailable")
    assert "hidden" not in (tmp_path / "log").read_text()


def test_a_setting_that_keeps_it_from_starting_is_named(api: Settings, tmp_path: Path) -> None:
    weak = msgspec.structs.replace(api, port=free_port(), asiento_secret_key="short")  # noqa: S106 - too short to be one.
    process = start(weak, tmp_path / "log")
    assert process.wait(20) != 0
    assert "ASIENTO_SECRET_KEY has one of 5 characters" in (tmp_path / "log").read_text()
