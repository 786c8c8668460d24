"""The keys of data subjects in PostgreSQL, each wrapped by a master key of the instance.

Whether a key still opens is what the log says. That it is destroyed too is the work of a
consumer, whose cursor makes sure that it is done.
"""

import secrets
from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Final, LiteralString, TypeAlias

import structlog
from msgspec import Struct

from adapters.keyring import KEY_BYTES, Keyring
from adapters.postgres.connections import Connection, Pool, tenant_transaction
from adapters.postgres.models.versions import read_consumer
from adapters.postgres.projecting.building.keeping import empty_former
from adapters.postgres.projecting.folding import Folded
from adapters.postgres.projecting.taking import follow
from application.ports import SubjectKey
from domain.ids import SYSTEM_TENANT, TenantId
from domain.kernel import Event
from domain.privacy import SubjectForgotten

DESTROYER: Final = "privacy.destroy_keys"
WRAPPED_TOGETHER: Final = 1_000
PROOFS: Final = 10
NOBODY: Final = ("00000000-0000-0000-0000-000000000000", "", -1)

# What was forgotten more often than its generation says is gone, destroyed yet or not.
FIND: LiteralString = """
SELECT s.subject, s.times, k.generation, k.master,
       CASE WHEN k.generation >= s.times THEN k.wrapped END,
       k.generation >= s.times AND k.wrapped IS NULL
FROM (
    SELECT subject, (
        SELECT count(*) FROM event_tag AS t
        WHERE t.tenant_id = %(tenant)s AND t.tag = subject AND t.type = 'SubjectForgotten'
    ) AS times
    FROM unnest(%(subjects)s::text[]) AS subject
) AS s
LEFT JOIN subject_key AS k ON k.tenant_id = %(tenant)s AND k.subject = s.subject
ORDER BY s.subject, k.generation
"""
# In their order, so that two processes that make the same keys do not lock each other out.
MAKE: LiteralString = """
INSERT INTO subject_key (tenant_id, subject, generation, wrapped, master)
SELECT %s, * FROM unnest(%s::text[], %s::integer[], %s::bytea[], %s::text[])
ON CONFLICT DO NOTHING
"""
LAST: LiteralString = """
SELECT max(generation) FROM subject_key WHERE tenant_id = %s AND subject = %s
"""
WRAPPED_BY: LiteralString = """
SELECT wrapped, tenant_id::text, subject, generation FROM subject_keys_wrapped_by_v1(%s, %s)
"""
DESTROY: LiteralString = """
UPDATE subject_key SET wrapped = NULL, forgotten_at = now()
WHERE tenant_id = %s AND subject = %s AND generation <= %s AND wrapped IS NOT NULL
"""
# Where somebody came from, and with what, is known of who is logged in. Sessions are of the system.
LOG_OUT: LiteralString = "DELETE FROM session WHERE tenant_id = %s AND 'user:' || user_id = %s"
TO_WRAP: LiteralString = """
SELECT tenant_id::text, subject, generation, wrapped, master
FROM subject_keys_to_wrap_v1(%s, %s, %s, %s, %s)
"""
# Only what is still as it was read: meanwhile a key may have been destroyed.
WRAP: LiteralString = """
UPDATE subject_key SET wrapped = %s, master = %s
WHERE tenant_id = %s AND subject = %s AND generation = %s AND wrapped = %s
"""
# When a key fell is what the log says; which consumers have yet to follow, their cursors.
LIST: LiteralString = """
SELECT k.subject, k.generation, k.created_at, e.recorded_at, k.forgotten_at, array(
    SELECT c.projection FROM projection_cursor AS c
    WHERE c.tenant_id = k.tenant_id AND c.position < e.position AND (
        c.projection = ANY (%s)
        OR c.projection IN (SELECT r.name || '@' || r.version FROM read_model AS r)
    )
    ORDER BY c.projection
)
FROM subject_key AS k
LEFT JOIN LATERAL (
    SELECT t.position FROM event_tag AS t
    WHERE t.tenant_id = k.tenant_id AND t.tag = k.subject AND t.type = 'SubjectForgotten'
    ORDER BY t.position OFFSET k.generation LIMIT 1
) AS f ON true
LEFT JOIN event AS e ON e.tenant_id = k.tenant_id AND e.position = f.position
WHERE k.tenant_id = %s AND position(':' IN k.subject) > 0
  AND (k.subject, k.generation) > (%s, %s)
ORDER BY k.subject, k.generation LIMIT %s
"""
Transaction: TypeAlias = Callable[[TenantId], AbstractAsyncContextManager[Connection]]
"""Opens a transaction that sees one tenant."""

log = structlog.get_logger()


class Forgettable(Struct, frozen=True, kw_only=True):
    """A key of a data subject, as it is listed.

    Attributes:
        forgotten_at: When the log says that it fell.
        destroyed_at: When its bytes were destroyed. Without the former, somebody else did it.
        pending: The consumers that have yet to follow: until then what the subject is called
            may stand in the rows of a read model.

    """

    subject: str
    generation: int
    created_at: datetime
    forgotten_at: datetime | None
    destroyed_at: datetime | None
    pending: tuple[str, ...]


