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

from adapters.embedded.instance import attached
from adapters.logging import configure_logging
from adapters.postgres.connections import connect
from adapters.runtime import Runtime, open_runtime
from adapters.settings import Settings, load_settings
from application.codec import decode
from application.errors import NotFound
from application.kernel import EVERYTHING, Context, SystemClock, new_id
from application.ports import BoundaryQuery
from domain.ids import SYSTEM_TENANT, TenantId
from domain.tenants import TenantCreated

T = TypeVar("T")


def with_runtime(work: Callable[[Runtime], Awaitable[T]], processes: Collection[str] = ()) -> T:
    """Do *work* on the servers, started for it with the named *processes* if none run."""
    return with_servers(lambda settings: open_and(settings, work), processes)


def with_servers(work: Callable[[Settings], T], processes: Collection[str] = ()) -> T:
    """As ``with_runtime``, for work that connects by itself."""
    with attached(prepare(), processes) as settings:
        return work(settings)


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
    # A pool goes on trying for a while; who waits at a terminal wants to know at once.
    async with await connect(settings.database_url or ""):
        pass
    async with open_runtime(settings) as runtime:
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
    """As ``find_tenant``, for work that needs no runtime otherwise."""
    return open_and(settings, lambda runtime: find_tenant(runtime, slug))


async def find_tenant(runtime: Runtime, slug: str) -> TenantId:
    """Return the id of a tenant. It is looked up in the log, so one just created is found.

    Raises:
        NotFound: Nobody has this short name.

    """
    claim = BoundaryQuery(tag=f"slug:{slug}", types=(TenantCreated.__name__,))
    found = (await runtime.store.look(SYSTEM_TENANT, [claim])).events
    event = decode(found[0]) if found else None
    if not isinstance(event, TenantCreated):
        raise NotFound(
            "tenants.absent",
            f"There is no tenant {slug}.",
            hint="Create it: `asiento tenant create SLUG --name NAME --country ES`.",
        )
    return event.tenant
