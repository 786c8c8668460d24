"""Each port is answered by a fake and by the real thing; both pass the same tests."""

from uuid import uuid4

import pytest

from adapters.memory import MemoryEventStore, MemoryStaging
from adapters.postgres.staging import PostgresStaging
from application.kernel import SystemClock
from application.ports import EventStore, Staging
from domain.ids import TenantId

KINDS = ("memory", "postgresql")


@pytest.fixture
def tenant() -> TenantId:
    """Name a tenant of the test's own."""
    return TenantId(str(uuid4()))


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest) -> EventStore:
    """Give the fake and the real event store in turn."""
    if request.param == "memory":
        return MemoryEventStore(SystemClock())
    real: EventStore = request.getfixturevalue("runtime").store
    return real


@pytest.fixture(params=KINDS)
def staging(request: pytest.FixtureRequest) -> Staging:
    """Give the fake and the real staging area in turn."""
    if request.param == "memory":
        return MemoryStaging()
    return PostgresStaging(request.getfixturevalue("runtime").pool)