class PostgresSubjectKeys:
    """Implements ``application.ports.SubjectKeys``."""

    def __init__(self, transaction: Transaction, keyring: Keyring) -> None:
        self._transaction = transaction
        self._keyring = keyring

    @classmethod
    def of_pool(cls, pool: Pool, keyring: Keyring) -> "PostgresSubjectKeys":
        return cls(lambda tenant: tenant_transaction(pool, tenant), keyring)

    async def find(
        self, tenant: TenantId, subjects: Collection[str], *, make: bool = False
    ) -> list[SubjectKey]:
        asked = {"tenant": tenant, "subjects": sorted(subjects)}
        async with self._transaction(tenant) as connection:
            rows = await (await connection.execute(FIND, asked)).fetchall()
            if make and (missing := _missing(rows)):
                await self._make(connection, tenant, missing)
                rows = await (await connection.execute(FIND, asked)).fetchall()
        return [
            SubjectKey(
                subject=subject,
                generation=generation,
                key=None
                if wrapped is None
                else self._keyring.unwrap(master, wrapped, binding_of(tenant, subject, generation)),
                destroyed=destroyed,
            )
            for subject, _, generation, master, wrapped, destroyed in rows
            if generation is not None
        ]

    async def last_generation(self, tenant: TenantId, subject: str) -> int | None:
        async with self._transaction(tenant) as connection:
            row = await (await connection.execute(LAST, (tenant, subject))).fetchone()
        return row[0] if row else None

    async def _make(
        self, connection: Connection, tenant: TenantId, missing: dict[str, int]
    ) -> None:
        await prove(connection, self._keyring)
        made = [
            self._keyring.wrap(
                secrets.token_bytes(KEY_BYTES), binding_of(tenant, subject, generation)
            )
            for subject, generation in missing.items()
        ]
        await connection.execute(
            MAKE,
            (
                tenant,
                list(missing),
                list(missing.values()),
                [wrapped for _, wrapped in made],
                [master for master, _ in made],
            ),
        )


async def prove(connection: Connection, keyring: Keyring) -> None:
    """See that the current master key is the one that wrapped before, once a process.

    Raises:
        Unavailable: It is another under the same id, and must wrap nothing.

    """
    if keyring.proven:
        return
    master = keyring.current
    found = await connection.execute(WRAPPED_BY, (master, PROOFS))
    rows = await found.fetchall()
    keyring.prove(master, [(wrapped, binding_of(*place)) for wrapped, *place in rows])


class DestroyKeys:
    """The consumer that destroys the keys of those whom the log says are forgotten.

    Whoever of them is logged in is so no more.
    """

    name = DESTROYER
    types: tuple[str, ...] = (SubjectForgotten.__name__,)

    async def __call__(
        self, connection: Connection, tenant: TenantId, after: int, head: int
    ) -> Folded:
        """Destroy them. Again does no harm."""

        async def act(event: Event, position: int) -> None:
            assert isinstance(event, SubjectForgotten), "It is asked for by type."
            gone = await connection.execute(DESTROY, (tenant, event.subject, event.generation))
            await connection.execute(LOG_OUT, (tenant, event.subject))
            log.info("privacy.keys_destroyed", tenant=tenant, position=position, keys=gone.rowcount)

        done = await follow(connection, tenant, self.types, act, after=after, head=head)
        if done.events:
            await empty_former(connection, at_once=True)
        return done


async def wrap_again(pool: Pool, keyring: Keyring, on_progress: Callable[[int], None]) -> int:
    """Wrap every key of every tenant with the current master key; return how many were not.

    It may be broken off at any point: what is left is found the next time.

    Raises:
        Unavailable: A master key that wrapped some of them is not here; those before are done.

    """
    done, last = 0, NOBODY
    while True:
        async with tenant_transaction(pool, SYSTEM_TENANT) as connection:
            await prove(connection, keyring)
            asked = (keyring.current, *last, WRAPPED_TOGETHER)
            rows = await (await connection.execute(TO_WRAP, asked)).fetchall()
        for tenant in sorted({row[0] for row in rows}):
            async with tenant_transaction(pool, tenant) as connection:
                for _, subject, generation, wrapped, master in (r for r in rows if r[0] == tenant):
                    about = binding_of(tenant, subject, generation)
                    key = keyring.unwrap(master, wrapped, about)
                    now, again = keyring.wrap(key, about)
                    place = (tenant, subject, generation, wrapped)
                    done += (await connection.execute(WRAP, (again, now, *place))).rowcount
        on_progress(done)
        if len(rows) < WRAPPED_TOGETHER:
            return done
        last = rows[-1][:3]


async def list_subjects(
    pool: Pool,
    tenant: TenantId,
    after: tuple[str, int],
    limit: int,
    *,
    consumers: Collection[str] = (),
) -> list[Forgettable]:
    """List data subjects by name, after one of them, without a secret.

    Those of *consumers* that have not yet met a forgetting are named with its subject, and so are
    other versions of read models, with their number.
    """
    asked = (list(consumers), tenant, *after, limit)
    async with tenant_transaction(pool, tenant) as connection:
        rows = await (await connection.execute(LIST, asked)).fetchall()
    return [
        Forgettable(
            subject=subject,
            generation=generation,
            created_at=created_at,
            forgotten_at=forgotten_at,
            destroyed_at=destroyed_at,
            pending=tuple(
                read_consumer(name)[0] if name in consumers else name for name in pending
            ),
        )
        for subject, generation, created_at, forgotten_at, destroyed_at, pending in rows
    ]


def _missing(rows: list[tuple[Any, ...]]) -> dict[str, int]:  # Any: columns of several types.
    """Return the generation that each subject lacks which has no key for what comes now."""
    times = {row[0]: row[1] for row in rows}
    there = {row[0] for row in rows if row[2] == row[1]}
    return {subject: number for subject, number in times.items() if subject not in there}


def binding_of(tenant: TenantId, subject: str, generation: int) -> bytes:
    """Bind a wrapped key to its row."""
    return f"{tenant}\x1f{subject}\x1f{generation}".encode()
