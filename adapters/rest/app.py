"""The API process: REST, GraphQL, health and documentation, on one runtime."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog
from litestar import Litestar, Router
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import ControllerRouterHandler

from adapters.access.door import door_of
from adapters.graphql.http import graphql_handlers
from adapters.metrics.standing import Overlook
from adapters.rest.authentication import Authentication
from adapters.rest.docs import OfflinePages, front_door, openapi_json, redoc
from adapters.rest.edge import Counts, Edge
from adapters.rest.health import Stall, health, health_head, healthz, ready
from adapters.rest.login import login
from adapters.rest.metrics import metrics
from adapters.rest.problems import HANDLERS as PROBLEMS
from adapters.rest.routes import rest_handlers
from adapters.rest.segments import KeysWithSlashes
from adapters.runtime import open_runtime
from adapters.settings import Settings
from adapters.worker.readers import reader_names
from application.errors import ApplicationError
from application.kernel import SystemClock

BODY_BYTES_MAX: Final = 10_000_000
"""What a request may hold. A handler that takes files sets its own."""

log = structlog.get_logger()


def make_app(settings: Settings) -> Litestar:
    """Put the API together. It connects when its server starts it, and not before."""
    app = Litestar(
        [
            Router(
                "/api/v1",
                route_handlers=rest_handlers(),
                middleware=[KeysWithSlashes(), Authentication],
                security=[{"bearer": []}],
            ),
            *graphql_handlers(),
            *OPEN,
        ],
        lifespan=[lambda app: _running(app, settings)],
        exception_handlers=PROBLEMS,
        request_max_body_size=BODY_BYTES_MAX,
        openapi_config=_openapi(),
        logging_config=None,
        debug=False,
    )
    app.state.counts, app.state.stall, app.state.failure = Counts(), Stall(), None
    app.state.overlook = Overlook(reader_names())
    app.asgi_handler = Edge(app.asgi_handler, app.state.counts, SystemClock())
    return app


OPEN: Final[tuple[ControllerRouterHandler, ...]] = (
    login,
    front_door,
    health,
    healthz,
    health_head,
    ready,
    metrics,
    openapi_json,
    redoc,
)
"""What asks for no credential."""


@asynccontextmanager
async def _running(app: Litestar, settings: Settings) -> AsyncIterator[None]:
    try:
        async with open_runtime(settings) as runtime:
            door_of(runtime)
            app.state.runtime = runtime
            log.info("api.started")
            yield
    except ApplicationError as error:
        app.state.failure = error
        raise
    log.info("api.stopped")


def _openapi() -> OpenAPIConfig:
    scheme = SecurityScheme(
        type="http",
        scheme="bearer",
        description="An API key, or an access token of /api/v1/login.",
    )
    return OpenAPIConfig(
        title="Asiento",
        version="1",
        description="The back office of small and medium companies, as a ledger of events.",
        path="/docs",
        render_plugins=[OfflinePages()],
        components=Components(security_schemes={"bearer": scheme}),
    )
