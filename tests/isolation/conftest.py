"""One API process on few connections, the books of a company, and strangers who ask for them."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from adapters.embedded.servers import Urls
from adapters.runtime import Runtime
from adapters.settings import Settings
from tests.conftest import new_database
from tests.isolation.arena import API
from tests.isolation.company import Company, found_company
from tests.isolation.twins import Strangers
from tests.rest.api import await_answer, environment, free_port, projecting


@pytest.fixture(scope="session")
def database(urls: Urls) -> Iterator[Urls]:
    """Lend a migrated database to all tests here."""
    with new_database(urls) as own:
        yield own


@pytest.fixture(scope="session")
def settings(database: Urls, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(
        asiento_data=tmp_path_factory.mktemp("isolation"),
        database_url=database.database_url,
        redis_url=database.redis_url,
        port=free_port(),
        at_least_seconds_max=5.0,
        graphql_seconds_max=0.5,
        webhook_allow_http=True,
        webhook_allow_private=True,
    )


@pytest.fixture(scope="session")
async def runtime(settings: Settings) -> AsyncIterator[Runtime]:
    """Project what happens, and lend the runtime of that."""
    async with projecting(settings) as runtime:
        yield runtime


@pytest.fixture(scope="session")
async def api(settings: Settings, runtime: Runtime) -> AsyncIterator[Settings]:  # noqa: ARG001 - it projects.
    """Settings of the API that runs."""
    log = settings.data / "api.log"
    process = _started(settings, log)
    try:
        await asyncio.to_thread(await_answer, settings, process, log)
        yield settings
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 10)


@pytest.fixture(scope="session")
async def company(runtime: Runtime, api: Settings) -> Company:
    """The tenant whose books nobody else may see."""
    return await found_company(runtime, api)


@pytest.fixture(scope="session")
async def strangers(runtime: Runtime, api: Settings, company: Company) -> AsyncIterator[Strangers]:
    """Lend pairs of tenants that have nothing to do with the company."""
    async with Strangers(runtime, api, company) as strangers:
        yield strangers


def _started(settings: Settings, log: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.rest.process"]
    few = os.environ.get("ISOLATION_CONNECTIONS", "2")
    named = {**environment(settings), "PGAPPNAME": API, "DATABASE_CONNECTIONS_MAX": few}
    with log.open("ab") as file:
        return subprocess.Popen(command, env=named, stderr=file)
