"""GraphQL as an instance of other settings serves it, in the process of the test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx
import msgspec
from litestar import Litestar
from litestar.datastructures import State

from adapters.graphql.http import graphql_handlers
from adapters.runtime import Runtime
from tests.graphql.client import Client
from tests.rest.api import Tenant


@asynccontextmanager
async def served(runtime: Runtime, tenant: Tenant, **settings: object) -> AsyncIterator[Client]:
    """Ask an API of these *settings*, on the servers of *runtime*."""
    changed = msgspec.structs.replace(runtime.settings, **settings)
    state = State({"runtime": msgspec.structs.replace(runtime, settings=changed)})
    app = Litestar([*graphql_handlers()], state=state, openapi_config=None)
    async with Client("http://test/graphql", tenant) as client:
        transport = httpx.ASGITransport(app=cast("Any", app))
        client.http = httpx.AsyncClient(transport=transport, headers=client.headers, timeout=30)
        yield client
