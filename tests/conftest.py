"""Real servers for the whole run, on ports and in folders of their own; a database a module."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

import psycopg
import pytest
from msgspec.structs import replace
from psycopg import conninfo, sql

from adapters.embedded.servers import Urls, embedded_servers, remove_instance
from adapters.postgres.migrate import migrate
from adapters.runtime import Runtime, open_runtime
from adapters.settings import Settings, load_settings


@pytest.fixture(scope="session")
def urls() -> Iterator[Urls]:
    """Run PostgreSQL and Valkey, or use those of DATABASE_URL and REDIS_URL."""
    with tempfile.TemporaryDirectory(prefix="asiento-") as folder:
        settings = replace(load_settings(), asiento_data=Path(folder))
        try:
            with embedded_servers(settings) as running:
                yield running
        finally:
            remove_instance(settings)


def _named(url: str, database: str) -> str:
    return conninfo.make_conninfo(url, dbname=database)


@contextmanager
def new_database(urls: Urls, *, partitions: int | None = None) -> Iterator[Urls]:
    """Make a migrated database, and drop it at the end."""
    name = sql.Identifier(database := f"test_{token_hex(6)}")
    with psycopg.connect(urls.admin_database_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0").format(name))
        own = Urls(
            database_url=_named(urls.database_url, database),
            admin_database_url=_named(urls.admin_database_url, database),
            redis_url=urls.redis_url,
        )
        migrate(own.admin_database_url, own.database_url, partitions=partitions)
        yield own
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


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
