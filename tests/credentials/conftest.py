"""A tenant with credentials on real servers, and a token server next door."""

from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import msgspec
import psycopg
import pytest
from msgspec.structs import asdict

from adapters.credentials.settling import Secrets
from adapters.embedded.servers import Urls
from adapters.postgres.projecting.projector import Projector
from adapters.runtime import Runtime
from adapters.settings import Settings
from application.kernel import EVERYTHING, Context, Outcome, build
from application.ports import StoredEvent
from domain.credentials import (
    Credential,
    CredentialName,
    RevokeCredential,
    RotateCredential,
    StoreCredential,
)
from domain.ids import TenantId
from domain.kernel import Command
from tests.cli.conftest import Environment, asiento, shell
from tests.credentials.token_server import TokenServer, token_server

__all__ = ["asiento"]
Look = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def settings(database: Urls, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings by which a token server may be next door."""
    return Settings(
        database_url=database.database_url,
        database_admin_url=database.admin_database_url,
        redis_url=database.redis_url,
        asiento_data=tmp_path_factory.mktemp("data"),
        credential_allow_http=True,
        credential_allow_private=True,
        credential_seconds_max=5.0,
    )


@pytest.fixture(scope="module")
def environment(settings: Settings) -> Environment:
    return exported(settings)


def exported(settings: Settings) -> Environment:
    """Write settings as a shell would export them."""
    return shell(**{name.upper(): str(value) for name, value in asdict(settings).items() if value})


class Office:
    """Keeps and uses credentials, on behalf of one tenant."""

    def __init__(self, runtime: Runtime, tenant: TenantId | None = None) -> None:
        self.runtime = runtime
        self.tenant = tenant or TenantId(str(uuid4()))
        self.context = context_of(self.tenant)

    async def execute(self, command: Command, key: str | None = None) -> Outcome:
        return await self.runtime.bus.execute(command, self.context, key=key)

    async def store(
        self, name: str, secret: object, kind: str = "generic", *, key: str | None = None
    ) -> Outcome:
        given = {"credential": name, "kind": kind, "secret": _text(secret)}
        return await self.execute(build(StoreCredential, given, self.runtime.clock), key)

    async def rotate(self, name: str, secret: object, kind: str = "generic") -> Outcome:
        given = {"credential": name, "kind": kind, "secret": _text(secret)}
        return await self.execute(build(RotateCredential, given, self.runtime.clock))

    async def revoke(self, name: str) -> Outcome:
        return await self.execute(RevokeCredential(credential=CredentialName(name)))

    async def client(self, name: str, server: TokenServer, **given: object) -> None:
        """Store credentials of a client that the server knows."""
        secret = {"token_url": server.token_url, "client_id": "client-1", "client_secret": "word-1"}
        await self.store(name, secret | given, "oauth2_client_credentials")

    async def refresher(self, name: str, server: TokenServer) -> None:
        """Store a refresh token that the server gave."""
        secret = {
            "token_url": server.token_url,
            "client_id": "client-1",
            "client_secret": "word-1",
            "refresh_token": server.refresh,
        }
        await self.store(name, secret, "oauth2_refresh_token")

    async def token(self, name: str, *scopes: str, refused: str | None = None) -> str:
        token = await self.runtime.tokens.valid(
            self.context, CredentialName(name), purpose="a test", scopes=scopes, refused=refused
        )
        return token.text

    async def state(self, name: str) -> Credential:
        boundary = Credential.at(credential=name)
        return await self.runtime.bus.fold(self.tenant, boundary)

    async def events(self) -> list[StoredEvent]:
        return [stored async for stored in self.runtime.store.read(self.tenant)]

    async def follow(self) -> None:
        """Let the consumer follow the log."""
        await Projector(self.runtime.pool, self.runtime.vault, [Secrets()]).catch_up()


def context_of(tenant: TenantId, *permissions: str) -> Context:
    return Context(
        tenant=tenant,
        actor="user:ana",
        permissions=frozenset(permissions or {EVERYTHING}),
        correlation_id="request-1",
    )


def _text(secret: object) -> str:
    return secret if isinstance(secret, str) else msgspec.json.encode(secret).decode()


@pytest.fixture
def office(runtime: Runtime) -> Office:
    return Office(runtime)


@pytest.fixture
async def server() -> AsyncIterator[TokenServer]:
    async with token_server() as server:
        yield server


@pytest.fixture
def look(settings: Settings) -> Look:
    """Look into the database, or change it, as its administrator does."""

    def rows(statement: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(settings.database_admin_url or "", autocommit=True) as connection:
            found = connection.execute(statement.encode(), values or None)
            return found.fetchall() if found.description else []

    return rows
