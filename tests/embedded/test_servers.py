"""The embedded servers: made once, private, alone on their data, and gone when they are stopped."""

import os
import secrets
import shutil
import signal
from pathlib import Path

import psycopg
import pytest
import redis
from msgspec.structs import replace
from redis.backoff import NoBackoff
from redis.retry import Retry

from adapters.embedded.binaries import postgres_folder
from adapters.embedded.places import Places, find_places
from adapters.embedded.servers import Servers, embedded_servers, remove_instance
from adapters.embedded.urls import Urls
from adapters.settings import Settings
from application.errors import Unavailable

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root's servers live elsewhere")


def test_a_commit_and_a_job_survive_a_restart(settings: Settings) -> None:
    with embedded_servers(settings) as urls:
        fact = _remember(urls)
        redis.Redis.from_url(urls.redis_url).set("job", "waiting")
    with embedded_servers(settings) as urls:
        assert fact in _remembered(urls)
        assert redis.Redis.from_url(urls.redis_url).get("job") == b"waiting"


def test_the_run_time_role_rules_nothing(settings: Settings) -> None:
    with embedded_servers(settings) as urls, psycopg.connect(urls.database_url) as connection:
        rights = connection.execute(
            "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb"
            " FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        owner = connection.execute(
            "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
        ).fetchone()
    assert rights == ("asiento", False, False, False, False)
    assert owner == ("postgres",)


def test_the_cluster_is_checksummed_durable_and_speaks_utf8(settings: Settings) -> None:
    with embedded_servers(settings) as urls, psycopg.connect(urls.database_url) as connection:
        names = ("data_checksums", "fsync", "synchronous_commit", "server_encoding")
        assert [connection.execute(f"SHOW {name}").fetchone() for name in names] == [
            ("on",),
            ("on",),
            ("on",),
            ("UTF8",),
        ]
        assert connection.execute("SELECT lower('ÑANDÚ')").fetchone() == ("ñandú",)


def test_nobody_gets_in_without_a_password(settings: Settings) -> None:
    with embedded_servers(settings) as urls:
        address = urls.admin_database_url.rpartition("@")[2]
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(f"postgresql://postgres:wrong@{address}")
        port = int(urls.redis_url.rpartition(":")[2].partition("/")[0])
        server = redis.Redis(port=port, retry=Retry(NoBackoff(), 0))
        with pytest.raises(redis.AuthenticationError):
            server.ping()


def test_what_holds_a_secret_is_readable_by_its_owner_alone(settings: Settings) -> None:
    with embedded_servers(settings) as urls:
        places = find_places(settings)
        private = [
            places.credentials,
            places.valkey / "valkey.conf",
            places.postgres / "asiento.conf",
        ]
        assert [_mode(path) for path in private] == [0o600] * 3
        assert [_mode(path) for path in (places.postgres, places.valkey)] == [0o700] * 2
        passwords = [url.split(":")[2].partition("@")[0] for url in _all(urls)]
        lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")]
        assert not any(each.encode() in line for each in passwords for line in lines)


def test_two_instances_run_side_by_side(settings: Settings, fresh: Settings) -> None:
    with embedded_servers(settings) as urls, embedded_servers(fresh) as others:
        assert _remember(urls) not in _remembered(others)
        assert _remember(others) not in _remembered(urls)


def test_a_second_start_on_the_same_data_is_refused(settings: Settings) -> None:
    with embedded_servers(settings) as urls:
        fact = _remember(urls)
        with pytest.raises(Unavailable, match=f"Process {os.getpid()} already runs") as refusal:
            embedded_servers(settings).__enter__()
        assert refusal.value.code == "instance.running"
        assert fact in _remembered(urls)


def test_servers_that_the_settings_name_are_not_started(fresh: Settings) -> None:
    named = replace(fresh, database_url="postgresql://a/b", redis_url="redis://c/0")
    with embedded_servers(named) as urls:
        assert _all(urls) == ("postgresql://a/b", "postgresql://a/b", "redis://c/0")
    assert os.listdir(fresh.data) == ["lock"]  # noqa: PTH208 - the names are what counts.


