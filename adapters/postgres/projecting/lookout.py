"""The lookout: whose logs have news that no hint told of.

It compares the sum of all heads with what it knows of: where every growth was told of, a look
costs no more than that sum, however many tenants there are.
"""

from collections.abc import Sequence
from time import monotonic
from typing import Final, LiteralString

from adapters.postgres.connections import Pool, tenant_transaction
from domain.ids import SYSTEM_TENANT, TenantId
from projections.kernel import read_models

WORK_MAX: Final = 1_000
TRIED_AGAIN_MAX: Final = 100
LOOK_SECONDS: Final = 10.0
"""How often all cursors are compared with all heads, whatever the sum says."""

SEEN_SECONDS: Final = 60.0
KNOWN_MAX: Final = 100_000
PULSE: LiteralString = "SELECT events, stopped FROM pulse_v1()"
LAGGING: LiteralString = "SELECT tenant_id::text FROM lagging_v2(%s, %s, %s)"
STOPPED: LiteralString = "SELECT tenant_id::text FROM stopped_v1(%s, %s)"
BUILT: LiteralString = """
UPDATE read_model AS r SET built_at = now()
WHERE (r.name, r.version) IN (SELECT * FROM unnest(%s::text[], %s::integer[]))
  AND r.built_at IS NULL AND caught_up_v1(r.name, r.version, r.name = ANY (%s))
"""
SEEN: LiteralString = """
UPDATE read_model AS r SET seen_at = now()
WHERE (r.name, r.version) IN (SELECT * FROM unnest(%s::text[], %s::integer[]))
"""


class Lookout:
    """Looks over all logs, for the readers that one process has."""

    def __init__(self, pool: Pool, names: Sequence[str], system_names: Sequence[str]) -> None:
        self._pool = pool
        self._names = [list(names), list(system_names)]
        models = read_models().values()
        self._versions = ([m.name for m in models], [m.version for m in models])
        self._of_system = [m.name for m in models if m.system]
        self._heads: dict[TenantId, int] = {}
        self._sum = -1
        self._look_at = 0.0
        self._seen_at = float("-inf")
        self._built = False
        self.some_stopped = True

    def saw(self, tenant: TenantId, head: int, before: int) -> None:
        """Note how far a log is by now; *before* is how far it was, if it was not seen yet."""
        self._sum += max(0, head - self._heads.get(tenant, before))
        if len(self._heads) >= KNOWN_MAX:
            self._heads.clear()
        self._heads[tenant] = head

    def head_of(self, tenant: TenantId) -> int | None:
        """Say how far a log was when it was last seen."""
        return self._heads.get(tenant)

    async def has_news(self) -> bool:
        """Tell whether logs have grown beyond what was seen of them, or it is time to look."""
        return await self._grown() or monotonic() >= self._look_at

    async def looked(self) -> None:
        """Note that all there was to be seen was seen."""
        self._look_at = monotonic() + LOOK_SECONDS
        await self._grown()

    async def _grown(self) -> bool:
        async with tenant_transaction(self._pool, SYSTEM_TENANT) as connection:
            row = await (await connection.execute(PULSE)).fetchone() or (0, 0)
        events, stopped = int(row[0]), row[1]
        grown, self._sum = events != self._sum, events
        self.some_stopped = stopped > 0
        return grown

    async def lagging(self) -> list[TenantId]:
        """Name logs that are ahead of a reader of theirs, the least first."""
        async with tenant_transaction(self._pool, SYSTEM_TENANT) as connection:
            cursor = await connection.execute(LAGGING, (*self._names, WORK_MAX))
            return [TenantId(tenant) for (tenant,) in await cursor.fetchall()]

    async def stopped(self) -> list[TenantId]:
        """Name logs with readers that wait for a key or for a newer version."""
        names = [*self._names[0], *self._names[1]]
        async with tenant_transaction(self._pool, SYSTEM_TENANT) as connection:
            cursor = await connection.execute(STOPPED, (names, TRIED_AGAIN_MAX))
            return [TenantId(tenant) for (tenant,) in await cursor.fetchall()]

    async def note_built(self, rest_seconds: float = 0.0) -> None:
        """Note the versions that are built by now, and that this process keeps them up to date.

        It was done less than *rest_seconds* ago, or all are built and seen: nothing happens.
        """
        rest = SEEN_SECONDS if self._built else rest_seconds
        if monotonic() < self._seen_at + rest:
            return
        async with tenant_transaction(self._pool, SYSTEM_TENANT) as connection:
            await connection.execute(SEEN, self._versions)
            await connection.execute(BUILT, (*self._versions, self._of_system))
            left = await connection.execute(
                "SELECT count(*) FROM read_model WHERE built_at IS NULL AND (name, version)"
                " IN (SELECT * FROM unnest(%s::text[], %s::integer[]))",
                self._versions,
            )
            row = await left.fetchone()
        self._built = row == (0,)
        self._seen_at = monotonic()
