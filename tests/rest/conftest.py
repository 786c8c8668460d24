"""One API process on real servers, shared by the tests of this folder."""

from collections.abc import AsyncIterator, Iterator

import httpx
import msgspec
import pytest
import pytest_asyncio

from adapters.embedded.servers import embedded_servers, remove_instance
from adapters.postgres.migrate import migrate
from adapters.runtime import Runtime
from adapters.settings import Settings
from tests.rest.api import Tenant, api_process, caller, free_port, make_tenant, projecting


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of an instance whose servers are up and whose database is migrated."""
    folder = tmp_path_factory.mktemp("rest")
    empty = Settings(asiento_data=folder / "data")
    with embedded_servers(empty) as urls:
        migrate(urls.admin_database_url, urls.database_url)
        yield msgspec.structs.replace(
            empty, database_url=urls.database_url, redis_url=urls.redis_url, port=free_port()
        )
    remove_instance(empty)


@pytest_asyncio.fixture(scope="session")
async def runtime(settings: Settings) -> AsyncIterator[Runtime]:
    async with projecting(settings) as runtime:
        yield runtime


@pytest.fixture(scope="session")
def api(settings: Settings, runtime: Runtime) -> Iterator[Settings]:  # noqa: ARG001 - it projects.
    """Settings of the API that runs."""
    with api_process(settings, settings.data / "api.log"):
        yield settings


@pytest_asyncio.fixture
async def tenant(runtime: Runtime) -> Tenant:
    return await make_tenant(runtime)


@pytest_asyncio.fixture
async def other(runtime: Runtime) -> Tenant:
    return await make_tenant(runtime)


@pytest_asyncio.fixture
async def client(api: Settings, tenant: Tenant) -> AsyncIterator[httpx.AsyncClient]:
    """Calls the API with the key of *tenant*."""
    async with caller(api, tenant.key) as client:
        yield client


@pytest_asyncio.fixture
async def stranger(api: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """Calls the API without a credential."""
    async with caller(api) as client:
        yield client
