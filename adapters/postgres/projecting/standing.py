"""How far every reader of the logs is, and what stands still: for operators, owners and probes."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal, LiteralString, TypeAlias

from msgspec import Struct

from adapters.postgres.connections import Connection, Pool, tenant_transaction
from adapters.postgres.models.tables import shape_of
from adapters.postgres.models.versions import Model, consumer_named, consumer_of, read_consumer
from adapters.postgres.projecting.news import UNKNOWN_EVENT
from domain.ids import SYSTEM_TENANT, TenantId
from projections.kernel import read_models

Status: TypeAlias = Literal["failed", "waiting", "building", "behind", "current"]
FURTHEST_MAX: Final = 20
"""Of so many places that are behind the longest it is told whose they are."""

CURSORS: LiteralString = (
    "SELECT tenant_id::text, consumer, position, failed, error FROM cursors_v1()"
)
HEADS: LiteralString = "SELECT tenant_id::text, position FROM heads_v1()"
OWN_CURSORS: LiteralString = """
SELECT tenant_id::text, projection, position, failed_position, error FROM projection_cursor
WHERE tenant_id = %s
"""
OWN_HEAD: LiteralString = "SELECT tenant_id::text, position FROM log_head WHERE tenant_id = %s"
VERSIONS: LiteralString = "SELECT name, version, shape, built_at IS NOT NULL FROM read_model"
STANDING: LiteralString = """
SELECT consumer, tenant_id::text, logs, events, events_max, seconds, failed, waiting
FROM standing_v1(%s, %s, %s)
"""
FOLDED: LiteralString = "SELECT events, of_events FROM folded_v1(%s, %s)"
DEAD_LETTERS: LiteralString = "SELECT reaction, letters FROM dead_letters_v1()"
PULSE: LiteralString = "SELECT events, stopped FROM pulse_v1()"
WEBHOOKS: LiteralString = "SELECT active, failing, dead_letters FROM webhook_figures_v1()"


class Progress(Struct, frozen=True, kw_only=True):
    """How far one projection is in one log; the lag counts events.

    Attributes:
        version: Of a read model; None: it reads the log to another end.
        status: Failed, at an event that stopped it; waiting, for a version that knows an event;
            building, for the first time; behind or current.

    """

    name: str
    version: int | None
    tenant: TenantId
    position: int
    head: int
    lag: int
    status: Status
    failed_position: int | None = None
    error: str | None = None


class Behind(Struct, frozen=True, kw_only=True):
    """How far a reader is behind: in all logs, or in that of one tenant.

    Attributes:
        logs: In how many.
        seconds: The age of the oldest event that it has not taken.
        failed: In how many of them it failed.
        waiting: In how many it waits for a version that knows an event.

    """

    consumer: str
    tenant: TenantId | None
    logs: int
    events: int
    events_max: int
    seconds: float
    failed: int
    waiting: int

    @property
    def name(self) -> str:
        """Its name without the version, which is that of this code."""
        return read_consumer(self.consumer)[0]


class Building(Struct, frozen=True, kw_only=True):
    """A read model that is folded for the first time, in place of which none can serve."""

    name: str
    events: int
    of_events: int

    def __str__(self) -> str:
        share = 100 * self.events // max(self.of_events, 1)
        return f"{self.name} {share} % ({self.events} of {self.of_events} events)"


class Webhooks(Struct, frozen=True):
    """How many there are, how many took nothing last, and the events that none took."""

    active: int = 0
    failing: int = 0
    dead_letters: int = 0


class Standing(Struct, frozen=True, kw_only=True):
    """One look at all logs: who is behind, and the dead letters by reaction.

    Attributes:
        pulse: How many events there are in all, and how many readers are stopped.

    """

    pulse: tuple[int, int] = (0, 0)
    webhooks: Webhooks = Webhooks()
    totals: tuple[Behind, ...] = ()
    furthest: tuple[Behind, ...] = ()
    dead_letters: Mapping[str, int] = {}

    @property
    def events(self) -> int:
        return int(self.pulse[0])

    @property
    def stopped(self) -> str:
        """Name what failed or waits somewhere, and in how many logs; nothing: an empty text."""
        return ", ".join(
            f"{each.name} {word} in {many} log{'' if many == 1 else 's'}"
            for each in self.totals
            for word, many in (("failed", each.failed), ("waits", each.waiting))
            if many
        )


async def find_progress(pool: Pool, tenant: TenantId | None = None) -> list[Progress]:
    """Compare cursors with the heads of their logs: all there are, or those of one tenant.

    The versions that other code reads are among them.
    """
    cursors, heads = (CURSORS, HEADS) if tenant is None else (OWN_CURSORS, OWN_HEAD)
    asked = () if tenant is None else (tenant,)
    async with tenant_transaction(pool, tenant or SYSTEM_TENANT) as connection:
        built = {
            consumer_named(name, version)
            for name, version, _, is_built in await _versions(connection)
            if is_built
        }
        # The cursors first: a head that is read later is never behind them.
        found = await (await connection.execute(cursors, asked)).fetchall()
        ends: dict[str, int] = dict(await (await connection.execute(heads, asked)).fetchall())
    known = {(owner, name): place for owner, name, *place in found}
    compared = _compared(known, ends, built)
    return sorted(compared, key=lambda each: (each.name, each.version or 0, each.tenant))


async def look(
    pool: Pool, consumers: tuple[list[str], list[str]], last: Standing | None = None
) -> Standing:
    """Look over all logs for these readers: those of tenants, those of the system.

    Where nothing was behind in the *last* look and no log has grown since, nothing is now, and
    no log has to be looked at.
    """
    async with tenant_transaction(pool, SYSTEM_TENANT) as connection:
        pulse = await (await connection.execute(PULSE)).fetchone() or (0, 0)
        behind: list[Behind] = []
        if last is None or last.totals or last.pulse != pulse:
            found = await connection.execute(STANDING, (*consumers, FURTHEST_MAX))
            behind = [_behind(*record) for record in await found.fetchall()]
        letters = await (await connection.execute(DEAD_LETTERS)).fetchall()
        webhooks = await (await connection.execute(WEBHOOKS)).fetchone() or ()
    return Standing(
        pulse=pulse,
        webhooks=Webhooks(*webhooks),
        totals=tuple(each for each in behind if each.tenant is None),
        furthest=tuple(each for each in behind if each.tenant is not None),
        dead_letters=dict(letters),
    )


async def undeclared(pool: Pool) -> list[str]:
    """Name the read models whose version has no table yet: a migration is pending."""
    async with tenant_transaction(pool, SYSTEM_TENANT) as connection:
        known = {(name, version): shape for name, version, shape, _ in await _versions(connection)}
    return [
        name
        for name, model in read_models().items()
        if known.get((name, model.version)) != shape_of(model)
    ]


async def being_built(pool: Pool) -> list[Building]:
    """Name the read models that nobody can be served from yet, and how far they are."""
    async with tenant_transaction(pool, SYSTEM_TENANT) as connection:
        versions = await _versions(connection)
        waiting = [each for each in read_models().values() if not _served(each, versions)]
        found: list[Building] = []
        for model in waiting:
            asked = (consumer_of(model), model.system)
            row = await (await connection.execute(FOLDED, asked)).fetchone() or (0, 0)
            found.append(Building(name=model.name, events=row[0], of_events=row[1]))
    return found


async def _versions(connection: Connection) -> list[tuple[Any, ...]]:  # Of several types.
    return await (await connection.execute(VERSIONS)).fetchall()


def _served(model: Model, versions: Iterable[tuple[Any, ...]]) -> bool:
    """Tell whether there is a table that readers of *model* can take, as they choose it."""
    return any(
        name == model.name and version <= model.version and is_built and shape == shape_of(model)
        for name, version, shape, is_built in versions
    )


def _compared(
    cursors: Mapping[tuple[str, str], list[Any]], heads: Mapping[str, int], built: set[str]
) -> Iterator[Progress]:
    models = read_models().values()
    for tenant, head in heads.items():
        mine = {consumer_of(m) for m in models if m.system == (tenant == SYSTEM_TENANT)}
        for consumer in mine | {name for owner, name in cursors if owner == tenant}:
            position, failed, error = cursors.get((tenant, consumer), (0, None, None))
            name, version = read_consumer(consumer)
            yield Progress(
                name=name,
                version=version,
                tenant=TenantId(tenant),
                position=position,
                head=head,
                lag=max(0, head - position),
                status=_status(
                    failed=failed is not None,
                    error=error or "",
                    building=version is not None and consumer not in built,
                    behind=position < head,
                ),
                failed_position=failed,
                error=error,
            )


def _status(*, failed: bool, error: str, building: bool, behind: bool) -> Status:
    if failed:
        return "waiting" if error.startswith(UNKNOWN_EVENT) else "failed"
    if building:
        return "building"
    return "behind" if behind else "current"


def _behind(consumer: str, tenant: str | None, *figures: Any) -> Behind:  # noqa: ANN401 - numbers.
    logs, events, events_max, seconds, failed, waiting = figures
    return Behind(
        consumer=consumer,
        tenant=None if tenant is None else TenantId(tenant),
        logs=logs,
        events=events,
        events_max=events_max,
        seconds=seconds,
        failed=failed,
        waiting=waiting,
    )
