"""Where somebody was forgotten, the rows that their events touched are folded anew."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, LiteralString

from adapters.postgres.connections import Connection
from adapters.postgres.models.rows import Table, write_rows
from adapters.postgres.projecting.news import FoldingFailed, Item, opened, read_items
from adapters.postgres.projecting.skipping import skipped_positions
from application import codec
from application.vault import Vault
from domain.ids import TenantId
from domain.privacy import SubjectForgotten
from projections.kernel import ReadModel, Row, events_of

PAGE_EVENTS: Final = 1_000
KEYS_MAX: Final = 1_000
"""Rows that are folded anew together."""

BY_TAGS: LiteralString = """
SELECT DISTINCT e.position, e.type, e.data
FROM event_tag AS t JOIN event AS e USING (tenant_id, position)
WHERE t.tenant_id = %s AND t.tag = ANY (%s) AND t.type = ANY (%s)
  AND t.position > %s AND t.position <= %s
ORDER BY e.position LIMIT %s
"""
ALL: LiteralString = """
SELECT position, type, data FROM event
WHERE tenant_id = %s AND type = ANY (%s) AND position > %s AND position <= %s
ORDER BY position LIMIT %s
"""


async def forget(
    connection: Connection,
    table: Table,
    tenant: TenantId,
    forgetting: SubjectForgotten,
    *,
    position: int,
    vault: Vault,
) -> FoldingFailed | None:
    """Write anew every row that holds what an event about a forgotten subject said."""
    if not table.model.personal:
        return None
    keys: set[str] = set()
    try:
        about = history(
            connection, table.model, tenant, (forgetting.subject,), until=position, vault=vault
        )
        async for items in about:
            for item in items:
                keys.update(_keys(table.model, item))
            while len(keys) >= KEYS_MAX:
                some = {keys.pop() for _ in range(KEYS_MAX)}
                await fold_anew(connection, table, tenant, some, until=position, vault=vault)
        if keys:
            await fold_anew(connection, table, tenant, keys, until=position, vault=vault)
    except FoldingFailed as error:
        return FoldingFailed(position, error)
    return None


async def fold_anew(
    connection: Connection,
    table: Table,
    tenant: TenantId,
    keys: set[str],
    *,
    until: int,
    vault: Vault,
) -> None:
    """Write the rows of *keys* as their whole history up to *until* makes them.

    Raises:
        FoldingFailed: An event of theirs can't be folded.

    """
    model = table.model
    tags = tuple(tag for key in keys for tag in model.tags(key))
    rows: dict[str, Row | None] = {}
    positions: dict[str, int] = {}
    async for items in history(connection, model, tenant, tags, until=until, vault=vault):
        for item in items:
            for key in keys.intersection(_keys(model, item)):
                try:
                    rows[key] = model.fold(rows.get(key), opened(item.event), key)
                except Exception as error:
                    raise FoldingFailed(item.position, error) from error
                positions[key] = item.position
    await write_rows(connection, table, tenant, rows, positions)


async def history(
    connection: Connection,
    model: type[ReadModel[Any]],  # Any: of any row.
    tenant: TenantId,
    tags: Sequence[str],
    *,
    until: int,
    vault: Vault,
) -> AsyncIterator[list[Item]]:
    """Read the events of *model* with one of *tags*, or all where none is named, page by page.

    What an operator skipped is left out.
    """
    skipped = await skipped_positions(connection, tenant, model.name)
    types = list(codec.stored_names(events_of(model)))
    after = 0
    while True:
        if tags:
            found = await connection.execute(
                BY_TAGS, (tenant, list(tags), types, after, until, PAGE_EVENTS)
            )
        else:
            found = await connection.execute(ALL, (tenant, types, after, until, PAGE_EVENTS))
        records = await found.fetchall()
        taken = [record for record in records if record[0] not in skipped]
        yield await read_items(taken, tenant, vault)
        if len(records) < PAGE_EVENTS:
            return
        after = records[-1][0]


def _keys(model: type[ReadModel[Any]], item: Item) -> tuple[str, ...]:
    if item.failure is not None:
        raise item.failure
    return model.keys(opened(item.event))
