"""What the log says of credentials, made true of their secrets: the current one stays, no other.

A consumer of the log, exactly once. What is destroyed again is destroyed.
"""

from typing import Final, LiteralString, get_args

from adapters.postgres.connections import Connection
from adapters.postgres.projecting.folding import Folded
from adapters.postgres.projecting.taking import follow
from domain.credentials import (
    CredentialRevoked,
    CredentialRotated,
    CredentialStored,
    Versioned,
)
from domain.ids import TenantId
from domain.kernel import Event

CONSUMER: Final = "credentials.secrets"
SETTLE: LiteralString = """
UPDATE credential_secret SET settled = true WHERE tenant_id = %s AND secret_id = %s
"""
DESTROY: LiteralString = """
DELETE FROM credential_secret
WHERE tenant_id = %s AND credential = %s AND settled AND secret_id <> %s
"""


class Secrets:
    """The consumer that settles what is referred to, and destroys what no longer is."""

    name = CONSUMER
    types: tuple[str, ...] = tuple(event.__name__ for event in get_args(Versioned))

    async def __call__(
        self, connection: Connection, tenant: TenantId, after: int, head: int
    ) -> Folded:
        async def act(event: Event, _position: int) -> None:
            assert isinstance(event, Versioned), "It is asked for by type."
            await _follow(connection, tenant, event)

        return await follow(connection, tenant, self.types, act, after=after, head=head)


async def _follow(connection: Connection, tenant: TenantId, event: Versioned) -> None:
    match event:
        case CredentialStored(secret_id=current) | CredentialRotated(secret_id=current):
            await connection.execute(SETTLE, (tenant, current))
            await connection.execute(DESTROY, (tenant, event.credential, current))
        case CredentialRevoked():
            await connection.execute(DESTROY, (tenant, event.credential, ""))
