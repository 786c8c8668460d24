"""The supervisor: whatever is killed comes back, and whatever it started ends with it."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from msgspec.structs import replace

from adapters.embedded.applications import application
from adapters.embedded.instance import attached, running_instance
from adapters.embedded.places import make_data_folder
from adapters.embedded.processes import Popen, Program, command_line, free_port, spawn
from adapters.embedded.record import MARK, Instance, end_former
from adapters.embedded.supervisor import Supervisor
from adapters.embedded.urls import Urls
from adapters.settings import Settings
from application.errors import Conflict
from tests.embedded.small_instance import PROCESSES

PATIENCE_SECONDS = 20.0
STOP_SECONDS_MAX = 10.0
COMMAND = (sys.executable, "-m", "tests.embedded.small_instance")
SLEEP = str(shutil.which("sleep"))
SHELL = str(shutil.which("sh"))


@contextmanager
def running(settings: Settings, port: int = 0) -> Iterator[tuple[Popen, Instance]]:
    process = _start(settings, port or free_port())
    try:
        _until_ready(process)
        instance = running_instance(settings)
        assert instance is not None
        yield process, instance
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        process.communicate(timeout=PATIENCE_SECONDS)


def test_it_says_where_it_is_ready_and_stops_cleanly_in_time(settings: Settings) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        port = free_port()
        with running(settings, port) as (process, instance):
            assert instance.url == f"http://127.0.0.1:{port}"
            assert set(instance.processes) == {"postgres", "valkey", *PROCESSES}
            assert (settings.data / "instance.json").stat().st_mode & 0o777 == 0o600
            began = time.monotonic()
            process.send_signal(number)
            assert process.wait(STOP_SECONDS_MAX) == 0
            assert time.monotonic() - began < STOP_SECONDS_MAX
        assert not (settings.data / "instance.json").exists()
        assert running_instance(settings) is None
        assert _alive(instance) == []


def test_every_process_that_is_killed_comes_back(settings: Settings) -> None:
    with running(settings) as (_, instance):
        fact = _commit(instance)
        busy = psycopg.connect(instance.admin_database_url, autocommit=True)
        busy.pgconn.send_query(b"DO $$ BEGIN LOOP END LOOP; END $$")
        for name, pid in instance.processes.items():
            os.kill(pid, signal.SIGKILL)
            _until_replaced(settings, name, pid)
        now = running_instance(settings)
        assert now is not None
        assert now.database_url == instance.database_url
        _until(lambda: fact in _committed(now))
        busy.close()
        assert sorted(_alive(now)) == sorted(now.processes)


def test_a_killed_supervisor_stops_no_later_start_and_loses_no_commit(settings: Settings) -> None:
    with running(settings) as (process, instance):
        fact = _commit(instance)
        process.kill()
        process.wait()
        with running(settings) as (_, again):
            assert fact in _committed(again)
            assert _alive(instance) == []


def test_a_second_start_is_refused_and_harms_nothing(settings: Settings) -> None:
    with running(settings) as (_, instance):
        second = _start(settings, free_port())
        _, said = second.communicate(timeout=PATIENCE_SECONDS)
        assert second.returncode == 1
        assert b"already runs" in said
        assert b"ASIENTO_DATA" in said
        assert len(_alive(instance)) == len(instance.processes)
        assert running_instance(settings) == instance


def test_a_taken_port_is_refused_with_the_way_out(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        process = _start(settings, port)
        _, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 1
    assert f"PORT={port + 1}".encode() in said


def test_no_application_holds_the_administrators_credential(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_ADMIN_URL", "postgresql://admin:secret@db/asiento")
    urls = Urls(
        database_url="postgresql://asiento:x@db/asiento",
        admin_database_url="postgresql://admin:secret@db/asiento",
        redis_url="redis://r/0",
    )
    environment = application("api", COMMAND, settings, urls).environment
    assert "DATABASE_ADMIN_URL" not in environment
    assert not any("secret" in value for value in environment.values())
    assert environment["DATABASE_URL"] == urls.database_url
    assert environment["ASIENTO_DATA"] == str(settings.data)


def test_an_administrators_credential_in_the_env_file_is_covered(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_ADMIN_URL", raising=False)
    read = replace(settings, database_admin_url="postgresql://admin:secret@db/asiento")
    urls = Urls(
        database_url="postgresql://asiento:x@db/asiento",
        admin_database_url="postgresql://admin:secret@db/asiento",
        redis_url="redis://r/0",
    )
    environment = application("api", COMMAND, read, urls).environment
    assert environment["DATABASE_ADMIN_URL"] == urls.database_url


def test_a_process_that_outlived_its_supervisor_is_ended_before_the_start(
    settings: Settings,
) -> None:
    data = make_data_folder(settings)
    outlived = subprocess.Popen([SLEEP, "60"], env={MARK: str(data)})
    strangers = subprocess.Popen([SLEEP, "60"], env={MARK: f"{data}2"})
    end_former(data)
    assert outlived.wait() == -signal.SIGTERM
    assert strangers.poll() is None
    strangers.terminate()
    strangers.wait()


def test_a_command_attaches_to_the_instance_that_runs(settings: Settings) -> None:
    with running(settings) as (_, instance), attached(settings) as found:
        assert found.database_url == instance.database_url
        assert found.database_admin_url == instance.admin_database_url
        assert found.redis_url == instance.redis_url
        elsewhere = replace(settings, database_url="postgresql://db/a")
        with pytest.raises(Conflict, match="REDIS_URL is not set") as refused, attached(elsewhere):
            pass
        assert refused.value.hint == "Set REDIS_URL too, or unset DATABASE_URL."


def test_a_command_uses_the_servers_that_it_is_given(settings: Settings) -> None:
    given = Settings(
        asiento_data=settings.data, database_url="postgresql://db/a", redis_url="redis://r/0"
    )
    with attached(given) as found:
        assert found.database_url == found.database_admin_url == "postgresql://db/a"


def test_a_command_starts_servers_for_its_own_while(settings: Settings) -> None:
    with attached(settings) as found:
        assert found.database_admin_url is not None
        with psycopg.connect(found.database_admin_url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    assert running_instance(settings) is None


def test_what_dies_at_once_is_started_ever_more_slowly() -> None:
    supervisor = Supervisor()
    supervisor.add([_sleeper("0")])
    pids: set[int] = set()
    end = time.monotonic() + 2.0

    def done() -> bool:
        pids.add(supervisor.pids["sleeper"])
        return time.monotonic() > end

    supervisor.watch_until(done, lambda: None)
    supervisor.stop(["sleeper"], 1.0)
    assert 3 <= len(pids) <= 5


def test_who_does_not_end_when_asked_is_killed_with_its_children() -> None:
    argv = (SHELL, "-c", f"trap '' TERM; {SLEEP} 61.5 & wait; wait")
    program = Program(name="stubborn", argv=argv, environment={})
    process = spawn(program)
    supervisor = Supervisor()
    supervisor.add([(program, process)])
    _until(lambda: _count("sleep 61.5") > 0)
    supervisor.stop(["stubborn"], 0.2)
    assert process.returncode == -signal.SIGKILL
    _until(lambda: _count("sleep 61.5") == 0)


def _sleeper(seconds: str) -> tuple[Program, Popen]:
    program = Program(name="sleeper", argv=(SLEEP, seconds), environment={})
    return program, spawn(program)


def _count(command: str) -> int:
    pids = (int(path.name) for path in Path("/proc").glob("[0-9]*"))
    return sum(command_line(pid).strip().endswith(command) for pid in pids)


def _start(settings: Settings, port: int) -> Popen:
    environment = {**os.environ, "ASIENTO_DATA": str(settings.data), "PORT": str(port)}
    return subprocess.Popen(
        COMMAND, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def _until_ready(process: Popen) -> None:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert b"ready" in line, line


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        with suppress(psycopg.OperationalError):
            if condition():
                return
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _until_replaced(settings: Settings, name: str, pid: int) -> None:
    _until(lambda: _pid(settings, name) not in {None, pid})


def _pid(settings: Settings, name: str) -> int | None:
    instance = running_instance(settings)
    return instance.processes.get(name) if instance else None


def _alive(instance: Instance) -> list[str]:
    return [name for name, pid in instance.processes.items() if command_line(pid)]


def _commit(instance: Instance) -> int:
    fact = secrets.randbelow(2**31)
    with psycopg.connect(instance.admin_database_url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS fact (id int)")
        connection.execute("INSERT INTO fact VALUES (%s)", (fact,))
    return fact


def _committed(instance: Instance) -> set[int]:
    with psycopg.connect(instance.admin_database_url) as connection:
        return {fact for (fact,) in connection.execute("SELECT id FROM fact")}
