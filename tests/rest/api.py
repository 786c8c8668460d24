"""An API that runs as a process of its own, and tenants with keys to call it."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from pathlib import Path
from uuid import uuid4

import httpx
import msgspec
from msgspec.structs import replace

from adapters.access.owners import owner_permissions
from adapters.accounts.passwords import hash_password
from adapters.postgres.models.moments import wait_for
from adapters.postgres.projecting.consumers import consumer_names
from adapters.postgres.projecting.projector import Projector
from adapters.redis.hub import HeadMoved
from adapters.runtime import Runtime, open_runtime
from adapters.settings import Settings
from application.access import api_key_text, email_fields
from application.kernel import Context, build
from domain.access import CreateApiKey, RegisterUser
from domain.ids import SYSTEM_TENANT, TenantId
from domain.tenants import CreateTenant

PASSWORD = "correct horse battery staple"  # noqa: S105 - of tenants that last a test.
OPERATOR = Context(
    tenant=SYSTEM_TENANT, actor="system", permissions=frozenset("*"), correlation_id="test"
)


class Tenant(msgspec.Struct, frozen=True):
    """A company with one owner, who has a password and a key."""

    id: TenantId
    slug: str
    email: str
    key_id: str
    key: str


async def make_tenant(
    runtime: Runtime, permissions: tuple[str, ...] | None = None, **of_key: object
) -> Tenant:
    """Open the books of a company and wait until its key is known."""
    slug = f"t-{uuid4().hex[:12]}"
    created = build(CreateTenant, {"slug": slug, "name": slug, "country": "ES"}, runtime.clock)
    tenant = TenantId((await runtime.bus.execute(created, OPERATOR)).ids["tenant"])
    may = owner_permissions() if permissions is None else permissions
    email = f"owner@{slug}.example"
    key_id, key = await make_key(runtime, tenant, may, **of_key)
    address = await email_fields(runtime.vault, email)
    given = {"tenant": tenant, "permissions": may, "password_hash": kept_password(), **address}
    register = build(RegisterUser, given, runtime.clock)
    done = await runtime.bus.execute(register, OPERATOR)
    await until_projected(runtime, SYSTEM_TENANT, done.position)
    return Tenant(tenant, slug, email, key_id, key)


async def make_key(
    runtime: Runtime, tenant: TenantId, permissions: tuple[str, ...], **about: object
) -> tuple[str, str]:
    """Make a key of a company; return its id and its text."""
    given = {"name": "test", "permissions": permissions, "never_expires": True, **about}
    command = build(CreateApiKey, given, runtime.clock)
    assert isinstance(command, CreateApiKey)
    await runtime.bus.execute(command, replace(OPERATOR, tenant=tenant))
    return command.key, api_key_text(command)


@cache
def kept_password() -> str:
    """Hash the password of all owners once: each time takes as long as it does by design."""
    return hash_password(PASSWORD)


async def until_projected(runtime: Runtime, tenant: TenantId, position: int) -> None:
    """Wait until every read model shows the log up to *position*."""
    for consumers in consumer_names():
        for name in consumers:
            if (name in consumer_names()[1]) == (tenant == SYSTEM_TENANT):
                await wait_for(runtime.pool, tenant, name, position, 10)


@asynccontextmanager
async def projecting(settings: Settings) -> AsyncIterator[Runtime]:
    """Run a projector that hears the hints of others, and lend its runtime."""
    async with open_runtime(settings) as runtime, runtime.hub.listen() as news:
        projector = Projector(runtime.pool, runtime.vault)

        async def hear() -> None:
            while True:
                heard = await news.get()
                if isinstance(heard, HeadMoved):
                    projector.hint(heard.tenant)

        tasks = [asyncio.create_task(projector.run()), asyncio.create_task(hear())]
        try:
            yield runtime
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def api_process(settings: Settings, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start the API and wait until it answers."""
    process = start(settings, log)
    try:
        await_answer(settings, process, log)
        yield process
    finally:
        process.terminate()
        process.wait(10)


def start(settings: Settings, log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.rest.process"],
            env=environment(settings),
            stderr=file,
        )


def environment(settings: Settings) -> dict[str, str]:
    """Write settings as a shell would export them, beside what is set already."""
    given = {
        name.upper(): str(value)
        for name, value in msgspec.structs.asdict(settings).items()
        if value is not None
    }
    return {**os.environ, **given}


def await_answer(settings: Settings, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(f"{url_of(settings)}/health", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())


def url_of(settings: Settings) -> str:
    return f"http://{settings.asiento_host}:{settings.port}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def caller(settings: Settings, key: str | None = None) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    limits = httpx.Limits(max_connections=256)
    return httpx.AsyncClient(
        base_url=url_of(settings), headers=headers, trust_env=False, timeout=30, limits=limits
    )
