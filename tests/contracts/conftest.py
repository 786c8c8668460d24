"""Each port is answered by a fake and by the real thing; both pass the same tests."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from uuid import uuid4

import pytest

from adapters.memory import MemoryEventStore, MemoryStaging
from adapters.postgres.event_store import PostgresEventStore
from adapters.postgres.staging import PostgresStaging
from adapters.runtime import Runtime
from application.kernel import SystemClock
from application.ports import EventStore, Staging
from domain.ids import TenantId

KINDS = ("memory", "postgresql")


@pytest.fixture
def tenant() -> TenantId:
    """Name a tenant of the test's own."""
    return TenantId(str(uuid4()))


@pytest.fixture
def other_tenant() -> TenantId:
    """Name another one."""
    return TenantId(str(uuid4()))


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest) -> EventStore:
    """Give the fake and the real event store in turn."""
    if request.param == "memory":
        return MemoryEventStore(SystemClock())
    real: EventStore = request.getfixturevalue("runtime").store
    return real


@pytest.fixture(params=KINDS)
def opened(
    request: pytest.FixtureRequest,
) -> Callable[[], AbstractAsyncContextManager[EventStore]]:
    """Give what opens one more store of each kind, for a test that ends it."""
    if request.param == "memory":
        return lambda: MemoryEventStore(SystemClock())
    runtime: Runtime = request.getfixturevalue("runtime")
    url = runtime.settings.database_url or ""
    return lambda: PostgresEventStore(runtime.pool, url, runtime.hub.announce)


@pytest.fixture(params=KINDS)
def staging(request: pytest.FixtureRequest) -> Staging:
    """Give the fake and the real staging area in turn."""
    if request.param == "memory":
        return MemoryStaging()
    return PostgresStaging(request.getfixturevalue("runtime").pool)