def test_a_removed_data_folder_makes_a_fresh_instance(fresh: Settings) -> None:
    with embedded_servers(fresh) as urls:
        _remember(urls)
    home = find_places(fresh).home
    shutil.rmtree(fresh.data)
    with embedded_servers(fresh) as urls:
        assert _remembered(urls) == set()
        if os.geteuid() == 0:
            assert find_places(fresh).home != home
    shutil.rmtree(home, ignore_errors=True)


@AS_ROOT
def test_a_copied_checkout_gets_servers_of_its_own(fresh: Settings, tmp_path: Path) -> None:
    original = find_places(fresh)
    copy = replace(fresh, asiento_data=tmp_path / "copy")
    shutil.copytree(fresh.data, copy.data)
    assert find_places(copy).home != original.home
    assert find_places(fresh).home == original.home
    remove_instance(copy)


@AS_ROOT
def test_a_moved_checkout_keeps_its_servers(fresh: Settings, tmp_path: Path) -> None:
    home = find_places(fresh).home
    moved = replace(fresh, asiento_data=tmp_path / "moved")
    fresh.data.rename(moved.data)
    assert find_places(moved).home == home
    remove_instance(moved)


def test_a_killed_making_of_the_cluster_leaves_nothing_half(fresh: Settings) -> None:
    places = find_places(fresh)
    abandoned = places.home / ".postgres.0123"
    abandoned.mkdir()
    with embedded_servers(fresh) as urls:
        assert _remembered(urls) == set()
    assert not abandoned.exists()


def test_servers_that_outlived_their_supervisor_are_ended_before_the_start(
    settings: Settings,
) -> None:
    outlived = Servers(settings)
    outlived.start()
    fact = _remember(outlived.wait_ready())
    started = outlived.hand_over()
    with embedded_servers(settings) as urls:
        assert fact in _remembered(urls)
        assert [process.poll() for _, process in started] == [0, 0]


def test_a_killed_postmaster_with_a_busy_backend_can_be_started_at_once(
    settings: Settings,
) -> None:
    busy = "DO $$ BEGIN LOOP END LOOP; END $$"  # It never looks whether its postmaster lives.
    with embedded_servers(settings) as urls:
        fact = _remember(urls)
        connection = psycopg.connect(urls.admin_database_url, autocommit=True)
        connection.pgconn.send_query(busy.encode())
        os.kill(_pid(find_places(settings), "postgres/postmaster.pid"), signal.SIGKILL)
    with embedded_servers(settings) as urls:
        assert fact in _remembered(urls)
    connection.close()


def test_a_pid_file_that_names_a_stranger_does_not_stop_the_start(settings: Settings) -> None:
    places = find_places(settings)
    with embedded_servers(settings) as urls:
        fact = _remember(urls)
    (places.postgres / "postmaster.pid").write_text(f"{os.getpid()}\n{places.postgres}\n")
    (places.valkey / "valkey.pid").write_text(str(os.getpid()))
    with embedded_servers(settings) as urls:
        assert fact in _remembered(urls)


def test_a_folder_without_postgres_is_named(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="isn't found") as refusal:
        postgres_folder(replace(settings, postgres_bin=tmp_path), None)
    assert "POSTGRES_BIN" in refusal.value.hint


def _remember(urls: Urls) -> int:
    fact = secrets.randbelow(2**31)
    with psycopg.connect(urls.admin_database_url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS fact (id int)")
        connection.execute("INSERT INTO fact VALUES (%s)", (fact,))
    return fact


def _remembered(urls: Urls) -> set[int]:
    with psycopg.connect(urls.admin_database_url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS fact (id int)")
        return {fact for (fact,) in connection.execute("SELECT id FROM fact")}


def _all(urls: Urls) -> tuple[str, str, str]:
    return urls.database_url, urls.admin_database_url, urls.redis_url


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def _pid(places: Places, file: str) -> int:
    return int((places.home / file).read_text().split()[0])
