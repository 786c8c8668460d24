"""Rebuild a read model from its events beside the one that serves, compare, then swap.

The new table is filled with the same fold as the live one; the last few events and the swap
happen in one short transaction, while the projector waits for the cursor.
"""

import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, Final, LiteralString

from msgspec import Struct
from psycopg import AsyncConnection, OperationalError, sql

from adapters.keyring import Keyring
from adapters.postgres.connections import (
    SET_TENANT,
    Connection,
    prepare_adapters,
    unavailable,
)
from adapters.postgres.folding import FoldingFailed, fold_batch, stored_names
from adapters.postgres.read_models import Table, row_decoder, table_of
from adapters.postgres.subject_keys import PostgresSubjectKeys
from adapters.postgres.tables import columns_of, create_table
from application import codec
from application.errors import Conflict, NotFound
from application.vault import Vault
from domain.ids import SYSTEM_TENANT, TenantId
from projections.kernel import ReadModel, project, read_models

SAMPLE_ROWS: Final = 200
HEADS: LiteralString = "SELECT tenant_id::text, position FROM heads_v1() ORDER BY 1"
HEAD: LiteralString = "SELECT position FROM log_head WHERE tenant_id = %s"
LOCK_CURSORS: LiteralString = """
SELECT tenant_id FROM projection_cursor WHERE projection = %s AND tenant_id = %s FOR UPDATE
"""
SET_CURSOR: LiteralString = """
INSERT INTO projection_cursor (tenant_id, projection, position) VALUES (%s, %s, %s)
ON CONFLICT (tenant_id, projection) DO UPDATE
SET position = excluded.position, failed_position = NULL, error = NULL, updated_at = now()
"""
HISTORY: LiteralString = """
SELECT e.position, e.type, e.data FROM event_tag AS t JOIN event AS e USING (tenant_id, position)
WHERE t.tenant_id = %s AND t.tag = %s AND t.type = ANY (%s) AND e.position <= %s
ORDER BY e.position
"""


class Rebuilt(Struct, frozen=True, kw_only=True):
    """What a rebuild did."""

    name: str
    events: int
    rows: int
    seconds: float
    events_per_second: float
    verified: bool


class _Rebuild:
    """One rebuild under way, on a connection of the schema's owner."""

    def __init__(
        self,
        connection: Connection,
        model: type[ReadModel[Any]],
        keyring: Keyring,
        on_progress: Callable[[int, int], None],
    ) -> None:
        self.connection = connection
        # What folds has set the tenant, in a transaction of its own.
        self.vault = Vault(PostgresSubjectKeys(lambda _: nullcontext(connection), keyring))
        self.model = model
        self.shadow = f"{model.name}__rebuild"
        self.table: Table = table_of(model, self.shadow)
        self.on_progress = on_progress
        self.events = 0
        self.reached: dict[TenantId, int] = {}

    async def fold_until(self, tenant: TenantId, head: int) -> None:
        """Fold a tenant's events up to *head*, a batch a transaction."""
        at = self.reached.get(tenant, 0)
        while at < head:
            async with self.connection.transaction():
                await self.connection.execute(SET_TENANT, (tenant,))
                folded = await fold_batch(
                    self.connection, self.table, tenant, after=at, until=head, vault=self.vault
                )
            if folded.failure is not None:
                raise _failed(self.model.name, folded.failure)
            at = self.reached[tenant] = folded.position
            self.events += folded.events
            self.on_progress(sum(self.reached.values()), 0)
        self.reached.setdefault(tenant, at)


async def rebuild(
    admin_url: str,
    name: str,
    tenant: TenantId | None = None,
    *,
    keyring: Keyring,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Rebuilt:
    """Rebuild the read model *name*, of all tenants or of one.

    Raises:
        NotFound: There is no such read model.
        Conflict: The rebuilt rows disagree with an independent fold, or an event can't be
            folded; the old rows stay.
        Unavailable: PostgreSQL does not answer.

    """
    model = _model(name)
    started = time.perf_counter()
    try:
        async with await AsyncConnection.connect(admin_url, autocommit=True) as connection:
            prepare_adapters(connection)
            work = _Rebuild(connection, model, keyring, on_progress)
            rows = await _run(work, tenant)
    except OperationalError as error:
        raise unavailable(error) from error
    seconds = time.perf_counter() - started
    return Rebuilt(
        name=name,
        events=work.events,
        rows=rows,
        seconds=seconds,
        events_per_second=work.events / seconds,
        verified=True,
    )


def _model(name: str) -> type[ReadModel[Any]]:
    model = read_models().get(name)
    if model is None:
        raise NotFound(
            "projections.absent",
            f"There is no read model {name}.",
            hint=f"There are {', '.join(read_models())}.",
        )
    return model


async def _run(work: _Rebuild, only: TenantId | None) -> int:
    connection, shadow = work.connection, sql.Identifier(work.shadow)
    await connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(shadow))
    await connection.execute(create_table(work.model, work.shadow))
    try:
        heads = await _heads(work, only)
        for tenant, head in heads.items():
            await work.fold_until(tenant, head)
        for tenant in heads:
            await _verify(work, tenant)
        rows = 0
        if only is None:
            rows = await _swap(work)
        else:
            rows = await _replace(work, only)
    finally:
        await connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(shadow))
    return rows


