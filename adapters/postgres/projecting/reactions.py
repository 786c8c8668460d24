"""Reactions as readers of logs: each event leads to one command, whatever is killed on the way.

A command is run before the cursor moves past its event. Run again after a crash, its idempotency
key finds that it was; so it needs no transaction of both.
"""

from typing import Final, LiteralString

import structlog

from adapters.metrics.figures import note_reaction
from adapters.postgres.connections import Connection, Pool, tenant_transaction
from adapters.postgres.projecting.folding import Folded
from adapters.postgres.projecting.news import FoldingFailed, Item, read_items
from adapters.postgres.projecting.skipping import skipped_positions
from adapters.postgres.projecting.taking import take
from application import codec
from application.bus import Bus
from application.errors import NotFound, TooMany, Unavailable
from application.reactions import Cause, DeadLetter, Reaction, actor_of, events_of, react
from application.vault import Vault
from domain.ids import SYSTEM_TENANT, TenantId

BATCH: Final = 100
BEGIN: LiteralString = "SELECT begin_reaction_v1(%s, %s)"
BURY: LiteralString = """
INSERT INTO dead_letter (tenant_id, reaction, position, code, message)
VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (tenant_id, reaction, position) DO UPDATE
SET code = excluded.code, message = excluded.message, refused_at = now()
"""
UNBURY: LiteralString = """
DELETE FROM dead_letter WHERE tenant_id = %s AND reaction = %s AND position = %s
"""
log = structlog.get_logger()


class Reacting:
    """Drives one reaction in all logs. A refused command is a dead letter, and it goes on."""

    def __init__(self, reaction: type[Reaction], bus: Bus, vault: Vault) -> None:
        self.reaction = reaction
        self.name = actor_of(reaction)
        self.types = codec.stored_names(events_of(reaction))
        self._bus = bus
        self._vault = vault

    async def begin(self, pool: Pool) -> None:
        """Begin at the heads of the logs, unless the reaction was begun before."""
        async with tenant_transaction(pool, SYSTEM_TENANT) as connection:
            await connection.execute(BEGIN, (self.reaction.name, self.reaction.system))

    async def __call__(
        self, connection: Connection, tenant: TenantId, after: int, head: int
    ) -> Folded:
        taken = await take(connection, tenant, self.types, after=after, head=head, most=BATCH)
        records = taken.records
        skipped = await skipped_positions(connection, tenant, self.name)
        items = await read_items([record[:3] for record in records], tenant, self._vault)
        for done, (item, (*_, correlation)) in enumerate(zip(items, records, strict=True)):
            if item.position in skipped:
                continue
            try:
                letter = await self.react_to(tenant, item, correlation)
            except (Unavailable, TooMany) as error:
                # It is asked again with the next look at all logs; nothing else has to wait.
                log.warning("reaction.waiting", reaction=self.reaction.name, reason=error.message)
                return Folded(position=max(after, item.position - 1), events=done)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is recorded and shown.
                failure = item.failure or FoldingFailed(item.position, error)
                return Folded(position=item.position - 1, events=done, failure=failure)
            if letter is not None:
                await bury(connection, tenant, self.reaction, letter)
            note_reaction(self.reaction.name, refused=letter is not None)
        return Folded(position=taken.reached, events=len(records))

    async def react_to(
        self, tenant: TenantId, item: Item, correlation_id: str
    ) -> DeadLetter | None:
        """Run the command that an event of the log leads to.

        Raises:
            FoldingFailed: The event can't be read.
            Unavailable: A server is away.

        """
        if item.event is None:
            assert item.failure is not None, "What has no event says why."
            raise item.failure
        cause = Cause(
            tenant=tenant,
            position=item.position,
            correlation_id=correlation_id,
            event=item.event,
        )
        return await react(self._bus, self.reaction, cause)

    async def replay(self, pool: Pool, tenant: TenantId, position: int) -> DeadLetter | None:
        """Run the command of one event now, unless it was run, and clear its dead letter.

        Raises:
            NotFound: There is no event of the reaction at this position.

        """
        async with tenant_transaction(pool, tenant) as connection:
            taken = await take(
                connection, tenant, self.types, after=position - 1, head=position, most=1
            )
            if not taken.records:
                raise NotFound(
                    "reactions.absent",
                    f"Event {position} is none that {self.reaction.name} reacts to.",
                    hint=f"It reacts to {', '.join(self.types)}.",
                )
            (record,) = taken.records
            (item,) = await read_items([record[:3]], tenant, self._vault)
            letter = await self.react_to(tenant, item, record[3])
            if letter is None:
                await connection.execute(UNBURY, (tenant, self.reaction.name, position))
            else:
                await bury(connection, tenant, self.reaction, letter)
        return letter


async def bury(
    connection: Connection, tenant: TenantId, reaction: type[Reaction], letter: DeadLetter
) -> None:
    """Keep a dead letter of a reaction, instead of an older one of the same event."""
    row = (tenant, reaction.name, letter.position, letter.code, letter.message)
    await connection.execute(BURY, row)
