"""The API process: REST, GraphQL, health and documentation, on one runtime."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog
from litestar import Litestar, Router
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, License, SecurityScheme
from litestar.types import ControllerRouterHandler

from adapters.access.door import door_of
from adapters.accounts.passwords import get_ready
from adapters.graphql.http import graphql_handlers
from adapters.graphql.schema import schema
from adapters.metrics.standing import Overlook
from adapters.pages.assets import asset
from adapters.rest.authentication import Authentication
from adapters.rest.compression import Compression
from adapters.rest.described import TAGS
from adapters.rest.docs import SwaggerPage, docs_router, front_door, openapi_json, redoc
from adapters.rest.edge import Counts, Edge
from adapters.rest.headers import cors_of
from adapters.rest.health import Stall, health, healthz, ready
from adapters.rest.invitations import accept_invitation
from adapters.rest.login import login, logout, refresh
from adapters.rest.metrics import metrics
from adapters.rest.passkeys import give_login_options, log_in_by_passkey
from adapters.rest.problems import HANDLERS as PROBLEMS
from adapters.rest.recovery import email_verify, password_forgotten, password_reset
from adapters.rest.routes import TAKES_FILES, rest_handlers
from adapters.rest.segments import KeysWithSlashes
from adapters.runtime import open_runtime
from adapters.security.notes import notes_of
from adapters.settings import Settings
from adapters.worker.readers import reader_names
from application.errors import ApplicationError
from application.kernel import SystemClock
from application.refusals import listening

log = structlog.get_logger()


def make_app(settings: Settings) -> Litestar:
    """Put the API together. It connects when its server starts it, and not before."""
    app = Litestar(
        [
            *_rest(settings),
            *graphql_handlers(),
            *OPEN,
        ],
        lifespan=[lambda app: _running(app, settings)],
        exception_handlers=PROBLEMS,
        request_max_body_size=settings.request_bytes_max,
        cors_config=cors_of(settings),
        openapi_config=_openapi(),
        logging_config=None,
        debug=False,
    )
    app.state.counts, app.state.stall, app.state.failure = Counts(), Stall(), None
    app.state.overlook = Overlook(reader_names())
    inner = app.asgi_handler
    if settings.compress_bytes_min:
        inner = Compression(inner, settings.compress_bytes_min)
    app.asgi_handler = Edge(inner, app.state.counts, SystemClock(), settings)
    return app


def _rest(settings: Settings) -> list[Router]:
    """Put the addresses of REST together; those that take files have a limit of their own."""
    handlers = rest_handlers()
    limits = {False: settings.request_bytes_max, True: settings.upload_bytes_max}
    return [
        Router(
            "/api/v1",
            route_handlers=[each for each in handlers if bool(each.opt.get(TAKES_FILES)) == large],
            middleware=[KeysWithSlashes(), Authentication],
            security=[{"bearer": []}],
            request_max_body_size=bytes_max,
        )
        for large, bytes_max in limits.items()
    ]


OPEN: Final[tuple[ControllerRouterHandler, ...]] = (
    login,
    refresh,
    logout,
    give_login_options,
    log_in_by_passkey,
    accept_invitation,
    password_forgotten,
    password_reset,
    email_verify,
    front_door,
    health,
    healthz,
    ready,
    metrics,
    openapi_json,
    redoc,
    asset,
)
"""What asks for no credential."""


@asynccontextmanager
async def _running(app: Litestar, settings: Settings) -> AsyncIterator[None]:
    try:
        async with open_runtime(settings) as runtime:
            schema()  # Or the first who asks would wait for it, and all others with them.
            door_of(runtime)
            get_ready(settings)
            app.state.runtime = runtime
            notes = notes_of(runtime)
            log.info("api.started")
            with listening(notes.refused):
                yield
            await notes.close()
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
        license=License(name="Apache-2.0", identifier="Apache-2.0"),
        tags=list(TAGS),
        openapi_router=docs_router(),
        render_plugins=[SwaggerPage()],
        components=Components(security_schemes={"bearer": scheme}),
    )
