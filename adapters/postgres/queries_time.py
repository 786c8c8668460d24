"""Rows in time: wait until one's own writes show, or see a row as it was."""

import asyncio
from datetime import datetime
from typing import Final, LiteralString

from adapters.postgres.connections import Pool, tenant_transaction
from adapters.postgres.queries_conditions import Model, owner_column, require, storage_tenant
from application.codec import stored_names
from application.errors import Unavailable
from application.kernel import Context
from application.ports import EventStore, QueryItem, StoredEvent
from application.vault import Vault
from domain.ids import TenantId
from projections.kernel import Row, events_of, fold

POLL_SECONDS: Final = 0.01
POLL_SECONDS_MAX: Final = 0.2

REACHED: LiteralString = """
SELECT position, failed_position FROM projection_cursor WHERE tenant_id = %s AND projection = %s
"""


async def wait_for(
    pool: Pool, tenant: TenantId, projection: str, position: int, seconds_max: float
) -> None:
    """Wait until *projection* shows what the log of *tenant* held at *position*.

    Raises:
        Unavailable: It is still behind after *seconds_max*, or stands still.

    """
    loop = asyncio.get_running_loop()
    until, rest = loop.time() + seconds_max, POLL_SECONDS
    while True:
        async with tenant_transaction(pool, tenant) as connection:
            cursor = await connection.execute(REACHED, (tenant, projection))
            reached, failed = await cursor.fetchone() or (0, None)
        if reached >= position:
            return
        if failed is not None or loop.time() + rest > until:
            raise Unavailable(
                "projection.behind",
                f"{projection} is at position {reached}, {position - reached} behind {position}.",
                hint="Ask again in a moment."
                if failed is None
                else "Tell an operator: it stopped.",
            )
        await asyncio.sleep(rest)
        rest = min(rest * 2, POLL_SECONDS_MAX)


async def row_as_of(
    store: EventStore,
    model: Model,
    context: Context,
    key: str,
    as_of: int | datetime,
    *,
    vault: Vault,
) -> Row | None:
    """Fold one row as it was after a position or at a time; None where it was not there.

    What is forgotten by now is forgotten of then.

    Raises:
        Forbidden: The caller lacks the permission of the model.

    """
    require(context, model.permission)
    query = [QueryItem(types=stored_names(events_of(model)), tags=(f"{model.key}:{key}",))]
    tenant = storage_tenant(model, context)
    seen = [each async for each in store.read(tenant, query) if _had_happened(each, as_of)]
    rows: dict[str, Row] = {}
    for event in await vault.read(tenant, seen):
        fold(model, rows, event)
    row = rows.get(key)
    owner = owner_column(model, context)
    if row is not None and owner is not None and getattr(row, owner) != context.tenant:
        return None
    return row


def _had_happened(stored: StoredEvent, as_of: int | datetime) -> bool:
    if isinstance(as_of, int):
        return stored.position <= as_of
    return stored.recorded_at <= as_of
