"""Each port is answered by a fake and by the real thing; both pass the same tests."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from uuid import uuid4

import pytest

from adapters.embedded.servers import Urls
from adapters.memory import MemoryEventStore, MemoryStaging
from adapters.postgres.staging import PostgresStaging
from adapters.postgres.store.event_store import PostgresEventStore
from adapters.runtime import Runtime, open_runtime
from adapters.settings import Settings
from application.kernel import SystemClock
from application.ports import EventStore, Staging
from domain.ids import TenantId
from tests.conftest import new_database

KINDS = ("memory", "postgresql")
STORES = (*KINDS, "partitioned")


@pytest.fixture
def tenant() -> TenantId:
    """Name a tenant of the test's own."""
    return TenantId(str(uuid4()))


@pytest.fixture
def other_tenant() -> TenantId:
    """Name another one."""
    return TenantId(str(uuid4()))


@pytest.fixture(scope="module")
def partitioned_settings(
    urls: Urls, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """Settings of an instance whose log is hash-partitioned."""
    with new_database(urls, partitions=4) as database:
        yield Settings(
            database_url=database.database_url,
            database_admin_url=database.admin_database_url,
            redis_url=database.redis_url,
            asiento_data=tmp_path_factory.mktemp("data"),
        )


@pytest.fixture
async def partitioned_runtime(partitioned_settings: Settings) -> AsyncIterator[Runtime]:
    async with open_runtime(partitioned_settings) as opened:
        yield opened


def _runtime_of(request: pytest.FixtureRequest) -> Runtime:
    partitioned = request.param == "partitioned"
    found: Runtime = request.getfixturevalue("partitioned_runtime" if partitioned else "runtime")
    return found


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> EventStore:
    """Give the fake and the real event stores in turn."""
    if request.param == "memory":
        return MemoryEventStore(SystemClock())
    return _runtime_of(request).store


@pytest.fixture(params=STORES)
def opened(
    request: pytest.FixtureRequest,
) -> Callable[[], AbstractAsyncContextManager[EventStore]]:
    """Give what opens one more store of each kind, for a test that ends it."""
    if request.param == "memory":
        return lambda: MemoryEventStore(SystemClock())
    runtime = _runtime_of(request)
    url = runtime.settings.database_url or ""
    return lambda: PostgresEventStore(runtime.pool, url, runtime.hub.announce)


@pytest.fixture(params=KINDS)
def staging(request: pytest.FixtureRequest) -> Staging:
    """Give the fake and the real staging area in turn."""
    if request.param == "memory":
        return MemoryStaging()
    return PostgresStaging(request.getfixturevalue("runtime").pool)