async def _heads(work: _Rebuild, only: TenantId | None) -> dict[TenantId, int]:
    cursor = await work.connection.execute(HEADS)
    return {
        TenantId(tenant): head
        for tenant, head in await cursor.fetchall()
        if only in {None, tenant} and (tenant == SYSTEM_TENANT) == work.model.system
    }


async def _swap(work: _Rebuild) -> int:
    """Fold what came meanwhile and put the new table in the place of the old, at once."""
    connection, name = work.connection, work.model.name
    async with connection.transaction():
        # Cursors before the table, as the projector does: the other way round they could lock
        # each other out. Whoever reads or writes the old table waits from here to the commit.
        for tenant in await _heads(work, None):
            await connection.execute(SET_TENANT, (tenant,))
            await connection.execute(LOCK_CURSORS, (name, tenant))
        await connection.execute(
            sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier(name))
        )
        rows = 0
        for tenant, head in (await _heads(work, None)).items():
            rows += await _finish(work, tenant, head)
        await connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))
        for statement in await _renames(work):
            await connection.execute(statement)
    return rows


async def _renames(work: _Rebuild) -> list[sql.Composed]:
    """Give the new table and its indexes the names that the old ones had."""
    cursor = await work.connection.execute(
        "SELECT indexname FROM pg_indexes WHERE schemaname = 'public' AND tablename = %s",
        (work.shadow,),
    )
    name = work.model.name
    return [
        *(
            sql.SQL("ALTER INDEX {} RENAME TO {}").format(
                sql.Identifier(index), sql.Identifier(index.replace(work.shadow, name))
            )
            for (index,) in await cursor.fetchall()
        ),
        sql.SQL("ALTER TABLE {} RENAME TO {}").format(
            sql.Identifier(work.shadow), sql.Identifier(name)
        ),
    ]


async def _replace(work: _Rebuild, tenant: TenantId) -> int:
    """Put one tenant's new rows in the place of its old ones, at once."""
    connection, table = work.connection, sql.Identifier(work.model.name)
    async with connection.transaction():
        await connection.execute(SET_TENANT, (tenant,))
        await connection.execute(LOCK_CURSORS, (work.model.name, tenant))
        row = await (await connection.execute(HEAD, (tenant,))).fetchone()
        rows = await _finish(work, tenant, row[0] if row else 0)
        await connection.execute(
            sql.SQL("DELETE FROM {} WHERE tenant_id = %s").format(table), (tenant,)
        )
        await connection.execute(
            sql.SQL("INSERT INTO {} SELECT * FROM {}").format(table, sql.Identifier(work.shadow))
        )
    return rows


async def _finish(work: _Rebuild, tenant: TenantId, head: int) -> int:
    """Inside the swap: fold the last events of a tenant, set its cursor, count its rows."""
    await work.connection.execute(SET_TENANT, (tenant,))
    await work.fold_until(tenant, head)
    await work.connection.execute(SET_TENANT, (tenant,))
    await work.connection.execute(SET_CURSOR, (tenant, work.model.name, head))
    cursor = await work.connection.execute(
        sql.SQL("SELECT count(*) FROM {} WHERE tenant_id = %s").format(sql.Identifier(work.shadow)),
        (tenant,),
    )
    row = await cursor.fetchone()
    return row[0] if row else 0


async def _verify(work: _Rebuild, tenant: TenantId) -> None:
    """Fold a sample of rows on their own, from their tags, and compare."""
    model, connection = work.model, work.connection
    names = sql.SQL(", ").join(sql.Identifier(c.name) for c in columns_of(model.row))
    async with connection.transaction():
        await connection.execute(SET_TENANT, (tenant,))
        cursor = await connection.execute(
            sql.SQL("SELECT {} FROM {} WHERE tenant_id = %s LIMIT {}").format(
                names, sql.Identifier(work.shadow), sql.Literal(SAMPLE_ROWS)
            ),
            (tenant,),
        )
        types = list(stored_names(model))
        for record in await cursor.fetchall():
            row = row_decoder(model.row)(record)
            key: str = getattr(row, model.key)
            asked = (tenant, f"{model.key}:{key}", types, work.reached[tenant])
            events = await (await connection.execute(HISTORY, asked)).fetchall()
            written = [codec.decode_written(kind, data, at) for at, kind, data in events]
            history = await work.vault.open(tenant, written)
            if project(model, history).get(key) != row:
                raise Conflict(
                    "projections.differs",
                    f"Row {key} of {model.name} is not what its events say.",
                    hint="The old rows still serve. Report this with the row's events.",
                )


def _failed(name: str, failure: FoldingFailed) -> Conflict:
    return Conflict(
        "projections.failed",
        f"{name} can't be rebuilt: {failure}.",
        hint="The old rows still serve. Deploy a version that can fold this event.",
    )
