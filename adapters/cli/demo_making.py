"""Making the tenant `demo`, its user and its key, and waiting until they can be used."""

import asyncio
import secrets
from typing import Final, LiteralString

from adapters.accounts.passwords import hash_password
from adapters.cli.demo_file import SLUG, Demo
from adapters.cli.session import find_tenant, operator
from adapters.cli.tenants import create_key
from adapters.postgres.connections import tenant_transaction
from adapters.postgres.models.versions import consumer_of
from adapters.runtime import Runtime, open_runtime
from adapters.settings import Settings
from application.access import email_fields
from application.errors import NotFound
from application.kernel import build
from domain.access import OWNER, AdmitMember, RegisterUser
from domain.ids import SYSTEM_TENANT, TenantId
from domain.kernel import Refused
from domain.tenants import CreateTenant
from projections.access import Users
from projections.tenants import Tenants

NAME: Final = "Demo"
COUNTRY: Final = "ES"
EMAIL: Final = "demo@asiento.example"
PASSWORD_BYTES: Final = 18
PROJECTED_SECONDS_MAX: Final = 15.0
POLL_SECONDS: Final = 0.05

PROJECTED: LiteralString = """
SELECT count(*) FROM projection_cursor
WHERE tenant_id = %s AND projection = ANY (%s) AND position >= %s
"""


def make_demo(settings: Settings, url: str) -> Demo:
    """Make what is missing; the key and the user are new, as nobody knows the former ones'."""

    async def make() -> Demo:
        async with open_runtime(settings) as runtime:
            tenant = await _tenant(runtime)
            password = secrets.token_urlsafe(PASSWORD_BYTES)
            email = await _register(runtime, tenant, password)
            api_key = await create_key(runtime, tenant, "demo.json")
            await _projected(runtime)
            return Demo(url=url, tenant=SLUG, email=email, password=password, api_key=api_key)

    return asyncio.run(make())


async def _tenant(runtime: Runtime) -> TenantId:
    try:
        return await find_tenant(runtime, SLUG)
    except NotFound:
        given = {"slug": SLUG, "name": NAME, "country": COUNTRY}
        command = build(CreateTenant, given, runtime.clock)
        made = await runtime.bus.execute(command, operator(SYSTEM_TENANT))
        return TenantId(made.ids["tenant"])


async def _register(runtime: Runtime, tenant: TenantId, password: str) -> str:
    """Register a user under the usual address, or under another if that is taken."""
    local, domain = EMAIL.split("@")
    kept = hash_password(password, runtime.settings)
    for email in (EMAIL, f"{local}-{secrets.token_hex(4)}@{domain}"):
        given = {
            **await email_fields(runtime.vault, email),
            "password_hash": kept,
            "tenant": tenant,
            "permissions": (),
        }
        try:
            command = build(RegisterUser, given, runtime.clock)
            made = await runtime.bus.execute(command, operator(SYSTEM_TENANT))
        except Refused as refusal:
            if refusal.code != "access.email_taken" or email != EMAIL:
                raise
        else:
            admitted = {"user": made.ids["user"], "email": email, "roles": (OWNER,)}
            owner = build(AdmitMember, admitted, runtime.clock)
            await runtime.bus.execute(owner, operator(tenant))
            return email
    raise AssertionError("The second address is random.")


async def _projected(runtime: Runtime) -> None:
    """Wait until the company is listed and the user has a name, or somebody else will have to."""
    head = await runtime.store.head(SYSTEM_TENANT)
    names = [consumer_of(model) for model in (Tenants, Users)]
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PROJECTED_SECONDS_MAX
    while loop.time() < deadline:
        async with tenant_transaction(runtime.pool, SYSTEM_TENANT) as connection:
            cursor = await connection.execute(PROJECTED, (SYSTEM_TENANT, names, head))
            if await cursor.fetchone() == (len(names),):
                return
        await asyncio.sleep(POLL_SECONDS)
