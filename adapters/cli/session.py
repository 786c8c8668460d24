"""What a command works with: the servers it finds or starts, and the operator it acts for.

Whoever holds the credential of the database is its operator and may do everything; the log
says who it was.
"""

import asyncio
import getpass
import os
from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar

from msgspec.structs import replace

from adapters.audit.registry import UnknownTenant, all_owners, find_owner
from adapters.embedded.instance import attached
from adapters.logging import configure_logging
from adapters.postgres.connections import connect
from adapters.runtime import Runtime, open_runtime
from adapters.settings import Settings, load_settings
from application.errors import NotFound
from application.kernel import EVERYTHING, Context, SystemClock, new_id
from domain.ids import SYSTEM_TENANT, TenantId

T = TypeVar("T")


def with_runtime(work: Callable[[Runtime], Awaitable[T]], processes: Collection[str] = ()) -> T:
    """Do *work* on the servers, started for it with the named *processes* if none run."""
    return with_servers(lambda settings: open_and(settings, work), processes)


def with_servers(work: Callable[[Settings], T], processes: Collection[str] = ()) -> T:
    """As ``with_runtime``, for work that connects by itself."""
    given = prepare()
    with attached(given, processes) as settings:
        try:
            return work(settings)
        except UnknownTenant as error:
            raise error if given.database_url else located(error, given) from None


def prepare() -> Settings:
    """Read the settings, and leave the terminal to the command."""
    settings = load_settings()
    # What goes wrong is said in one line at the end, not by each library on the way.
    configure_logging(replace(settings, log_level="error"), "cli")
    return settings


def open_and(settings: Settings, work: Callable[[Runtime], Awaitable[T]]) -> T:
    """Connect to the servers, do *work*, and disconnect."""
    return asyncio.run(_opened(settings, work))


async def _opened(settings: Settings, work: Callable[[Runtime], Awaitable[T]]) -> T:
    async with open_runtime(settings) as runtime:
        # A pool goes on trying for a while; who waits at a terminal wants to know at once.
        async with await connect(settings.database_url or ""):
            pass
        return await work(runtime)


def operator(tenant: TenantId) -> Context:
    """Act for *tenant* as the user of the operating system."""
    return Context(
        tenant=tenant,
        actor=f"cli:{_user()}",
        permissions=frozenset({EVERYTHING}),
        correlation_id=new_id(SystemClock().now()),
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.geteuid())  # A container may run as a user without a name.


def look_up_tenant(settings: Settings, slug: str) -> TenantId:
    """As ``find_log``, for work that needs no runtime otherwise."""
    return open_and(settings, lambda runtime: find_log(runtime, slug))


def slugs_of(settings: Settings) -> dict[TenantId, str]:
    """Name all tenants by their short names, for work that needs no runtime otherwise."""
    owners = open_and(settings, all_owners)
    return {owner.tenant: owner.slug for owner in owners}


async def find_log(runtime: Runtime, slug: str) -> TenantId:
    """As ``find_tenant``, for reading: `system` names the log of what belongs to none.

    Raises:
        UnknownTenant: Nobody has this short name.

    """
    return (await find_owner(runtime, slug)).tenant


async def find_tenant(runtime: Runtime, slug: str) -> TenantId:
    """Return the id of a tenant. It is looked up in the log, so one just created is found.

    Raises:
        NotFound: Nobody has this short name, or the instance itself.

    """
    tenant = await find_log(runtime, slug)
    if tenant == SYSTEM_TENANT:
        raise NotFound(
            "tenants.absent",
            f"{slug} is the log of what belongs to no tenant; it can be read, and no more.",
            hint="Name a tenant: `asiento tenant list` shows all.",
        )
    return tenant


def located(error: UnknownTenant, settings: Settings) -> UnknownTenant:
    """Name the folder that was looked in, since another one may have been meant."""
    return UnknownTenant(
        error.code,
        f"{error.message.removesuffix('.')} in the instance of {settings.data}.",
        hint=f"{error.hint} Another instance is named by ASIENTO_DATA.",
    )
