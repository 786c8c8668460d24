"""A store and a bus for each test."""

import pytest

from application.bus import Bus
from application.jobs import companions
from tests.application.desk import Store


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def bus(store: Store) -> Bus:
    return Bus(store, vault=store.vault, companions=companions)
