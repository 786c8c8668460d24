"""A shop that all tests of what its people see share, as they only read."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from adapters.embedded.servers import Urls
from adapters.runtime import open_runtime
from adapters.settings import Settings
from tests.access.shop import Shop, open_shop
from tests.conftest import new_database


@pytest_asyncio.fixture(scope="session")
async def shop(urls: Urls, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    with new_database(urls) as own:
        settings = Settings(
            database_url=own.database_url,
            redis_url=own.redis_url,
            asiento_data=tmp_path_factory.mktemp("shop"),
        )
        async with open_runtime(settings) as runtime, open_shop(runtime) as shop:
            yield shop
