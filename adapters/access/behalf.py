"""On whose behalf something is done that no role is asked for, as a letter or a password is enough.

It may do the one command that it is for, and nothing else.
"""

from typing import Final

from structlog.contextvars import get_contextvars

from adapters.runtime import Runtime
from application.kernel import Context, exposed_commands, new_id
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
    request_id = get_contextvars().get("request_id")
    return Context(
        tenant=tenant,
        actor=actor,
        permissions=frozenset({exposed_commands()[command].permission}),
        correlation_id=str(request_id or new_id(runtime.clock.now())),
    )
