"""A sample of the new rows, folded on its own from the log and compared with what stands there.

The sample is drawn from the log and from the rows, so that one too few or too many is found too.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from random import Random
from typing import Final, LiteralString

from msgspec.structs import replace
from psycopg import sql

from adapters.postgres.connections import Connection
from adapters.postgres.models.rows import Table, load_rows
from adapters.postgres.models.tables import columns_of
from adapters.postgres.models.texts import storable
from adapters.postgres.projecting.building.task import Task
from adapters.postgres.projecting.folding import stored_names
from adapters.postgres.projecting.forgetting import history
from adapters.postgres.projecting.news import Item, opened, read_items
from adapters.postgres.projecting.skipping import skipped_positions
from application.errors import Conflict
from application.vault import Vault
from domain.ids import TenantId
from projections.kernel import Row

SAMPLED_LOGS: Final = 40
SAMPLED_ROWS: Final = 200
"""Rows in all, about, over the sampled logs."""

WHOLE_LOG_MAX: Final = 200_000
"""Events of a log that is read whole for rows that are found by no tag."""

COUNTS: LiteralString = """
SELECT p.tenant_id::text, sum(p.rows)::bigint, coalesce(max(c.rows), 0)
FROM rebuild_piece AS p LEFT JOIN (
    SELECT tenant_id, count(*) AS rows FROM {} GROUP BY 1
) AS c USING (tenant_id)
WHERE p.rebuild = {} GROUP BY 1 HAVING sum(p.rows) <> coalesce(max(c.rows), 0) LIMIT 1
"""
FROM_LOG: LiteralString = """
SELECT position, type, data FROM event
WHERE tenant_id = %s AND position = ANY (%s) AND type = ANY (%s)
"""
# Who is forgotten meanwhile: their rows read otherwise by now, and are folded anew before the swap.
FORGOTTEN_SINCE: LiteralString = """
SELECT FROM event AS e JOIN rebuild AS r ON r.id = %s
WHERE e.tenant_id = %s AND e.position > %s AND e.type = 'SubjectForgotten'
  AND e.recorded_at >= r.started_at
LIMIT 1
"""
FROM_ROWS: LiteralString = """
SELECT {key} FROM {table} WHERE tenant_id = %s AND {key} >= %s ORDER BY {key} LIMIT {many}
"""


async def compare_counts(clerk: Connection, task: Task) -> None:
    """See that each log has as many rows as were made of it.

    Raises:
        Conflict: It has not.

    """
    statement = sql.SQL(COUNTS).format(sql.Identifier(task.shadow), sql.Literal(task.id))
    row = await (await clerk.execute(statement)).fetchone()
    if row is not None:
        raise Conflict(
            "projections.differs",
            f"{row[1]} rows of {task.name} were made for {row[0]}, and {row[2]} are there.",
            hint="The old rows still serve. Please report this.",
        )


class Verifier:
    """Compares rows of the new table with what the log says of them."""

    def __init__(self, clerk: Connection, table: Table, task: Task, vault: Vault) -> None:
        self._clerk = clerk
        self._table = table
        self._rebuild = task.id
        self._shadow = sql.Identifier(task.shadow)
        self._vault = vault
        self._random = Random()  # noqa: S311 - a sample, no secret.

    async def verify(self, places: dict[TenantId, int]) -> None:
        """Compare some rows of some logs, each as of how far its log is in the new table.

        Raises:
            Conflict: A row is not what its events say.

        """
        filled = [tenant for tenant, position in places.items() if position]
        some = self._random.sample(filled, min(SAMPLED_LOGS, len(filled)))
        for tenant in some:
            await self._verify_log(tenant, places[tenant], SAMPLED_ROWS // len(some))

    async def _verify_log(self, tenant: TenantId, until: int, many: int) -> None:
        keys = await self._sample(tenant, until, many)
        skipped = await skipped_positions(self._clerk, tenant, self._table.model.name)
        folded = await self._fold(tenant, until, keys, skipped)
        stored = await load_rows(self._clerk, self._table, tenant, folded)
        for key, row in folded.items():
            if stored.get(key) != _as_stored(row):
                asked = (self._rebuild, tenant, until)
                if (await self._clerk.execute(FORGOTTEN_SINCE, asked)).rowcount:
                    return
                raise Conflict(
                    "projections.differs",
                    f"Row {key} of {self._table.model.name} is not what its events say.",
                    hint="The old rows still serve. Report this with the row's events.",
                )

    async def _sample(self, tenant: TenantId, until: int, many: int) -> set[str]:
        """Name rows that events of the log touch, and some that are there."""
        model = self._table.model
        positions = [self._random.randint(1, until) for _ in range(many)]
        asked = (tenant, positions, list(stored_names(model)))
        records = await (await self._clerk.execute(FROM_LOG, asked)).fetchall()
        items = await read_items(records, tenant, self._vault)
        readable = (opened(item.event) for item in items if item.failure is None)
        keys = [key for event in readable for key in model.keys(event)]
        start = self._random.choice(keys) if keys else ""
        statement = sql.SQL(FROM_ROWS).format(
            key=sql.Identifier(model.key), table=self._shadow, many=sql.Literal(max(1, many // 4))
        )
        found = await (await self._clerk.execute(statement, (tenant, start))).fetchall()
        return {*keys[:many], *(key for (key,) in found)}

    async def _fold(
        self, tenant: TenantId, until: int, keys: Collection[str], skipped: Collection[int]
    ) -> dict[str, Row | None]:
        """Fold the rows of *keys* by their tags, or from the whole log where it is not too long."""
        by_tags: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
        for key in keys:
            by_tags[self._table.model.tags(key)].add(key)
        rows: dict[str, Row | None] = {}
        for tags, some in by_tags.items():
            if tags or until <= WHOLE_LOG_MAX:
                rows |= dict.fromkeys(some)
                pages = history(
                    self._clerk, self._table.model, tenant, tags, until=until, vault=self._vault
                )
                async for items in pages:
                    self._fold_page([i for i in items if i.position not in skipped], some, rows)
        return rows

    def _fold_page(
        self, items: Iterable[Item], keys: set[str], rows: dict[str, Row | None]
    ) -> None:
        model = self._table.model
        for item in items:
            event = opened(item.event)
            for key in keys.intersection(model.keys(event)):
                rows[key] = model.fold(rows[key], event, key)


def _as_stored(row: Row | None) -> Row | None:
    """Write texts as PostgreSQL can hold them."""
    if row is None:
        return None
    columns = (c for c in columns_of(type(row)) if c.type == "text" and not c.derived)
    texts = ((column.name, getattr(row, column.name)) for column in columns)
    cleaned = {name: storable(text) for name, text in texts if text}
    return replace(row, **cleaned) if cleaned else row
