"""`asiento tenant create`: a company, and the key that its first program acts with."""

from typing import Any

from adapters.access import owner_permissions
from adapters.cli.output import Result
from adapters.cli.session import operator, with_runtime
from adapters.runtime import Runtime
from application.access import new_api_key
from application.kernel import build
from domain.access import CreateApiKey
from domain.ids import SYSTEM_TENANT, TenantId
from domain.tenants import Country, CreateTenant

FIRST_KEY: str = "owner"


def create(slug: str, /, *, name: str, country: Country) -> Result:
    """Open the books of a company, and make its first API key, which is shown once.

    Args:
        slug: Its short name, for ever: lower-case letters, digits and dashes.
        name: Its full name.
        country: Whose law it keeps its books by.

    """
    given = {"slug": slug, "name": name, "country": country}

    async def work(runtime: Runtime) -> Result:
        command = build(CreateTenant, given, runtime.clock)
        created = await runtime.bus.execute(command, operator(SYSTEM_TENANT))
        tenant = TenantId(created.ids["tenant"])
        api_key = await create_key(runtime, tenant, FIRST_KEY)
        document = {"tenant": tenant, "slug": slug, "api_key": api_key}
        return Result(document=document, people=_said(document))

    return with_runtime(work)


async def create_key(runtime: Runtime, tenant: TenantId, name: str) -> str:
    """Make a key with all that an owner of *tenant* may do, and return its text."""
    text, fields = new_api_key(runtime.clock)
    given: dict[str, Any] = {
        **fields,
        "tenant": tenant,
        "name": name,
        "permissions": owner_permissions(),
    }
    command = build(CreateApiKey, given, runtime.clock)
    await runtime.bus.execute(command, operator(SYSTEM_TENANT))
    return text


def _said(document: dict[str, str]) -> tuple[str, ...]:
    return (
        f"Tenant {document['slug']} ({document['tenant']}) is open.",
        f"API key: {document['api_key']}",
        "The key is not shown again: keep it where secrets are kept.",
    )
