"""On whose behalf something is done that no role is asked for, as a letter or a password is enough.

It may do the one command that it is for, and nothing else.
"""

from typing import Final

from structlog.contextvars import get_contextvars

from adapters.runtime import Runtime
from application.kernel import Context, exposed_commands, new_id
from application.ports import Clock
from domain.ids import SYSTEM_TENANT, TenantId
from domain.kernel import Command

NOBODY: Final = "system"
"""The actor, as long as it is not known who asks."""


def for_one(
    runtime: Runtime,
    command: type[Command],
    *,
    tenant: TenantId = SYSTEM_TENANT,
    actor: str = NOBODY,
) -> Context:
    """Let somebody do one command for a tenant, or in the log of the reserved one."""
    return Context(
        tenant=tenant,
        actor=actor,
        permissions=frozenset({exposed_commands()[command].permission}),
        correlation_id=correlation_id(runtime.clock),
    )


def correlation_id(clock: Clock) -> str:
    """Name what an event comes of: the request at hand, or something that nobody asked for."""
    return str(get_contextvars().get("request_id") or new_id(clock.now()))
