"""The projector: every consumer of every log, driven on, exactly once each.

A consumer's position moves in the transaction that writes its rows. Processes share the work
by locking cursors; hints say where there is news, and a look at all heads finds what they lost.
One that fails stops alone; one that failed for want of a key is tried again with each look.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, LiteralString, NamedTuple

import psycopg
import structlog

from adapters.postgres.connections import Connection, Pool, tenant_transaction
from adapters.postgres.folding import Folded, FoldingFailed, fold_batch
from adapters.postgres.read_models import table_of
from adapters.postgres.subject_keys import destroy_keys
from application.errors import Unavailable
from application.vault import Vault
from domain.ids import SYSTEM_TENANT, TenantId
from projections.kernel import read_models

POLL_SECONDS: Final = 1.0
WORK_MAX: Final = 1_000
TRIED_AGAIN_MAX: Final = 100
RETRY_SECONDS: Final = 0.5
CONCURRENT_MAX: Final = 4
DESTROYER: Final = "privacy.destroy_keys"
KEYS: Final = "privacy."
"""How the errors begin that go away when the keys are right: their codes, in `error`."""

CLAIM: LiteralString = """
SELECT position, error FROM projection_cursor
WHERE tenant_id = %s AND projection = %s
  AND (failed_position IS NULL OR starts_with(error, 'privacy.'))
FOR UPDATE SKIP LOCKED
"""
BEGIN: LiteralString = """
INSERT INTO projection_cursor (tenant_id, projection, position) VALUES (%s, %s, 0)
ON CONFLICT DO NOTHING
"""
HEAD: LiteralString = "SELECT position FROM log_head WHERE tenant_id = %s"
MOVE: LiteralString = """
UPDATE projection_cursor
SET position = %s, failed_position = %s, error = %s, updated_at = now()
WHERE tenant_id = %s AND projection = %s AND position = %s
"""
STOPPED: LiteralString = "SELECT tenant_id::text, consumer FROM stopped_for_keys_v1(%s)"
LAGGING: LiteralString = "SELECT tenant_id::text, consumer FROM lagging_v1(%s, %s, %s)"


class Cursor(NamedTuple):
    """A consumer's place in a log, locked, with what stopped it there."""

    tenant: TenantId
    name: str
    position: int
    error: str | None
    head: int


Consumer = Callable[[Connection, TenantId, int, int], Awaitable[Folded]]
"""Takes a transaction, a tenant, a position and a head; says how far it came."""
log = structlog.get_logger()


def projections(vault: Vault) -> tuple[dict[str, Consumer], dict[str, Consumer]]:
    """Make the consumers that need only the database: those of tenants, those of the system.

    They fold the read models, and destroy the keys of those who are forgotten.
    """
    tenants: dict[str, Consumer] = {DESTROYER: destroy_keys}
    system: dict[str, Consumer] = {DESTROYER: destroy_keys}
    for name, model in read_models().items():
        (system if model.system else tenants)[name] = _folder(name, vault)
    return tenants, system


def consumer_names() -> tuple[list[str], list[str]]:
    """Name what ``projections`` makes."""
    models = read_models().items()
    tenants, system = ([n for n, m in models if m.system == of] for of in (False, True))
    return [DESTROYER, *tenants], [DESTROYER, *system]


def _folder(name: str, vault: Vault) -> Consumer:
    table = table_of(read_models()[name])

    async def consume(connection: Connection, tenant: TenantId, after: int, head: int) -> Folded:
        return await fold_batch(connection, table, tenant, after=after, until=head, vault=vault)

    return consume


