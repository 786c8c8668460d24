"""The new table brought up to date by the live fold, while the projector goes on with the old one.

A log that can't be folded beyond some event ends there, if its live rows are not beyond it either.
"""

from collections.abc import Sequence
from typing import Final, LiteralString

from adapters.postgres.connections import Connection
from adapters.postgres.models.rows import Table
from adapters.postgres.projecting.building.planning import Reach
from adapters.postgres.projecting.folding import Folded, fold_news, stored_names
from adapters.postgres.projecting.news import FoldingFailed, read_news
from adapters.postgres.projecting.skipping import skipped_positions
from application.errors import Conflict
from application.vault import Vault
from domain.ids import TenantId

PLACES: LiteralString = """
SELECT tenant_id::text, min(position) FROM rebuild_piece WHERE rebuild = %s GROUP BY 1
"""
PLACE: LiteralString = """
UPDATE rebuild_piece SET position = %s WHERE tenant_id = %s AND rebuild = %s
"""
NEW_LOG: LiteralString = """
INSERT INTO rebuild_piece (tenant_id, rebuild, piece, weight, position, done_at)
VALUES (%s, %s, 0, 0, 0, now()) ON CONFLICT DO NOTHING
"""
COUNT: LiteralString = """
UPDATE rebuild_piece SET events = events + %s WHERE tenant_id = %s AND rebuild = %s AND piece = 0
"""
LATE_EVENTS_MAX: Final = 1_000
"""How many events may be left for the moment in which the tables change places."""


class Follower:
    """Folds what comes into the new table, and keeps how far each log is in it."""

    def __init__(self, clerk: Connection, number: int, table: Table, vault: Vault) -> None:
        self._clerk = clerk
        self._number = number
        self._table = table
        self._vault = vault
        self.places: dict[TenantId, int] = {}

    async def look_up(self) -> None:
        """Read how far each log is in the new table."""
        rows = await (await self._clerk.execute(PLACES, (self._number,))).fetchall()
        self.places = {TenantId(tenant): position for tenant, position in rows}

    def behind(self, reaches: Sequence[Reach]) -> int:
        """Count the events that the new table lacks."""
        return sum(max(0, each.until - self.places.get(each.tenant, 0)) for each in reaches)

    async def follow(self, reaches: Sequence[Reach]) -> None:
        """Fold each log as far as it reaches.

        Raises:
            Conflict: An event that the live rows know can't be folded.

        """
        for each in reaches:
            await self._follow_log(each)

    async def _follow_log(self, reach: Reach) -> None:
        at = self.places.get(reach.tenant)
        if at is None:
            await self._clerk.execute(NEW_LOG, (reach.tenant, self._number))
            at = 0
        while at < reach.until:
            async with self._clerk.transaction():
                folded = await self._fold(reach, at)
                await self._clerk.execute(PLACE, (folded.position, reach.tenant, self._number))
                await self._clerk.execute(COUNT, (folded.events, reach.tenant, self._number))
            at = self.places[reach.tenant] = folded.position
            if folded.failure is not None:
                if folded.failure.position <= reach.live:
                    raise _failed(self._table, folded.failure)
                return

    async def _fold(self, reach: Reach, after: int) -> Folded:
        model = self._table.model
        news = await read_news(
            self._clerk,
            reach.tenant,
            after=after,
            until=reach.until,
            names=stored_names(model),
            vault=self._vault,
        )
        skipped = await skipped_positions(self._clerk, reach.tenant, model.name)
        return await fold_news(
            self._clerk,
            self._table,
            reach.tenant,
            news,
            after=after,
            vault=self._vault,
            skipped=skipped,
        )


def _failed(table: Table, failure: FoldingFailed) -> Conflict:
    return Conflict(
        "projections.failed",
        f"{table.model.name} can't be rebuilt: {failure}.",
        hint="The old rows still serve. Deploy a version that can fold this event, or skip it.",
    )
