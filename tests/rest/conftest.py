"""One API process on real servers, shared by the tests of this folder."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from adapters.embedded.servers import Urls
from adapters.runtime import Runtime
from adapters.settings import Settings
from tests.conftest import new_database
from tests.rest.api import Tenant, api_process, caller, free_port, make_tenant, projecting


@pytest.fixture(scope="session")
def settings(urls: Urls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of an instance with a migrated database of its own, for all tests here."""
    with new_database(urls) as own:
        yield Settings(
            asiento_data=tmp_path_factory.mktemp("rest"),
            database_url=own.database_url,
            redis_url=own.redis_url,
            port=free_port(),
        )


@pytest.fixture(scope="session")
async def runtime(settings: Settings) -> AsyncIterator[Runtime]:
    """Project what happens, and lend the runtime of that."""
    async with projecting(settings) as runtime:
        yield runtime


@pytest.fixture(scope="session")
def api(settings: Settings, runtime: Runtime) -> Iterator[Settings]:  # noqa: ARG001 - it projects.
    """Settings of the API that runs."""
    with api_process(settings, settings.data / "api.log"):
        yield settings


@pytest.fixture
async def tenant(runtime: Runtime) -> Tenant:
    return await make_tenant(runtime)


@pytest.fixture
async def other(runtime: Runtime) -> Tenant:
    return await make_tenant(runtime)


@pytest.fixture
async def client(api: Settings, tenant: Tenant) -> AsyncIterator[httpx.AsyncClient]:
    """Calls the API with the key of *tenant*."""
    async with caller(api, tenant.key) as client:
        yield client


@pytest.fixture
async def stranger(api: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """Calls the API without a credential."""
    async with caller(api) as client:
        yield client