class Projector:
    """Drives consumers until it is stopped."""

    def __init__(
        self, pool: Pool, consumers: dict[str, Consumer], system_consumers: dict[str, Consumer]
    ) -> None:
        self._pool = pool
        self._consumers = consumers
        self._system_consumers = system_consumers
        self._hinted: set[TenantId] = set()
        self._wake = asyncio.Event()

    def hint(self, tenant: TenantId) -> None:
        """Say that the log of *tenant* has grown."""
        self._hinted.add(tenant)
        self._wake.set()

    async def run(self) -> None:
        """Go on until cancelled; PostgreSQL may go away and come back."""
        while True:
            try:
                await self.catch_up()
                while await self._hint_arrived():
                    hinted, self._hinted = self._hinted, set()
                    await self._advance_all(
                        [(tenant, name) for tenant in hinted for name in self._names(tenant)]
                    )
            except Unavailable as error:
                log.warning("projector.waiting", reason=error.message)
                await asyncio.sleep(RETRY_SECONDS)

    async def catch_up(self) -> None:
        """Drive on whatever is behind, until nothing is."""
        while (stopped := await self._stopped()) and await self._advance_all(stopped):
            pass  # The keys of some are right again, so those of others may be.
        while work := await self._lagging():
            if not await self._advance_all(work):
                return  # Others hold the rest.

    def _names(self, tenant: TenantId) -> Sequence[str]:
        consumers = self._system_consumers if tenant == SYSTEM_TENANT else self._consumers
        return list(consumers)

    async def _hint_arrived(self) -> bool:
        try:
            await asyncio.wait_for(self._wake.wait(), POLL_SECONDS)
        except TimeoutError:
            return False
        self._wake.clear()
        return True

    async def _lagging(self) -> list[tuple[TenantId, str]]:
        asked = (list(self._consumers), list(self._system_consumers), WORK_MAX)
        async with tenant_transaction(self._pool, SYSTEM_TENANT) as connection:
            cursor = await connection.execute(LAGGING, asked)
            return [(TenantId(tenant), name) for tenant, name in await cursor.fetchall()]

    async def _stopped(self) -> list[tuple[TenantId, str]]:
        async with tenant_transaction(self._pool, SYSTEM_TENANT) as connection:
            cursor = await connection.execute(STOPPED, (TRIED_AGAIN_MAX,))
            found = [(TenantId(tenant), name) for tenant, name in await cursor.fetchall()]
        return [(tenant, name) for tenant, name in found if name in self._names(tenant)]

    async def _advance_all(self, work: Sequence[tuple[TenantId, str]]) -> bool:
        """Drive these on, some at a time; tell whether any of them moved."""
        room = asyncio.Semaphore(CONCURRENT_MAX)

        async def one(tenant: TenantId, name: str) -> bool:
            async with room:
                moved = False
                try:
                    while await self.advance(tenant, name):
                        moved = True
                except psycopg.Error as error:
                    # What can't be written stops this consumer of this log, and no other.
                    await self._stop(tenant, name, error)
                except Unavailable as error:
                    if not error.code.startswith(KEYS):
                        raise
                    await self._stop(tenant, name, error)
                return moved

        return any(await asyncio.gather(*(one(tenant, name) for tenant, name in work)))

    async def advance(self, tenant: TenantId, name: str) -> bool:
        """Take one batch; tell whether the cursor moved."""
        consumers = self._system_consumers if tenant == SYSTEM_TENANT else self._consumers
        async with tenant_transaction(self._pool, tenant, derived=True) as connection:
            cursor = await _claim(connection, tenant, name)
            if cursor is None or cursor.position >= cursor.head:
                return False
            folded = await consumers[name](connection, tenant, cursor.position, cursor.head)
            failure = folded.failure
            at, error = (failure.position, _told(failure)) if failure else (None, None)
            news = await _move(connection, cursor, folded.position, at, error)
        if news and error is not None:
            log.error("projection.failed", projection=name, tenant=tenant, error=error)
        return failure is None

    async def _stop(self, tenant: TenantId, name: str, error: psycopg.Error | Unavailable) -> None:
        code = f"{error.code}: " if isinstance(error, Unavailable) else ""
        news = False
        async with tenant_transaction(self._pool, tenant) as connection:
            cursor = await _claim(connection, tenant, name)
            if cursor is not None:
                reached = cursor.position
                told = f"{code}After event {reached}: {type(error).__name__}: {error}"
                news = await _move(connection, cursor, reached, reached + 1, told)
        if news:  # What the server says of a row may name a person.
            kind = type(error).__name__
            log.error("projection.failed", projection=name, tenant=tenant, error=code + kind)


async def _claim(connection: Connection, tenant: TenantId, name: str) -> Cursor | None:
    """Lock the cursor if it is free, and return it with the head."""
    row: tuple[Any, ...] | None  # Any: columns of several types.
    row = await (await connection.execute(CLAIM, (tenant, name))).fetchone()
    if row is None:
        await connection.execute(BEGIN, (tenant, name))
        row = await (await connection.execute(CLAIM, (tenant, name))).fetchone()
    head = await (await connection.execute(HEAD, (tenant,))).fetchone()
    if row is None:
        return None
    position, error = row
    return Cursor(tenant, name, position, error, head[0] if head else 0)


async def _move(
    connection: Connection, cursor: Cursor, reached: int, failed: int | None, error: str | None
) -> bool:
    """Write how far a consumer came, and why no further; tell whether that is news."""
    if reached == cursor.position and error == cursor.error:
        return False
    move = (reached, failed, error, cursor.tenant, cursor.name, cursor.position)
    if (await connection.execute(MOVE, move)).rowcount != 1:
        raise RuntimeError(f"The cursor of {cursor.name} moved while it was locked.")
    return True


def _told(failure: FoldingFailed) -> str:
    return f"{failure.code}: {failure}" if failure.code else str(failure)
