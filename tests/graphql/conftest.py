"""GraphQL on a port, with real servers behind it and a projector beside it."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import msgspec
import pytest
import pytest_asyncio
import uvicorn
from litestar import Litestar
from litestar.datastructures import State

from adapters.embedded.servers import embedded_servers, remove_instance
from adapters.graphql.http import graphql_handlers
from adapters.postgres.migrate import migrate
from adapters.runtime import Runtime
from adapters.settings import Settings
from tests.graphql.client import Client, audited
from tests.graphql.stocked import Office, open_office
from tests.rest.api import free_port, make_tenant, projecting


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    empty = Settings(asiento_data=tmp_path_factory.mktemp("graphql") / "data")
    with embedded_servers(empty) as urls:
        migrate(urls.admin_database_url, urls.database_url)
        yield msgspec.structs.replace(
            empty,
            database_url=urls.database_url,
            redis_url=urls.redis_url,
            port=free_port(),
            at_least_seconds_max=1.0,
        )
    remove_instance(empty)


@pytest_asyncio.fixture(scope="session")
async def runtime(settings: Settings) -> AsyncIterator[Runtime]:
    async with projecting(settings) as runtime:
        yield runtime


@pytest_asyncio.fixture(scope="session")
async def url(runtime: Runtime) -> AsyncIterator[str]:
    """Where GraphQL is served."""
    app = Litestar([*graphql_handlers()], state=State({"runtime": runtime}), openapi_config=None)
    port = runtime.settings.port
    config = uvicorn.Config(
        app,
        port=port,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        log_level="warning",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it.
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{port}/graphql"
    server.should_exit = True
    await serving


@pytest_asyncio.fixture(scope="session")
async def office(runtime: Runtime) -> Office:
    """Two tenants whose books hold what is rare. What tests read only may be here."""
    return await open_office(runtime)


@pytest_asyncio.fixture
async def client(runtime: Runtime, url: str) -> AsyncIterator[Client]:
    """Asks as the owner of a new tenant."""
    async with Client(url, await make_tenant(runtime, audited())) as client:
        yield client


@pytest_asyncio.fixture
async def other(runtime: Runtime, url: str) -> AsyncIterator[Client]:
    """Asks as the owner of another new tenant."""
    async with Client(url, await make_tenant(runtime, audited())) as client:
        yield client
