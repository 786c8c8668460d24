"""Real servers for the whole run, on ports and in folders of their own; a database a module."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Final

import psycopg
import pytest
from msgspec.structs import replace
from psycopg import conninfo, sql

from adapters.embedded.servers import Urls, embedded_servers, remove_instance
from adapters.postgres.migrate import migrate
from adapters.runtime import Runtime, open_runtime
from adapters.settings import Settings, load_settings

LONG: Final = (
    "tests/docs/",
    "tests/soak/",
    "tests/generated/",
    "tests/cli/test_demo.py",
    "tests/embedded/",
    "tests/faults/",
    "tests/isolation/",
    "tests/credentials/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with files that take long, so that no worker is left alone with one at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


@pytest.fixture(scope="session")
def urls() -> Iterator[Urls]:
    """Run PostgreSQL and Valkey, or use those of DATABASE_URL and REDIS_URL."""
    with tempfile.TemporaryDirectory(prefix="asiento-") as folder:
        settings = replace(load_settings(), asiento_data=Path(folder))
        try:
            with embedded_servers(settings) as running:
                if not settings.database_url:
                    _hurry(running)
                yield running
        finally:
            remove_instance(settings)


def _hurry(urls: Urls) -> None:
    """Let nothing wait for the disk: no test here cuts the power, and the folder goes at the end.

    What is kept when a server dies is tried by tests/embedded, tests/faults and tests/soak, which
    start servers of their own.
    """
    with psycopg.connect(urls.admin_database_url, autocommit=True) as admin:
        admin.execute("ALTER SYSTEM SET fsync = off")
        admin.execute("SELECT pg_reload_conf()")


_MODELS: Final[dict[str, str]] = {}
"""The database that others are copies of, by the server that has it."""


@contextmanager
def new_database(urls: Urls, *, partitions: int | None = None) -> Iterator[Urls]:
    """Make a migrated database, and drop it at the end."""
    with psycopg.connect(urls.admin_database_url, autocommit=True) as admin:
        model = _MODELS.get(urls.admin_database_url)
        if model is None:
            model = _created(admin, "template0")
            _migrate(_within(urls, model))
            _MODELS[urls.admin_database_url] = model
        own = _within(urls, name := _created(admin, model))
        _migrate(own, partitions)
        yield own
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _created(admin: psycopg.Connection, model: str) -> str:
    name = f"test_{token_hex(6)}"
    create = sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE {}")
    admin.execute(create.format(sql.Identifier(name), sql.Identifier(model)))
    return name


def _within(urls: Urls, database: str) -> Urls:
    return replace(
        urls,
        database_url=conninfo.make_conninfo(urls.database_url, dbname=database),
        admin_database_url=conninfo.make_conninfo(urls.admin_database_url, dbname=database),
    )


def _migrate(urls: Urls, partitions: int | None = None) -> None:
    migrate(urls.admin_database_url, urls.database_url, partitions=partitions)


@pytest.fixture(scope="module")
def database(urls: Urls) -> Iterator[Urls]:
    """Lend a migrated database to the tests of one module."""
    with new_database(urls) as own:
        yield own


@pytest.fixture(scope="module")
def settings(database: Urls, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of an instance that has nothing but its servers."""
    return Settings(
        database_url=database.database_url,
        database_admin_url=database.admin_database_url,
        redis_url=database.redis_url,
        asiento_data=tmp_path_factory.mktemp("data"),
    )


@pytest.fixture
async def runtime(settings: Settings) -> AsyncIterator[Runtime]:
    """Open a process's own store, bus and hub."""
    async with open_runtime(settings) as opened:
        yield opened
