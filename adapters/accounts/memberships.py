"""What the log of each company says of its members, made an index of a person's companies.

A consumer of the log, exactly once. It says where to look, and nothing of what somebody may.
"""

from typing import Final, LiteralString

from adapters.postgres.connections import Connection
from adapters.postgres.projecting.folding import Folded
from adapters.postgres.projecting.taking import follow
from domain.access import MemberAdmitted, MemberRemoved
from domain.ids import TenantId
from domain.kernel import Event

CONSUMER: Final = "access.memberships"
ADMIT: LiteralString = """
INSERT INTO membership (tenant_id, user_id) VALUES (%s, %s) ON CONFLICT DO NOTHING
"""
REMOVE: LiteralString = "DELETE FROM membership WHERE tenant_id = %s AND user_id = %s"


class Memberships:
    """The consumer that keeps the index: who was admitted stands in it until removed."""

    name = CONSUMER
    types: tuple[str, ...] = (MemberAdmitted.__name__, MemberRemoved.__name__)

    async def __call__(
        self, connection: Connection, tenant: TenantId, after: int, head: int
    ) -> Folded:
        async def act(event: Event, _position: int) -> None:
            assert isinstance(event, MemberAdmitted | MemberRemoved), "It is asked for by type."
            statement = ADMIT if isinstance(event, MemberAdmitted) else REMOVE
            await connection.execute(statement, (tenant, event.user))

        return await follow(connection, tenant, self.types, act, after=after, head=head)
